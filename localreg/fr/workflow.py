"""The types of face recognition 1:1, as they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.workflow.checks import Checks, Rule
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.test_sample import TestSample
from localreg.workflow.workflow import Workflow

__all__ = ["WORKFLOW", "Identity", "Pair", "Similarity"]


@dataclass(frozen=True)
class Pair(TestSample):
    """Two images, left and right: the same two the other way round are another pair."""

    locator_a: str
    locator_b: str

    __localreg_checks__ = Checks({"locator_a": (Rule.NOT_BLANK,), "locator_b": (Rule.NOT_BLANK,)})


@dataclass(frozen=True)
class Identity(GroundTruth):
    """Whether a pair shows one person.

    Attributes:
        is_same: True = a genuine pair, False = an impostor's.
    """

    is_same: bool


@dataclass(frozen=True)
class Similarity(Inference):
    """How alike a model finds the images of a pair.

    Attributes:
        similarity: what `compare` returned; None if one of the images failed to enrol.
        image_a_fte: the left image failed to enrol.
        image_b_fte: the right image failed to enrol.
    """

    similarity: float | None
    image_a_fte: bool
    image_b_fte: bool

    __localreg_checks__ = Checks({"similarity": (Rule.FINITE,)})


WORKFLOW = Workflow("Face Recognition 1:1", Pair, Identity, Similarity)
