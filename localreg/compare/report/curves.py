"""Curves over scores: what they are made of, and their Vega-Lite specifications.

Reliability and accuracy over coverage are drawn of scores of the label that is said, ROC and precision-recall of those
of the positive label. Whose the scores are is decided where the metrics are made (`localreg.compare.scores`), so that
a page says one thing; what is left out says why in `Curves.reasons`.

Sources:
    reliability, and its mean gap (ECE): `localreg.metrics`, in as many bins as the comparison's rows have; accuracy
    over coverage: Y. Geifman and R. El-Yaniv, NeurIPS 2017; ROC and precision-recall: `localreg.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.compare.evidence import Scored
from localreg.html.markup import cut
from localreg.html.theme import BASELINE, CANDIDATE, MUTED, Spec, framed, lines
from localreg.metrics import (
    average_precision_score,
    calibration_curve,
    expected_calibration_error,
    roc_auc_score,
    threshold_table,
)
from localreg.names import amount
from localreg.statistics.scores import BINS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

__all__ = ["Curves", "curves_of"]

SIZE = 250
"""Pixels of a plot's sides: with its axes it fits a phone."""

MOST_POINTS = 300
"""Points of a curve: more than can be seen."""


class Curves(NamedTuple):
    """Plots by name, and why there are no others."""

    plots: dict[str, Spec]
    reasons: list[str]


class _Sides(NamedTuple):
    """Both models, and what there is to say of their samples."""

    names: tuple[str, str]
    notes: list[str]


def curves_of(scored: Scored, baseline: str, candidate: str) -> Curves:
    """The curves that scores allow.

    Args:
        scored: of both models.
        baseline: its name.
        candidate: its name.
    """
    candidate = candidate if candidate != baseline else f"{candidate} (candidate)"
    used = len(scored.right[0])
    if not used:
        return Curves({}, ["there is no sample for which both models gave a score"])
    notes = [f"{amount(scored.of, 'sample')} that both models scored."] if scored.of < scored.compared else []
    if used < scored.of:
        notes.append(f"{used:,} of {scored.of:,} samples, evenly spread.")
    sides = _Sides((baseline, candidate), notes)
    plots: dict[str, Spec] = {}
    lacking: dict[str, list[str]] = {}
    if scored.why_uncalibrated is not None or isinstance(scored.of_said, str):
        lacking.setdefault(scored.why_uncalibrated or str(scored.of_said), []).append("reliability")
    else:
        plots["reliability"] = _reliability(scored.right, scored.of_said, sides)
    binary = _binary(scored, sides)
    if isinstance(binary, str):
        lacking.setdefault(binary, []).extend(["ROC", "precision-recall"])
    else:
        plots |= binary
    if isinstance(scored.of_said, str):
        lacking.setdefault(scored.of_said, []).append("accuracy-over-coverage")
    else:
        plots["coverage"] = _coverage(scored.right, scored.of_said, sides)
    return Curves(plots, [_no_curves(names, reason) for reason, names in lacking.items()])


def _no_curves(names: Sequence[str], reason: str) -> str:
    told = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"no {told} curve{'s' if len(names) > 1 else ''}: {reason}"


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _reliability(rights: tuple[Bools, Bools], said: tuple[Floats, Floats], sides: _Sides) -> Spec:
    values: list[dict[str, Any]] = []
    errors = []
    for name, right, scores in zip(sides.names, rights, said, strict=True):
        curve = calibration_curve(right, scores, n_bins=BINS)
        errors.append(f"{name}: ECE {expected_calibration_error(right, scores):.3f}")
        points = zip(curve.prob_pred.tolist(), curve.prob_true.tolist(), curve.counts.tolist(), strict=True)
        values += [{"model": name, "x": x, "y": y, "n": n} for x, y, n in points]
    spec = _lines(values, sides.names, "score of the answer (mean of the bin)", "share of right answers", points=True)
    spec["layer"].insert(0, _diagonal())
    return framed(
        "Reliability", _notes("; ".join(errors), "On the diagonal, scores are probabilities.", sides=sides), spec
    )


def _coverage(rights: tuple[Bools, Bools], said: tuple[Floats, Floats], sides: _Sides) -> Spec:
    """How often answers are right if only those of the highest scores are taken."""
    import numpy as np

    values: list[dict[str, Any]] = []
    for name, right, scores in zip(sides.names, rights, said, strict=True):
        order = np.argsort(-scores, kind="stable")
        ends = _ends(scores[order])
        share = np.cumsum(right[order])[ends] / (ends + 1)
        values += _points(name, (ends + 1) / len(scores), share)
    names = [each["model"] for each in values]
    alone = [name for name in sides.names if names.count(name) == 1]
    spec = _lines(values, sides.names, "share of samples answered, highest scores first", "share of right answers")
    spec["layer"] += _alone(spec, sides, alone)
    for layer in spec["layer"]:  # the upper part is what matters, and its axis says where it begins
        layer["encoding"]["y"]["scale"] = {"zero": False, "nice": True}
    note = "Right end: accuracy on all. Vertical axis does not begin at 0."
    told = f"A point alone: all scores of {' and of '.join(alone)} are equal." if alone else ""
    return framed("Accuracy over coverage", _notes(note, told, sides=sides), spec)


def _alone(spec: Spec, sides: _Sides, alone: Sequence[str]) -> Iterator[Spec]:
    """Of these models there is one point, of which no line is seen."""
    encoding = spec["layer"][0]["encoding"]
    for name, color, shape in _marked(sides.names):
        if name in alone:
            yield {
                "transform": [{"filter": {"field": "model", "equal": name}}],
                "mark": {"type": "point", "filled": True, "opacity": 0.9, "size": 80, "shape": shape, "color": color},
                "encoding": {"x": encoding["x"], "y": encoding["y"]},
            }


def _marked(names: tuple[str, str]) -> Iterator[tuple[str, str, str]]:
    """Models with their colours and shapes."""
    return zip(names, (BASELINE, CANDIDATE), ("square", "circle"), strict=True)


def _binary(scored: Scored, sides: _Sides) -> dict[str, Spec] | str:
    """ROC and precision over recall; or why there are none."""
    import numpy as np

    if isinstance(scored.of_positive, str):
        return scored.of_positive
    truth = scored.is_positive
    assert truth is not None, "there are scores of the positive label"
    assert scored.positive is not None, "there are scores of it"
    if truth.all() or not truth.any():
        return "the ground truth has one class only"
    roc: list[dict[str, Any]] = []
    recall: list[dict[str, Any]] = []
    areas, precisions = [], []
    for name, scores in zip(sides.names, scored.of_positive, strict=True):
        table = threshold_table(truth, scores)
        areas.append(f"{name}: AUC {roc_auc_score(truth, scores):.4f}")
        precisions.append(f"{name}: AP {average_precision_score(truth, scores):.4f}")
        roc += _points(name, np.append(0, table.fpr), np.append(0, table.recall))
        recall += _points(name, table.recall, table.precision)
    positive_name = f"positive: {cut(scored.positive, 40)}"
    of_roc = _lines(roc, sides.names, "false positive rate", "true positive rate")
    of_roc["layer"].insert(0, _diagonal())
    of_recall = _lines(recall, sides.names, "recall", "precision")
    return {
        "roc": framed("ROC", _notes("; ".join(areas), positive_name, sides=sides), of_roc),
        "precision_recall": framed(
            "Precision and recall", _notes("; ".join(precisions), positive_name, sides=sides), of_recall
        ),
    }


def _ends(scores: Floats) -> npt.NDArray[np.int64]:
    """The last place of each run of equal scores: within one there is no order."""
    import numpy as np

    return np.flatnonzero(np.append(scores[1:] != scores[:-1], True))


def _points(name: str, x: Floats, y: Floats) -> list[dict[str, Any]]:
    import numpy as np

    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(np.int64))
    return [
        {"model": name, "x": round(float(x[place]), 6), "y": round(float(y[place]), 6), "order": number}
        for number, place in enumerate(kept.tolist())
    ]


# --- how it is drawn --------------------------------------------------------------------------------------------------


def _lines(
    values: Sequence[dict[str, Any]], names: tuple[str, str], x_title: str, y_title: str, *, points: bool = False
) -> Spec:
    """Two lines; dashes and shapes tell them apart, too.

    Args:
        values: `model`, `x`, `y` and `order`, or `n`.
        names: of the models.
        x_title: what x is.
        y_title: what y is.
        points: draw them, the larger the more samples (`n`) they stand for.
    """
    model = {"field": "model", "type": "nominal", "title": None, "legend": {"columns": 1, "symbolType": "stroke"}}
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": x_title, "scale": {"domain": [0, 1]}, "axis": _axis()},
        "y": {"field": "y", "type": "quantitative", "title": y_title, "scale": {"domain": [0, 1]}, "axis": _axis()},
        "color": {**model, "scale": {"domain": list(names), "range": [BASELINE, CANDIDATE]}},
        "strokeDash": {**model, "scale": {"domain": list(names), "range": [[5, 3], [1, 0]]}},
        "order": {"field": "x" if points else "order", "type": "quantitative"},
    }
    layers: list[Spec] = [{"mark": {"type": "line", "strokeWidth": 2}, "encoding": encoding}]
    for name, color, shape in _marked(names) if points else ():
        size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [20, 130], "zero": True}}
        layers.append(
            {
                "transform": [{"filter": {"field": "model", "equal": name}}],
                "mark": {"type": "point", "filled": True, "opacity": 0.9, "shape": shape, "color": color},
                "encoding": {"x": encoding["x"], "y": encoding["y"], "size": size},
            }
        )
    return {"width": SIZE, "height": SIZE, "data": {"values": list(values)}, "layer": layers}


def _axis() -> Spec:
    return {"tickCount": 5, "format": ".2~f"}


def _diagonal() -> Spec:
    ends = [{"x": 0, "y": 0}, {"x": 1, "y": 1}]
    encoding = {axis: {"field": axis, "type": "quantitative"} for axis in ("x", "y")}
    return {"data": {"values": ends}, "mark": {"type": "line", "color": MUTED, "strokeWidth": 1}, "encoding": encoding}


def _notes(*texts: str, sides: _Sides | None = None) -> list[str]:
    every = [*texts, *([] if sides is None else sides.notes)]
    return [line for text in every for line in lines(text, SIZE + 40)]
