"""FNMR at an FMR, and the equal error rate, of two models on the same pairs: how sure the difference is.

Both are functions of all scores: each model's threshold comes from the impostors, or from where its two rates meet, and
would have been another one on other pairs. That is counted by drawing pairs again (genuine pairs and impostors each for
themselves, since who makes a suite says how many there are of each; with clusters whole clusters), and setting the
thresholds anew in each draw. Standard errors come from the draws, intervals and p-values are normal, or Student's with
(clusters - 1) degrees of freedom; so a few hundred draws will do, where percentiles need thousands.

A draw does not look at each pair. Only scores near the thresholds can change anything: all others are one cell for
each side that they are on, for both models at once, and how often a cell was drawn is one number (multinomial, so that
this is exactly a draw of the pairs). Should a threshold land among those that were put together, which takes luck
beyond six standard errors, all is drawn again with more scores kept apart.

Coverage is measured in `tests/simulations/verification.py`: of the intervals of 95 % for FNMR at an FMR, 93.8 to 98 %
hold the true difference (100 % where there is about one error), of those for the equal error rate 93.5 to 96 %, also
where one impostor sets the threshold, scores tie, tails are heavy, or identities come with many pairs each.

Sources:
    B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), sections 6.4 and 8.4; for verification
    R. Bolle, N. Ratha and S. Pankanti, Error analysis of pattern recognition systems: the subsets bootstrap,
    Computer Vision and Image Understanding 93 (2004) 1, which draws identities instead of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import hypot, inf, sqrt
from typing import TYPE_CHECKING, NamedTuple

from localreg.statistics.counting import FEW_CLUSTERS
from localreg.statistics.distributions import t_quantile, t_sf
from localreg.statistics.estimate import Estimate, with_itself
from localreg.statistics.paired import seed_of
from localreg.statistics.proportions import wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["DRAWN_METRICS", "DRAWS", "FEW_ABOVE", "PairScores", "told_of_draws"]

DRAWN_METRICS = ("fnmr_at_fmr", "fmr_at_fmr", "equal_error_rate")
"""What draws are made of; `fmr_at_fmr` is the FMR of some pairs at the threshold that others have set."""
DRAWS = 500
FEW_ABOVE = 20
"""Impostors that may be accepted at the target FMR; with fewer the threshold is one of the highest scores, and what it
accepts elsewhere may be far from the target: it is told how few there are."""
DEFINED = 0.9
"""Share of the draws that must give a value."""
WIDE = 6.0
"""Standard errors around a threshold within which scores are kept apart at first."""
ALL_APART = 4_096
"""Pairs up to which all scores are kept apart."""
ROUNDING = 1e-12

GENUINE, IMPOSTOR, OTHER_BASE = range(3)
"""What is drawn for itself: of a unit its genuine pairs, its impostors, and impostors elsewhere that set thresholds."""


class PairScores:
    """Pairs that two models compared.

    Args:
        genuine: (n,), does a pair show one person.
        a: (n,), scores of the first model, no NaN; -infinity is below any.
        b: (n,), scores of the second.
        base: (n,), pairs whose impostors set thresholds, which are scores of these pairs; None = all.
        groups: int (n,), clusters; None = each pair for itself.
    """

    def __init__(
        self, genuine: Bools, a: Floats, b: Floats, *, base: Bools | None = None, groups: Ints | None = None
    ) -> None:
        import numpy as np

        self._genuine = genuine
        base = np.ones(len(genuine), bool) if base is None else base
        self._base = base & ~genuine
        self._groups = groups
        self._codes = [np.unique(each, return_inverse=True)[1] for each in (a, b)]
        self._may_be = [np.bincount(codes, base) > 0 for codes in self._codes]

    def drawn(self, unit: Bools, metrics: Sequence[str], *, target: float, draws: int = DRAWS) -> Floats:
        """(draws, 2, metrics): of both models on pairs of a unit drawn again; NaN = undefined.

        Args:
            unit: (n,), which pairs.
            metrics: of `DRAWN_METRICS`.
            target: the FMR.
            draws: how many.
        """
        wide = WIDE if int(unit.sum()) > ALL_APART else inf
        while True:
            cells = self._cells(unit, metrics, target, wide)
            found = _drawn(cells, metrics, target, draws)
            if found is not None:
                return found
            wide = wide * WIDE if wide < WIDE**4 else inf

    def units(self, unit: Bools) -> int | None:
        """How many clusters are drawn for a unit; None = pairs are."""
        import numpy as np

        return None if self._groups is None else len(np.unique(self._groups[unit | self._base]))

    def _cells(self, unit: Bools, metrics: Sequence[str], target: float, wide: float) -> _Cells:
        """Pairs that no draw needs to tell apart, counted."""
        import numpy as np

        needs_base = any(metric.endswith("at_fmr") for metric in metrics)
        rows = np.flatnonzero(unit | self._base if needs_base else unit)
        kind = np.where(self._genuine[rows], GENUINE, np.where(unit[rows], IMPOSTOR, OTHER_BASE))
        base = self._base[rows] & needs_base
        blocks = [
            _blocks(codes[rows], may_be, kind, base, metrics, target, wide)
            for codes, may_be in zip(self._codes, self._may_be, strict=True)
        ]
        apart = blocks[0].single[blocks[0].of_rows] | blocks[1].single[blocks[1].of_rows]
        together = np.flatnonzero(~apart)
        sides = [np.cumsum(~each.single)[each.of_rows[together]] for each in blocks]
        key = ((kind[together] * 2 + base[together]) * 16 + sides[0]) * 16 + sides[1]
        # 16 bits are sorted in one pass.
        key = key.astype(np.int16) if self._groups is None else self._groups[rows][together] * 4_096 + key
        _, first, count = np.unique(key, return_index=True, return_counts=True)
        chosen = np.concatenate([np.flatnonzero(apart), together[first]])
        counts = np.concatenate([np.ones(int(apart.sum())), count.astype(np.float64)])
        order = np.argsort(chosen)  # the same whichever model comes first
        chosen, counts = chosen[order], counts[order]
        groups = None if self._groups is None else np.unique(self._groups[rows], return_inverse=True)[1][chosen]
        return _Cells(
            kind[chosen],
            base[chosen],
            [each.of_rows[chosen] for each in blocks],
            blocks,
            counts,
            groups,
            seed_of(kind, base),
        )


class _Blocks(NamedTuple):
    """Scores that are kept apart, or put together with their neighbours.

    Attributes:
        of_rows: the number of each row's block, rising with the score.
        single: whether a block is of one score.
        may_be: of each block, and above all, the next one whose lowest score may be a threshold: itself, mostly.
    """

    of_rows: Ints
    single: Bools
    may_be: Ints


class _Cells(NamedTuple):
    """Pairs, counted; all but `scores` and `seed` by cell.

    Attributes:
        kind: `GENUINE`, `IMPOSTOR` or `OTHER_BASE`.
        base: whether they set thresholds.
        blocks: of both models, in which block of scores they are.
        scores: those blocks.
        pairs: how many there are in each.
        groups: their cluster, numbered without gaps; None = there are none.
        seed: of the draws.
    """

    kind: Ints
    base: Bools
    blocks: list[Ints]
    scores: list[_Blocks]
    pairs: Floats
    groups: Ints | None
    seed: int


def _blocks(
    codes: Ints, may_be: Bools, kind: Ints, base: Bools, metrics: Sequence[str], target: float, wide: float
) -> _Blocks:
    import numpy as np

    size = len(may_be)
    kept = np.zeros(size, bool)
    if wide == inf:
        kept[:] = True
    else:
        counts = [np.bincount(codes[each], minlength=size) for each in (kind == GENUINE, kind == IMPOSTOR, base)]
        if any(metric.endswith("at_fmr") for metric in metrics):
            above = np.append(np.cumsum(counts[2][::-1])[::-1], 0)
            allowed = target * above[0]
            reach = wide * sqrt(allowed + 1)
            kept |= (above[:-1] >= allowed - reach) & (above[1:] <= allowed + reach)
        if "equal_error_rate" in metrics:
            kept |= _near_crossing(counts[0], counts[1], wide)
    begins = kept.copy()
    begins[1:] |= kept[:-1]
    begins[:1] = True
    block = np.cumsum(begins) - 1
    single = np.bincount(block, minlength=int(begins.sum())) == 1
    firsts = np.append(np.where(may_be[begins], np.arange(len(single)), len(single)), len(single))
    return _Blocks(block[codes], single, np.minimum.accumulate(firsts[::-1])[::-1])


def _near_crossing(genuine: Ints, impostors: Ints, wide: float) -> Bools:
    import numpy as np

    totals = int(genuine.sum()), int(impostors.sum())
    if not all(totals):
        return np.zeros(len(genuine), bool)
    missed, accepted = _rates(genuine, impostors)
    place = int((accepted <= missed).argmax())
    rate = max(accepted[place - 1], missed[place]) + 1 / min(totals)
    reach = wide * sqrt(rate / totals[0] + rate / totals[1])
    gap = accepted - missed
    return np.asarray((gap[:-1] >= -reach) & (gap[1:] <= reach))


def _rates(genuine: Ints | Floats, impostors: Ints | Floats) -> tuple[Floats, Floats]:
    """FNMR and FMR with each block as threshold, and above all; NaN where there are no such pairs."""
    import numpy as np

    missed = np.concatenate([[0.0], np.cumsum(genuine)])
    accepted = np.concatenate([np.cumsum(impostors[::-1])[::-1], [0.0]])
    with np.errstate(invalid="ignore"):
        return missed / missed[-1], accepted / accepted[0]


def _drawn(cells: _Cells, metrics: Sequence[str], target: float, draws: int) -> Floats | None:
    """None = a threshold landed among scores that are not kept apart."""
    import numpy as np

    rows = [np.flatnonzero(each) for each in (cells.kind == GENUINE, cells.kind == IMPOSTOR, cells.base)]
    places = [[blocks[each] for each in rows] for blocks in cells.blocks]
    found = np.empty((draws, 2, len(metrics)))
    weigh = _Weighing(cells)
    for draw in range(draws):
        weights = weigh.draw(np.random.default_rng([cells.seed, draw]))
        own = [weights[each] for each in rows]
        for model, scores in enumerate(cells.scores):
            counts = [
                np.bincount(each, weight, minlength=len(scores.single))
                for each, weight in zip(places[model], own, strict=True)
            ]
            values = _values(counts, scores, metrics, target)
            if values is None:
                return None
            found[draw, model] = values
    return found


class _Weighing:
    """How often each cell's pairs are drawn."""

    def __init__(self, cells: _Cells) -> None:
        import numpy as np

        self._cells = cells
        self._clusters = None if cells.groups is None else int(cells.groups.max(initial=-1)) + 1
        self._strata = []
        for kind in (GENUINE, IMPOSTOR, OTHER_BASE):
            own = np.flatnonzero(cells.kind == kind)
            alone, many = own[cells.pairs[own] == 1], own[cells.pairs[own] > 1]
            if len(own):
                self._strata.append((alone, many, np.array([len(alone), *cells.pairs[many].tolist()])))

    def draw(self, generator: np.random.Generator) -> Floats:
        """Of each cell."""
        import numpy as np

        cells, clusters = self._cells, self._clusters
        if clusters is not None and cells.groups is not None:
            times = np.bincount(generator.integers(0, clusters, clusters), minlength=clusters)
            return np.asarray(times[cells.groups] * cells.pairs)
        weights = np.zeros(len(cells.pairs))
        for alone, many, sizes in self._strata:
            drawn = generator.multinomial(int(sizes.sum()), sizes / sizes.sum())
            weights[many] = drawn[1:]
            if len(alone):
                chosen = generator.integers(0, len(alone), int(drawn[0]))
                weights[alone] = np.bincount(chosen, minlength=len(alone))
        return weights


def _values(
    counts: Sequence[Ints | Floats], scores: _Blocks, metrics: Sequence[str], target: float
) -> list[float] | None:
    """Of one model in one draw; None = a threshold is among scores that are not kept apart."""
    genuine, impostors, base = counts
    single = scores.single
    missed, accepted = _rates(genuine, impostors)
    values: dict[str, float] = {}
    if any(metric.endswith("at_fmr") for metric in metrics):
        _, reached = _rates(genuine, base)
        if reached[0] != reached[0]:
            return [float("nan")] * len(metrics)
        allowed = int((reached <= target).argmax())
        place = int(scores.may_be[allowed])
        if not single[max(0, allowed - 1) : place].all():
            return None
        values |= {"fnmr_at_fmr": float(missed[place]), "fmr_at_fmr": float(accepted[place])}
    if "equal_error_rate" in metrics:
        gap = accepted - missed
        place = int((gap <= 0).argmax())
        if gap[0] != gap[0] or gap[-1] != gap[-1]:
            values["equal_error_rate"] = float("nan")
        elif not single[place - 1]:
            return None
        else:
            share = gap[place - 1] / (gap[place - 1] - gap[place])
            rate = accepted[place - 1] + share * (accepted[place] - accepted[place - 1])
            values["equal_error_rate"] = float(rate)
    return [values[metric] for metric in metrics]


# --- what is told -----------------------------------------------------------------------------------------------------


def told_of_draws(
    metric: str,
    values: tuple[float | None, float | None],
    drawn: Floats,
    *,
    n: int,
    trials: int | None = None,
    clusters: int | None = None,
    caution: str | None = None,
    confidence: float = 0.95,
    itself: bool = False,
) -> Estimate:
    """A rate of two models, with the interval of the difference.

    Errors are rare, and draws know only those that were seen. So half a pair that only the one model gets wrong, and
    half a pair that only the other does, is added to the variance of the difference.

    Args:
        metric: its name.
        values: of both models on the pairs as they are, defined.
        drawn: (draws, 2), of both on pairs drawn again; NaN = undefined.
        n: pairs that it is made of.
        trials: pairs that may be errors; None = nothing is added for those that were not seen.
        clusters: how many were drawn; None = pairs were.
        caution: what to beware of.
        confidence: of the interval.
        itself: both are one model, so that the difference is 0 for sure.

    Source:
        A. Agresti and Y. Min, Statistics in Medicine 24 (2005) 729: 0.5 added to each cell of matched pairs. Of values
        see `_ends`.
    """
    import numpy as np

    a, b = values
    if a is None or b is None:
        return Estimate(metric, None, a, b, None, None, None, None, n, reason=caution)
    bare = Estimate(metric, None, a, b, b - a, None, None, None, n)
    if clusters is not None and clusters < 2:
        return _because(bare, "all pairs are of one cluster")
    known = drawn[~np.isnan(drawn).any(axis=1)]
    if len(known) < DEFINED * len(drawn):
        return _because(bare, f"undefined in {len(drawn) - len(known)} of {len(drawn)} draws: there are too few pairs")
    widened = 1.0 if clusters is None else sqrt(clusters / (clusters - 1))
    df = inf if clusters is None else clusters - 1
    columns = known[:, 0], known[:, 1], known[:, 1] - known[:, 0]
    errors = [float(each.std(ddof=1)) * widened for each in columns]
    if trials is not None and clusters is None:
        errors[2] = hypot(errors[2], 1 / trials)
    quantile = t_quantile((1 + confidence) / 2, df)
    shares = trials if clusters is None else None
    of_a, of_b = (_ends(value, own, shares, quantile) for value, own in ((a, errors[0]), (b, errors[1])))
    bare = replace(bare, a_low=of_a[0], a_high=of_a[1], b_low=of_b[0], b_high=of_b[1])
    if itself:
        alike = None if bare.a_low is not None else "in all draws it is the same: how far it may vary cannot be told"
        return with_itself(replace(bare, reason=caution or alike))
    if errors[2] < ROUNDING:
        if abs(b - a) > ROUNDING:
            return _because(bare, "all draws tell the same difference: how far it may vary cannot be told")
        equal = "in no draw do the models differ in it: how far they may cannot be told"
        return replace(bare, p=1.0, standard_error=0.0, reason=caution or equal)
    few = None if clusters is None or clusters >= FEW_CLUSTERS else f"there are {clusters} clusters only"
    reason = "; ".join(each for each in (caution, few) if each) or None
    reach, p = quantile * errors[2], min(1.0, 2 * t_sf(abs(b - a) / errors[2], df))
    low, high = max(-1.0, b - a - reach), min(1.0, b - a + reach)
    return replace(bare, low=low, high=high, p=p, standard_error=errors[2], reason=reason)


def _ends(value: float, error: float, trials: int | None, quantile: float) -> tuple[float | None, float | None]:
    """Of a value by itself; None = the draws cannot tell.

    A share of independent pairs has Wilson's interval, of as many pairs as its error in the draws, where thresholds are
    drawn, too, is worth; so rare errors have an upper bound, and none of 0 which nothing was seen to say.

    Source:
        E. Korn and B. Graubard, Survey Methodology 24 (1998) 193: effective sample sizes of rare shares.
    """
    import numpy as np

    if trials is None:
        return (
            (None, None)
            if error < ROUNDING
            else (max(0.0, value - quantile * error), min(1.0, value + quantile * error))
        )
    likely = (value * trials + 0.5) / (trials + 1)  # an error that was not seen counts, too
    worth = float(trials)
    if error >= ROUNDING:
        worth = min(worth, max(1.0, likely * (1 - likely) / error**2))
    low, high = wilson_interval(np.array(value * worth), np.array(worth), quantile)
    return float(low), float(high)


def _because(bare: Estimate, reason: str) -> Estimate:
    return replace(bare, reason=reason)
