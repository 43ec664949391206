"""Metrics of 1:N identification: which of the enrolled persons is it?

Each probe is compared with every template of the gallery; a person is as similar as the most similar of their
templates. Closed set: each probe's person is in the gallery. Equal similarities count against the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.coding import codes_of
from localreg.metrics.reading import Column, matrix_of, whole_number_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

__all__ = ["cmc_curve", "identification_ranks", "rank_k_accuracy"]


def identification_ranks(truth: Column, gallery: Column, scores: ArrayLike) -> np.ndarray:
    """The rank of each probe's own person: 1 + the number of other persons who are as similar or more.

    Args:
        truth: (n,) the person of each probe.
        gallery: (g,) the person of each template; several templates of one are fine.
        scores: (n, g) similarities, finite.

    Returns:
        int64 (n,), from 1.

    Raises:
        InvalidInputError: shapes differ, a score is NaN or infinite, or a probe's person is not in the gallery.

    Source:
        ISO/IEC 19795-1:2021, identification rank.
    """
    import numpy as np

    own = codes_of({"truth": truth})
    enrolled = codes_of({"gallery": gallery}, own.labels or None, required=("gallery",))
    persons, asked = enrolled.columns[0], enrolled.asked
    table = matrix_of(scores, "scores", rows=len(own.columns[0]))
    if table.shape[1] != len(persons):
        raise InvalidInputError(f"scores has {table.shape[1]} columns for {len(persons)} templates in gallery")
    if asked is None:  # no probe
        return np.zeros(0, np.int64)
    probes = asked[own.columns[0]]
    there = np.zeros(len(enrolled.labels), bool)
    there[persons] = True
    if not there[probes].all():
        row = int((~there[probes]).argmax())
        raise InvalidInputError(f"truth in row {row} is {enrolled.labels[probes[row]]!r}, who is not in the gallery")
    order = np.argsort(persons, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(persons[order]) > 0))
    best = np.maximum.reduceat(table[:, order], starts, axis=1)
    places = np.cumsum(there) - 1
    mate = best[np.arange(len(probes)), places[probes]]
    return np.asarray((best >= mate[:, None]).sum(axis=1))


def rank_k_accuracy(truth: Column, gallery: Column, scores: ArrayLike, *, k: int = 1) -> float | None:
    """Share of probes whose own person is among the k most similar.

    Args:
        truth: as for `identification_ranks`.
        gallery: as for `identification_ranks`.
        scores: as for `identification_ranks`.
        k: from 1.

    Returns:
        A number in [0, 1]; None if there is no probe.

    Raises:
        InvalidInputError: as for `identification_ranks`; k is no whole number from 1.
    """
    k = whole_number_of(k, "k")
    ranks = identification_ranks(truth, gallery, scores)
    return float((ranks <= k).mean()) if len(ranks) else None


def cmc_curve(truth: Column, gallery: Column, scores: ArrayLike) -> np.ndarray | None:
    """Cumulative match characteristic: `rank_k_accuracy` for k = 1, 2, … up to the number of persons.

    Args:
        truth: as for `identification_ranks`.
        gallery: as for `identification_ranks`.
        scores: as for `identification_ranks`.

    Returns:
        float64 (persons,), rising to 1; None if there is no probe.

    Raises:
        InvalidInputError: as for `identification_ranks`.

    Source:
        ISO/IEC 19795-1:2021, cumulative match characteristic.
    """
    import numpy as np

    ranks = identification_ranks(truth, gallery, scores)
    if not len(ranks):
        return None
    persons = len(codes_of({"gallery": gallery}, required=("gallery",)).labels)
    return np.asarray(np.cumsum(np.bincount(ranks - 1, minlength=persons)) / len(ranks))
