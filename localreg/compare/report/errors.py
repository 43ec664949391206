"""Errors of numbers: the candidate's over the baseline's, sample by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localreg.compare.evidence import Errors
from localreg.compare.report.curves import SIZE
from localreg.html.theme import BETTER, MUTED, WORSE, Spec, framed, lines

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["MOST_ERRORS", "errors_plot"]

MOST_ERRORS = 1_500
"""Points of a plot: of more none can be told from its neighbours, and each costs a line of the page."""


def errors_plot(found: Errors, baseline: str, candidate: str) -> Spec | None:
    """A point a sample; on the crossing lines both errors are equally large. None if there is nothing to draw.

    Args:
        found: the errors.
        baseline: its name.
        candidate: its name.
    """
    import numpy as np

    if not len(found.a):
        return None
    reach = float(max(np.abs(found.a).max(), np.abs(found.b).max())) or 1.0
    values = [
        {"x": float(f"{a:.6g}"), "y": float(f"{b:.6g}"), "kind": _kind(a, b)}
        for a, b in zip(found.a.tolist(), found.b.tolist(), strict=True)
    ]
    notes = "Answer minus truth. Between the crossing lines, left and right, the candidate is nearer to the truth. "
    if len(found.a) < found.of:
        notes += f"{len(found.a):,} of {found.of:,} samples, evenly spread."
    return framed("Errors", lines(notes, SIZE + 40), _drawn(values, reach, baseline, candidate))


def _kind(a: float, b: float) -> str:
    return "smaller error" if abs(b) < abs(a) else "larger error" if abs(b) > abs(a) else "as large"


def _drawn(values: list[dict[str, Any]], reach: float, baseline: str, candidate: str) -> Spec:
    scale = {"domain": [-reach, reach], "nice": False}
    axes: Spec = {
        axis: {
            "field": axis,
            "type": "quantitative",
            "scale": scale,
            "title": lines(f"error of {name}", SIZE),
            "axis": {"tickCount": 5},
        }
        for axis, name in (("x", baseline), ("y", candidate))
    }
    kinds = ["smaller error", "larger error", "as large"]
    legend = {"columns": 3, "symbolOpacity": 1}
    kind: Spec = {"field": "kind", "type": "nominal", "title": None, "legend": legend}
    shapes = {"domain": kinds, "range": ["circle", "triangle-up", "square"]}
    layers: list[Spec] = [
        {
            "data": {"values": [{"x": -reach, "y": sign * -reach}, {"x": reach, "y": sign * reach}]},
            "mark": {"type": "line", "color": MUTED, "strokeWidth": 1},
            "encoding": axes,
        }
        for sign in (1, -1)
    ]
    layers.append(
        {
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "opacity": 0.6, "size": 22},
            "encoding": {
                **axes,
                "color": {**kind, "scale": {"domain": kinds, "range": [BETTER, WORSE, MUTED]}},
                "shape": {**kind, "scale": shapes},
            },
        }
    )
    return {"width": SIZE, "height": SIZE, "layer": layers}
