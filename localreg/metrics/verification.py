"""Metrics of 1:1 verification (do two images show the same face?), in the terms of ISO/IEC 19795-1.

A pair is accepted if its score is at or above the threshold. FMR is the share of impostor pairs that are accepted, FNMR
that of genuine pairs that are not. A pair that was never compared, because an image failed to enrol, has no score (None
or null, not NaN): it is left out here, as the standard has it, and belongs to `failure_to_enrol_rate`; `Comparisons`
says how many there were. Undefined is None, and where a number is wanted that the data do not give, the result says
why.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import InvalidInputError
from localreg.metrics.coding import binary_of
from localreg.metrics.ranking import Ranked
from localreg.metrics.reading import Column, check_lengths, number_of, present_numbers_of

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "AtFmr",
    "Comparisons",
    "DetCurve",
    "EqualErrorRate",
    "comparisons",
    "det_curve",
    "equal_error_rate",
    "failure_to_enrol_rate",
    "fmr",
    "fnmr",
    "fnmr_at_fmr",
    "threshold_at_fmr",
]

LEAST = 1e-12
"""The smallest FMR of which it is said how many impostor pairs it takes."""


class DetCurve(NamedTuple):
    """Both error rates at each threshold.

    Attributes:
        thresholds: (m + 1,) rising: all distinct scores, then infinity, which accepts nothing.
        fmr: falling; NaN throughout without impostors.
        fnmr: rising; NaN throughout without genuine pairs.
    """

    thresholds: np.ndarray
    fmr: np.ndarray
    fnmr: np.ndarray


class EqualErrorRate(NamedTuple):
    """Where FMR and FNMR meet.

    Attributes:
        rate: in [0, 1].
        threshold: the smallest score as threshold at which FMR is not above FNMR.
    """

    rate: float
    threshold: float


@dataclass(frozen=True)
class AtFmr:
    """What a model does where it accepts no more impostors than asked.

    Attributes:
        target: the FMR that was asked for.
        threshold: the smallest with FMR at most that; infinite if that takes one above all scores; None if it cannot
            be measured.
        fmr: the FMR that is reached there.
        fnmr: the FNMR there; None without genuine pairs.
        reason: why there is no threshold, or no FNMR; else None.
    """

    target: float
    threshold: float | None
    fmr: float | None
    fnmr: float | None
    reason: str | None


@dataclass(frozen=True)
class Comparisons:
    """Compared pairs, sorted once for several metrics.

    Attributes:
        ranked: genuine pairs are its positives, impostors its negatives.
        genuine_missed: genuine pairs without a score.
        impostors_missed: impostor pairs without a score.
    """

    ranked: Ranked
    genuine_missed: int
    impostors_missed: int

    @property
    def genuine(self) -> int:
        """Genuine pairs with a score."""
        return len(self.ranked.positives)

    @property
    def impostors(self) -> int:
        """Impostor pairs with a score."""
        return len(self.ranked.negatives)

    def fmr(self, threshold: float) -> float | None:
        """Share of impostors at or above a threshold; None without impostors."""
        count = self.impostors
        return (count - _below(self.ranked.negatives, threshold)) / count if count else None

    def fnmr(self, threshold: float) -> float | None:
        """Share of genuine pairs below a threshold; None without genuine pairs."""
        return _below(self.ranked.positives, threshold) / self.genuine if self.genuine else None

    def at_fmr(self, target: float) -> AtFmr:
        """Where no more than a share of the impostors is accepted: `fnmr_at_fmr` says how."""
        wanted = number_of(target)
        if wanted is None or not 0 <= wanted <= 1:
            raise InvalidInputError(f"the target FMR is {target!r}; it must be a number from 0 to 1")
        if not self.impostors:
            return AtFmr(wanted, None, None, None, "there are no impostor pairs")
        if wanted < 1 / self.impostors:
            needed = f"; it takes {ceil(1 / wanted):,} of them" if wanted > LEAST else ""
            reason = f"an FMR of {wanted:g} cannot be measured with {self.impostors:,} impostor pairs{needed}"
            return AtFmr(wanted, None, None, None, reason)
        threshold = self._threshold(wanted)
        lacking = None if self.genuine else "there are no genuine pairs"
        return AtFmr(wanted, threshold, self.fmr(threshold), self.fnmr(threshold), lacking)

    def _threshold(self, target: float) -> float:
        """The smallest distinct score that at most a share of the impostors reaches; infinity if none is."""
        import numpy as np

        scores, rates, _ = self.det
        place = int(np.searchsorted(-rates, -target))  # the rates fall
        return float(scores[place])

    def equal_error_rate(self) -> EqualErrorRate | None:
        """Where both rates meet: `equal_error_rate` says how."""
        if not self.genuine or not self.impostors:
            return None
        thresholds, fmrs, fnmrs = self.det
        after = int((fmrs <= fnmrs).argmax())  # never the first, which accepts all; infinity at the latest
        gap_before, gap_after = fmrs[after - 1] - fnmrs[after - 1], fnmrs[after] - fmrs[after]
        share = gap_before / (gap_before + gap_after)
        return EqualErrorRate(
            float(fmrs[after - 1] + share * (fmrs[after] - fmrs[after - 1])), float(thresholds[after])
        )

    @cached_property
    def det(self) -> DetCurve:
        """Both error rates at each threshold."""
        import numpy as np

        counts = self.ranked.counts()
        thresholds = np.append(counts.thresholds[::-1], np.asarray(np.inf, counts.thresholds.dtype))
        accepted, false = np.append(counts.tp[::-1], 0), np.append(counts.fp[::-1], 0)
        nothing = np.full(len(thresholds), np.nan)
        return DetCurve(
            thresholds,
            false / self.impostors if self.impostors else nothing,
            (self.genuine - accepted) / self.genuine if self.genuine else nothing,
        )


def comparisons(truth: Column, scores: Column, *, pos_label: object = 1) -> Comparisons:
    """Sort once, for several metrics of the same pairs.

    Args:
        truth: (n,) True or 1 = a genuine pair, False or 0 = an impostor's.
        scores: (n,) similarities, finite; None or null = not compared, because an image failed to enrol.
        pos_label: the label of genuine pairs.

    Raises:
        InvalidInputError: lengths differ, a score is NaN or infinite, or truth has not two labels.
    """
    import numpy as np

    genuine = binary_of(truth, pos_label=pos_label)
    numbers, there = present_numbers_of(scores, "scores")
    check_lengths(truth=genuine, scores=numbers)
    return Comparisons(
        Ranked(np.sort(numbers[genuine & there]), np.sort(numbers[~genuine & there])),
        int((genuine & ~there).sum()),
        int((~genuine & ~there).sum()),
    )


def fmr(truth: Column, scores: Column, threshold: float, *, pos_label: object = 1) -> float | None:
    """False match rate: the share of impostor pairs with a score at or above the threshold.

    Args:
        truth: as for `comparisons`.
        scores: as for `comparisons`.
        threshold: a number.
        pos_label: as for `comparisons`.

    Returns:
        A number in [0, 1]; None without compared impostor pairs.

    Raises:
        InvalidInputError: as for `comparisons`; the threshold is no number.

    Source:
        ISO/IEC 19795-1:2021, false match rate.
    """
    return comparisons(truth, scores, pos_label=pos_label).fmr(threshold)


def fnmr(truth: Column, scores: Column, threshold: float, *, pos_label: object = 1) -> float | None:
    """False non-match rate: the share of genuine pairs with a score below the threshold.

    Args:
        truth: as for `comparisons`.
        scores: as for `comparisons`.
        threshold: a number.
        pos_label: as for `comparisons`.

    Returns:
        A number in [0, 1]; None without compared genuine pairs.

    Raises:
        InvalidInputError: as for `comparisons`; the threshold is no number.

    Source:
        ISO/IEC 19795-1:2021, false non-match rate.
    """
    return comparisons(truth, scores, pos_label=pos_label).fnmr(threshold)


def fnmr_at_fmr(truth: Column, scores: Column, target: float, *, pos_label: object = 1) -> AtFmr:
    """The FNMR at the smallest threshold that accepts no more than a share of the impostors.

    Thresholds are the distinct scores, and infinity. The FMR that is reached may be well below the target where scores
    tie: it is told. A target below one impostor of all cannot be measured: then there is a reason, and no number.

    Args:
        truth: as for `comparisons`.
        scores: as for `comparisons`.
        target: the FMR, in [0, 1].
        pos_label: as for `comparisons`.

    Raises:
        InvalidInputError: as for `comparisons`; the target is not in [0, 1].

    Source:
        P. Grother et al., NIST Interagency Report 8271, "FNMR at a threshold that gives FMR".
    """
    return comparisons(truth, scores, pos_label=pos_label).at_fmr(target)


def threshold_at_fmr(truth: Column, scores: Column, target: float, *, pos_label: object = 1) -> float | None:
    """The smallest threshold that accepts no more than a share of the impostors: `fnmr_at_fmr(…).threshold`.

    Args:
        truth: as for `comparisons`.
        scores: as for `comparisons`.
        target: the FMR, in [0, 1].
        pos_label: as for `comparisons`.

    Returns:
        A score, or infinity; None if the target cannot be measured.

    Raises:
        InvalidInputError: as for `fnmr_at_fmr`.
    """
    return comparisons(truth, scores, pos_label=pos_label).at_fmr(target).threshold


def equal_error_rate(truth: Column, scores: Column, *, pos_label: object = 1) -> EqualErrorRate | None:
    """The rate at which FMR and FNMR meet.

    Both are steps: between the two thresholds where they cross, straight lines are drawn, as on the ROC curve.

    Args:
        truth: as for `comparisons`.
        scores: as for `comparisons`.
        pos_label: as for `comparisons`.

    Returns:
        None without genuine pairs, or without impostors.

    Raises:
        InvalidInputError: as for `comparisons`.

    Source:
        ISO/IEC 19795-1, equal error rate; crossing of the polygon of T. Fawcett, Pattern Recognition Letters 27 (2006)
        861, with the line FNMR = FMR.
    """
    return comparisons(truth, scores, pos_label=pos_label).equal_error_rate()


def det_curve(truth: Column, scores: Column, *, pos_label: object = 1) -> DetCurve:
    """FMR and FNMR at each threshold.

    Args:
        truth: as for `comparisons`.
        scores: as for `comparisons`.
        pos_label: as for `comparisons`.

    Raises:
        InvalidInputError: as for `comparisons`.

    Source:
        A. Martin et al., The DET curve in assessment of detection task performance, Eurospeech 1997.
    """
    return comparisons(truth, scores, pos_label=pos_label).det


def failure_to_enrol_rate(failed: Column) -> float | None:
    """Share of images, or of persons, of which the model could make no template.

    Args:
        failed: (n,) whether each failed: booleans, or 0 and 1. Give each image once, however many pairs it stands in.

    Returns:
        A number in [0, 1]; None if there is none.

    Raises:
        InvalidInputError: a value is missing, or there are others.

    Source:
        ISO/IEC 19795-1:2021, failure-to-enrol rate.
    """
    column = binary_of(failed, "failed")
    return float(column.mean()) if len(column) else None


def _below(sorted_scores: np.ndarray, threshold: float) -> int:
    number = number_of(threshold)
    if number is None or number != number:
        raise InvalidInputError(f"the threshold is {threshold!r}; it must be a number")
    return int(sorted_scores.searchsorted(number))
