"""Curves over scores: what they are made of, and their Vega-Lite specifications.

A score goes with the class that was said. Reliability needs scores that may be probabilities (0 to 1); ROC and
precision-recall need two classes, and scores that can only be the probability of the class said: none below one half.
What is refused says so in `Curves.reasons`.

Sources:
    reliability, and its mean gap (ECE): `localreg.metrics`, in as many bins as the comparison's rows have; accuracy
    over coverage: Y. Geifman and R. El-Yaniv, NeurIPS 2017; ROC and precision-recall: `localreg.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.compare.evidence import Scored
from localreg.compare.report.markup import cut
from localreg.compare.report.theme import BASELINE, CANDIDATE, MUTED, Spec, framed, lines
from localreg.metrics import (
    average_precision_score,
    calibration_curve,
    expected_calibration_error,
    roc_auc_score,
    threshold_table,
)
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
    """Scores of both models where both have one."""

    names: tuple[str, str]
    right: tuple[Bools, Bools]
    scores: tuple[Floats, Floats]
    notes: list[str]


def curves_of(scored: Scored, baseline: str, candidate: str) -> Curves:
    """The curves that scores allow.

    Args:
        scored: answers and scores.
        baseline: its name.
        candidate: its name.
    """
    import numpy as np
    import pyarrow.compute as pc

    candidate = candidate if candidate != baseline else f"{candidate} (candidate)"
    usable = np.isfinite(scored.scores[0]) & np.isfinite(scored.scores[1])
    if not usable.any():
        return Curves({}, ["there is no sample for which both models gave a score"])
    right = [np.asarray(pc.fill_null(pc.equal(scored.truth, each), False))[usable] for each in scored.said]
    scores = [each[usable] for each in scored.scores]
    total, used = len(usable), int(usable.sum())
    notes = [f"{used:,} samples that both models scored."] if used < total else []
    if scored.of > total:
        notes.append(f"{total:,} of {scored.of:,} samples, evenly spread.")
    sides = _Sides((baseline, candidate), (right[0], right[1]), (scores[0], scores[1]), notes)
    plots: dict[str, Spec] = {}
    reasons = []
    if all(((each >= 0) & (each <= 1)).all() for each in scores):
        plots["reliability"] = _reliability(sides)
    else:
        reasons.append("no reliability curve: scores are not between 0 and 1, and so are no probabilities")
    binary = _binary(scored, usable, sides)
    if isinstance(binary, str):
        reasons.append(f"no ROC and precision-recall curves: {binary}")
    else:
        plots |= binary
    plots["coverage"] = _coverage(sides)
    return Curves(plots, reasons)


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _reliability(sides: _Sides) -> Spec:
    values: list[dict[str, Any]] = []
    errors = []
    for name, right, scores in zip(sides.names, sides.right, sides.scores, strict=True):
        curve = calibration_curve(right, scores, n_bins=BINS)
        errors.append(f"{name}: ECE {expected_calibration_error(right, scores):.3f}")
        points = zip(curve.prob_pred.tolist(), curve.prob_true.tolist(), curve.counts.tolist(), strict=True)
        values += [{"model": name, "x": x, "y": y, "n": n} for x, y, n in points]
    spec = _lines(values, sides.names, "score of the answer (mean of the bin)", "share of right answers", points=True)
    spec["layer"].insert(0, _diagonal())
    return framed(
        "Reliability", _notes("; ".join(errors), "On the diagonal, scores are probabilities.", sides=sides), spec
    )


def _coverage(sides: _Sides) -> Spec:
    """How often answers are right if only those of the highest scores are taken."""
    import numpy as np

    values: list[dict[str, Any]] = []
    for name, right, scores in zip(sides.names, sides.right, sides.scores, strict=True):
        order = np.argsort(-scores, kind="stable")
        ends = _ends(scores[order])
        share = np.cumsum(right[order])[ends] / (ends + 1)
        values += _points(name, (ends + 1) / len(scores), share)
    spec = _lines(values, sides.names, "share of samples answered, highest scores first", "share of right answers")
    for layer in spec["layer"]:  # the upper part is what matters, and its axis says where it begins
        layer["encoding"]["y"]["scale"] = {"zero": False, "nice": True}
    note = "Right end: accuracy on all. Vertical axis does not begin at 0."
    return framed("Accuracy over coverage", _notes(note, sides=sides), spec)


def _binary(scored: Scored, usable: Bools, sides: _Sides) -> dict[str, Spec] | str:
    """ROC and precision over recall; or why there are none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [each.filter(pa.array(usable)) for each in (scored.truth, *scored.said)]
    labels = sorted({label for each in columns for label in pc.unique(each).to_pylist() if label is not None})
    if len(labels) != 2:
        return f"there are {len(labels):,} classes, and they need two"
    if any((each < 0.5).any() or (each > 1).any() for each in sides.scores):
        return "scores are not all from 0.5 to 1, so it is not certain that they are probabilities of the answer"
    truth = np.asarray(pc.equal(columns[0], labels[1]))
    if truth.all() or not truth.any():
        return "the ground truth has one class only"
    roc: list[dict[str, Any]] = []
    recall: list[dict[str, Any]] = []
    areas, precisions = [], []
    for name, said, scores in zip(sides.names, columns[1:], sides.scores, strict=True):
        positive = np.where(np.asarray(pc.equal(said, labels[1])), scores, 1 - scores)
        table = threshold_table(truth, positive)
        areas.append(f"{name}: AUC {roc_auc_score(truth, positive):.4f}")
        precisions.append(f"{name}: AP {average_precision_score(truth, positive):.4f}")
        roc += _points(name, np.append(0, table.fpr), np.append(0, table.recall))
        recall += _points(name, table.recall, table.precision)
    positive_name = f"positive: {cut(labels[1], 40)}"
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
    for name, color, shape in zip(names, (BASELINE, CANDIDATE), ("square", "circle"), strict=True) if points else ():
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
