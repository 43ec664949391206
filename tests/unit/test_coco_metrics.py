"""The COCO numbers of boxes: those of pycocotools, to the last bit."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from localreg.errors import InvalidInputError, NotFoundError
from localreg.metrics import coco_detection
from localreg.metrics.coco import Area, DetectionMatches, matched, read
from tests.coco_oracle import NAMES, drawn, evaluated, numbers_of

Json = Any


def ours(annotations: Json, results: Json) -> dict[str, float | None]:
    return coco_detection(copy.deepcopy(annotations), copy.deepcopy(results))


def matches_of(annotations: Json, results: Json, **options: Any) -> DetectionMatches:
    return matched(*read(annotations, results, masks=False), **options)


@pytest.mark.parametrize("seed", range(60))
def test_the_numbers_are_those_of_pycocotools(seed: int) -> None:
    annotations, results = drawn(seed)
    assert ours(annotations, results) == numbers_of(annotations, results, "bbox")
