"""From a column of true classes and one of predicted ones to counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.coding import Codes, codes_of
from localreg.metrics.confusion import Average, Confusion, Marginals, Metric
from localreg.metrics.reading import Column

if TYPE_CHECKING:
    import numpy as np

__all__ = ["averaged", "coded_pair", "confusion_matrix", "defined", "marginals_of"]


def confusion_matrix(truth: Column, predicted: Column, *, labels: Sequence[object] | None = None) -> Confusion:
    """Which class was predicted how often for which.

    Args:
        truth: (n,) labels.
        predicted: (n,) labels; missing = no prediction, counted apart.
        labels: the classes, in the order that is wanted; None = all that occur, sorted. Samples whose class is not
            among them, or was predicted as one that is not, are left out, as scikit-learn does.

    Returns:
        `.matrix` is int64 (K, K), truth by predicted; `.labels`, `.unpredicted`; it prints as a table.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare or stand there twice.
    """
    import numpy as np

    codes = coded_pair(truth, predicted, labels)
    true, said = codes.columns
    chosen = np.arange(len(codes.labels)) if codes.asked is None else codes.asked
    places = np.full(len(codes.labels) + 1, -2)
    places[chosen], places[-1] = np.arange(len(chosen)), -1
    true, said = places[true], places[said]
    kept = (true >= 0) & (said != -2)
    if not kept.all():
        true, said = true[kept], said[kept]
    count = len(chosen)
    cells = np.bincount(true * (count + 1) + said + 1, minlength=count * (count + 1)).reshape(count, count + 1)
    return Confusion(tuple(codes.labels[place] for place in chosen), cells[:, 1:].copy(), cells[:, 0].copy())


def coded_pair(truth: Column, predicted: Column, labels: Sequence[object] | None = None) -> Codes:
    """Both columns coded alike; -1 = no prediction.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare or stand there twice.
    """
    import numpy as np

    codes = codes_of({"truth": truth, "predicted": predicted}, labels)
    if codes.asked is not None and len(np.unique(codes.asked)) < len(codes.asked):
        raise InvalidInputError("labels holds one class twice")
    return codes


def marginals_of(codes: Codes) -> Marginals:
    """How often each class is true, predicted and both."""
    import numpy as np

    truth, predicted = codes.columns
    count = len(codes.labels)
    return Marginals(
        np.asarray(len(truth)),
        np.bincount(truth[truth == predicted], minlength=count),
        np.bincount(truth, minlength=count),
        np.bincount(predicted + 1, minlength=count + 1)[1:],
    )


def averaged(marginals: Marginals, metric: Metric, average: Average, *, named: bool) -> float | None:
    """An average over the classes that are present or, as scikit-learn has it, over all if they were named."""
    every = True if named and bool(marginals.present.any()) else None
    return defined(marginals.averaged(metric, average, over=every))


def defined(value: np.ndarray | np.float64) -> float | None:
    """A number of numpy as one of Python; None for NaN."""
    number = float(value)
    return number if number == number else None
