"""Metrics of probabilities: are they good, and do they say how often the model is right?

Of two classes a column (n,), the probability of the positive one; of K classes (n, K), columns in the order of `labels`
or of the sorted classes in truth. Probabilities are in [0, 1], rows add up to 1 (to 1.5e-8 in double precision, 3e-4 in
single); whatever else is refused, the row named. Undefined is None: no sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from localreg.errors import InvalidInputError
from localreg.metrics.coding import binary_of
from localreg.metrics.multiclass import classes_of
from localreg.metrics.reading import Column, check_lengths, is_table, numbers_of, whole_number_of
from localreg.statistics.scores import BINS, binned, calibration_error, losses_of, uniform_edges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

__all__ = ["CalibrationCurve", "brier_score_loss", "calibration_curve", "expected_calibration_error", "log_loss"]


@dataclass(frozen=True)
class CalibrationCurve:
    """What happened beside what was said, in bins of probability; bins without samples are left out. Columns (m,).

    Attributes:
        prob_true: share of positives (or of right predictions) in each bin.
        prob_pred: mean probability in each bin.
        counts: int64, samples in each bin.
        low: lower edge of each bin, which belongs to the bin before it (the first to the first).
        high: upper edge.
    """

    prob_true: np.ndarray
    prob_pred: np.ndarray
    counts: np.ndarray
    low: np.ndarray
    high: np.ndarray


def log_loss(
    truth: Column,
    probabilities: Column | ArrayLike,
    *,
    labels: Sequence[object] | None = None,
    pos_label: object = 1,
) -> float | None:
    """Mean negative natural logarithm of the probability that was given to what is true.

    Args:
        truth: (n,) labels.
        probabilities: (n,) or (n, K), see the module.
        labels: K classes, in the order of the columns; None = those in truth, sorted.
        pos_label: which label is positive, of two; 1 is True as well.

    Returns:
        0 or more; None if there is no sample. Probabilities are kept 2.2e-16 away from 0 and 1, as in scikit-learn, so
        that one that was given 0 costs 36, not infinity.

    Raises:
        InvalidInputError: shapes differ, labels do not fit, or what is given are no probabilities.

    Source:
        C. M. Bishop, Pattern Recognition and Machine Learning (2006), equation 4.108; scikit-learn, `log_loss`.
    """
    import numpy as np

    codes, table = _table(truth, probabilities, labels, pos_label)
    if not len(codes):
        return None
    return float(losses_of("log_loss", table[np.arange(len(codes)), codes]).mean())


def brier_score_loss(
    truth: Column,
    probabilities: Column | ArrayLike,
    *,
    labels: Sequence[object] | None = None,
    pos_label: object = 1,
) -> float | None:
    """Mean squared distance of the probabilities from what is true.

    Args:
        truth: as for `log_loss`.
        probabilities: as for `log_loss`.
        labels: as for `log_loss`.
        pos_label: as for `log_loss`.

    Returns:
        Of a column in [0, 1]: the square of the positive class alone. Of (n, K) in [0, 2]: the sum over classes, as
        Brier had it. None if there is no sample.

    Raises:
        InvalidInputError: shapes differ, labels do not fit, or what is given are no probabilities.

    Source:
        G. W. Brier, Monthly Weather Review 78 (1950) 1; scikit-learn, `brier_score_loss` (`scale_by_half="auto"` halves
        two columns).
    """
    import numpy as np

    codes, table = _table(truth, probabilities, labels, pos_label)
    if not len(codes):
        return None
    own = table[np.arange(len(codes)), codes]
    if not is_table(probabilities):
        return float(losses_of("brier_score", own).mean())
    return float(((table * table).sum(axis=1) + (1 - 2 * own)).mean())


def calibration_curve(
    truth: Column,
    probabilities: Column | ArrayLike,
    *,
    n_bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "uniform",
    labels: Sequence[object] | None = None,
    pos_label: object = 1,
) -> CalibrationCurve:
    """How often it happened where the model said 70 %: a reliability diagram.

    Args:
        truth: as for `log_loss`.
        probabilities: as for `log_loss`. Of (n, K) the highest of each row counts (of equal ones the first), and
            whether it is that of the true class.
        n_bins: from 1.
        strategy: "uniform" = bins of equal width; "quantile" = of equally many samples.
        labels: as for `log_loss`.
        pos_label: as for `log_loss`.

    Raises:
        InvalidInputError: shapes differ, labels do not fit, or what is given are no probabilities.

    Source:
        A. Niculescu-Mizil, R. Caruana, ICML 2005, 625; scikit-learn, `calibration_curve`.
    """
    right, said = _told(truth, probabilities, labels, pos_label)
    edges = _edges(n_bins, strategy, said)
    counts, hits, sums = binned(right, said, edges)
    there = counts > 0
    return CalibrationCurve(
        prob_true=hits[there] / counts[there],
        prob_pred=sums[there] / counts[there],
        counts=counts[there],
        low=edges[:-1][there],
        high=edges[1:][there],
    )


def expected_calibration_error(
    truth: Column,
    probabilities: Column | ArrayLike,
    *,
    n_bins: int = BINS,
    strategy: Literal["uniform", "quantile"] = "uniform",
    labels: Sequence[object] | None = None,
    pos_label: object = 1,
) -> float | None:
    """Mean distance between what was said and what happened, over bins of probability by their samples.

    Args:
        truth: as for `calibration_curve`.
        probabilities: as for `calibration_curve`: of (n, K) the confidence in the predicted class; of a column that in
            the positive one.
        n_bins: from 1; it grows with more bins, so compare at the same number.
        strategy: as for `calibration_curve`.
        labels: as for `log_loss`.
        pos_label: as for `log_loss`.

    Returns:
        A number in [0, 1]; None if there is no sample.

    Raises:
        InvalidInputError: shapes differ, labels do not fit, or what is given are no probabilities.

    Source:
        C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3; equal mass: K. Nguyen, B.
        O'Connor, EMNLP 2015, section 3.1.
    """
    right, said = _told(truth, probabilities, labels, pos_label)
    return calibration_error(right, said, _edges(n_bins, strategy, said))


def _edges(n_bins: int, strategy: str, said: np.ndarray) -> np.ndarray:
    import numpy as np

    edges = uniform_edges(whole_number_of(n_bins, "n_bins"))
    if strategy not in ("uniform", "quantile"):
        raise InvalidInputError(f"strategy is {strategy!r}; take 'uniform' or 'quantile'")
    return edges if strategy == "uniform" or not len(said) else np.percentile(said, edges * 100)


def _told(
    truth: Column, probabilities: Column | ArrayLike, labels: Sequence[object] | None, pos_label: object
) -> tuple[np.ndarray, np.ndarray]:
    """Whether what was spoken of happened, and the probability that was given to it."""
    import numpy as np

    codes, table = _table(truth, probabilities, labels, pos_label)
    if not is_table(probabilities):
        return codes == 1, table[:, 1]
    if not table.shape[1]:
        return codes == 0, np.zeros(len(codes))
    first = table.argmax(axis=1)
    return codes == first, table[np.arange(len(codes)), first]


def _table(
    truth: Column, probabilities: Column | ArrayLike, labels: Sequence[object] | None, pos_label: object
) -> tuple[np.ndarray, np.ndarray]:
    """The column of each sample's class, and float64 probabilities (n, K); of a column, negative then positive."""
    import numpy as np

    if is_table(probabilities):
        codes, table = classes_of(truth, probabilities, labels, "probabilities")
        slack = float(np.sqrt(np.finfo(table.dtype).eps))
        table = table.astype(np.float64, copy=False)
        _check_range(table.min(axis=1, initial=0), table.max(axis=1, initial=0))
        off = np.abs(table.sum(axis=1) - 1) > slack
        if off.any():
            row = int(off.argmax())
            raise InvalidInputError(
                f"probabilities add up to {table[row].sum():.6g} in row {row}; they must add up to 1"
            )
        return codes, table
    positive = binary_of(truth, pos_label=pos_label)
    column = numbers_of(probabilities, "probabilities").astype(np.float64, copy=False)  # type: ignore[arg-type]
    check_lengths(truth=positive, probabilities=column)
    _check_range(column, column)
    return positive.astype(np.int64), np.stack([1 - column, column], axis=1)


def _check_range(least: np.ndarray, most: np.ndarray) -> None:
    bad = (least < 0) | (most > 1)
    if bad.any():
        row = int(bad.argmax())
        value = least[row] if least[row] < 0 else most[row]
        raise InvalidInputError(f"probabilities holds {value} in row {row}; a probability is from 0 to 1")
