"""DET curves: FNMR over FMR at all thresholds of two models, and where each one's threshold is.

Both axes are logarithmic, as error rates of verification are looked at; what is 0 has no place on them, and a curve
ends where its last error does.

Source:
    A. Martin et al., The DET curve in assessment of detection task performance, Eurospeech 1997; logarithmic axes as in
    NIST's reports on face recognition (P. Grother et al., Interagency Report 8271).
"""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING, Any

from localreg.compare.report.curves import SIZE
from localreg.compare.verified_pair import Similarities
from localreg.html.theme import BASELINE, CANDIDATE, Spec, framed, lines
from localreg.metrics.ranking import Ranked
from localreg.metrics.verification import Comparisons

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["det_plot"]

MOST_POINTS = 300


def det_plot(found: Similarities, baseline: str, candidate: str) -> Spec | None:
    """Both curves, with a point where each model's threshold is; None if there is nothing to draw.

    Args:
        found: similarities of pairs.
        baseline: its name.
        candidate: its name.
    """
    names = baseline, candidate if candidate != baseline else f"{candidate} (candidate)"
    values: list[dict[str, Any]] = []
    points = []
    for name, scores, threshold in zip(names, found.scores, found.thresholds, strict=True):
        one = _comparisons(found, scores)
        values += _curve(name, one)
        if threshold is not None:
            points.append({"model": name, "x": one.fmr(threshold), "y": one.fnmr(threshold)})
    if len({each["model"] for each in values}) < 2:
        return None
    low = [10.0 ** floor(log10(min(each[axis] for each in values))) for axis in ("x", "y")]
    domains = [[least, 1] for least in low]
    points = [each for each in points if each["x"] and each["y"]]
    notes = ["Further down and left is better; a point is where the model accepts."]
    spec = {"width": SIZE, "height": SIZE, "layer": _layers(values, points, names, domains)}
    return framed("DET curve", [line for text in notes for line in lines(text, SIZE + 40)], spec)


def _comparisons(found: Similarities, scores: Floats) -> Comparisons:
    import numpy as np

    return Comparisons(Ranked(np.sort(scores[found.genuine]), np.sort(scores[~found.genuine])), 0, 0)


def _curve(name: str, one: Comparisons) -> list[dict[str, Any]]:
    """Points at even distances along a curve, where neither rate is 0."""
    import numpy as np

    _, fmr, fnmr = one.det
    there = (fmr > 0) & (fnmr > 0)
    fmr, fnmr = fmr[there], fnmr[there]
    if not len(fmr):
        return []
    way = np.log(fnmr) - np.log(fmr)  # rises with the threshold
    chosen = np.unique(np.searchsorted(way, np.linspace(way[0], way[-1], MOST_POINTS)).clip(max=len(way) - 1))
    return [
        {"model": name, "x": float(f"{fmr[place]:.6g}"), "y": float(f"{fnmr[place]:.6g}"), "order": number}
        for number, place in enumerate(chosen.tolist())
    ]


def _layers(
    values: list[dict[str, Any]], points: list[dict[str, Any]], names: tuple[str, str], domains: list[list[float]]
) -> list[Spec]:
    model = {"field": "model", "type": "nominal", "title": None, "legend": {"columns": 1, "symbolType": "stroke"}}
    axes = {
        axis: {
            "field": axis,
            "type": "quantitative",
            "title": title,
            "scale": {"type": "log", "domain": domain},
            "axis": {"format": "~g", "values": [10.0**power for power in range(round(log10(domain[0])), 1)]},
        }
        for axis, title, domain in zip("xy", ("FMR", "FNMR"), domains, strict=True)
    }
    colors = {**model, "scale": {"domain": list(names), "range": [BASELINE, CANDIDATE]}}
    dashes = {**model, "scale": {"domain": list(names), "range": [[5, 3], [1, 0]]}}
    order = {"field": "order", "type": "quantitative"}
    curve = {
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {**axes, "color": colors, "strokeDash": dashes, "order": order},
    }
    marks = [
        {
            "data": {"values": [point]},
            "mark": {"type": "point", "filled": True, "opacity": 0.9, "size": 80, "shape": shape, "color": color},
            "encoding": axes,
        }
        for name, shape, color in zip(names, ("square", "circle"), (BASELINE, CANDIDATE), strict=True)
        for point in points
        if point["model"] == name
    ]
    return [curve, *marks]
