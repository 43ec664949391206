"""Models as registered code holds them: a folder of text, and the plan that runs it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from localreg.definitions.plan import Call, Hole, Plan

DATAPOINTS = {"datapoints": Hole.DATAPOINTS}
BOTH = {"model": Hole.LOADED, **DATAPOINTS}


def write_code(folder: Path, files: Mapping[str, str]) -> str:
    """Files by their paths, as a folder; gives its path."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return str(folder)


def make_plan(
    root: str | Path,
    predict: str = "inference:predict",
    *,
    load: str | None = None,
    inputs: Mapping[str, object] | None = None,
    predict_inputs: Mapping[str, object] | None = None,
    device: str | None = None,
    keys: tuple[str, ...] | None = None,
    max_size: int | None = None,
    places: Mapping[str, str] | None = None,
    model: str = "reader@6",
) -> Plan:
    """A plan; with `load`, predict is given what that returned as `model`."""
    taken = predict_inputs if predict_inputs is not None else DATAPOINTS if load is None else BOTH
    return Plan(
        model,
        str(root),
        None if load is None else Call(load, inputs or {}),
        Call(predict, taken),
        device=device,
        keys=keys,
        max_size=max_size,
        places=places or {},
    )
