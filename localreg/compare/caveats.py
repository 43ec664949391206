"""What should be known before the numbers are believed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from localreg.compare.clusters import Clusters
from localreg.compare.compared import Side
from localreg.compare.coverage import Coverage
from localreg.compare.rows import MetricRow
from localreg.compare.task import Pair, Task
from localreg.names import amount
from localreg.records.determinism import is_as_good
from localreg.statistics.counting import FEW_CLUSTERS

__all__ = ["FEW", "LeftOut", "about_samples", "caveats"]


class LeftOut(NamedTuple):
    """What was not compared, though it is there.

    Attributes:
        truth_is: what a ground truth needs.
        unlabelled: how many rows of the suite lack that.
        silent: how many inferences of each model lack it.
        twice: how many samples have two different ground truths.
        said_is: what an inference needs.
        strictly: what is made of samples without one, if that is asked for.
    """

    truth_is: str
    unlabelled: int
    silent: Sequence[int]
    twice: int
    said_is: str
    strictly: str

    @classmethod
    def of(cls, task: Task, pair: Pair, silent: Sequence[int]) -> LeftOut:
        """As a task and any of its pairs say it, beside how many inferences of each model are silent."""
        return cls(task.truth_is, pair.unlabelled, silent, task.twice(), task.said_is, task.strictly)


FEW = 30
"""Fewer pairs than that carry no interval that deserves its name."""


def caveats(
    sides: Sequence[Side],
    rows: Sequence[MetricRow],
    left_out: LeftOut,
    *,
    strict: bool,
    clusters: Clusters | None,
    empty: Sequence[str],
    remarks: Iterable[str],
) -> list[str]:
    """One line each.

    Args:
        sides: the models.
        rows: of the comparison.
        strict: whether samples without an inference were counted as wrong.
        left_out: what was not compared, though it is there.
        clusters: of samples; None = each for itself.
        empty: expressions of slices that have no value for any sample.
        remarks: of the pairs, with the names of the models; some may be there twice.
    """
    found = about_samples([(side.name, side.coverage) for side in sides], left_out, strict, clusters, empty)
    for side in sides:
        if side.changed_files:
            changed = amount(side.changed_files, "sample")
            found.append(f"the local files of {changed} changed between {sides[0].name} and {side.name}")
        verdict = side.determinism
        if verdict is not None and not is_as_good(verdict.level, "decision-stable"):
            found.append(f"{side.name} is {verdict.level} ({verdict.broken_by}): some of this may come from chance")
    unknown = [side.name for side in sides if side.determinism is None]
    if 0 < len(unknown) < len(sides):  # if nobody was asked, `determinism` says it, and not each comparison
        found.append(f"not verified to be deterministic: {', '.join(unknown)}")
    return [*found, *dict.fromkeys(remarks), *_small(rows, sides[1].paired or 0), *_reversals(rows)]


def about_samples(
    models: Sequence[tuple[str, Coverage]],
    left_out: LeftOut,
    strict: bool,
    clusters: Clusters | None,
    empty: Sequence[str],
) -> list[str]:
    """What should be known of the samples, whatever is measured: gaps, what is left out, clusters; one line each.

    Args:
        models: names, and what became of the suite under each.
        left_out: as of `caveats`.
        strict: as of `caveats`.
        clusters: as of `caveats`.
        empty: as of `caveats`.
    """
    treated = left_out.strictly if strict else "left out"
    found = [*_gaps(models, treated)]
    found += [
        f"{each} has no value for any sample, so there are no slices by it; look at its spelling" for each in empty
    ]
    if clusters is not None and clusters.empty:
        found.append(f"{clusters.by} has no value for any sample, so each counts for itself; look at its spelling")
    if left_out.unlabelled:
        unlabelled = amount(left_out.unlabelled, "sample")
        found.append(f"{unlabelled} without {left_out.truth_is} in the ground truth: left out")
    for (name, _), count in zip(models, left_out.silent, strict=True):
        if count:
            found.append(f"of {name}, {amount(count, 'inference')} without {left_out.said_is}: {treated}")
    if left_out.twice:
        found.append(
            f"{amount(left_out.twice, 'sample')} with different ground truths in two test cases: counted once for each"
        )
    if clusters is not None and clusters.count < FEW_CLUSTERS:
        found.append(f"only {amount(clusters.count, 'cluster')} by {clusters.by}: intervals may be too narrow")
    return found


def _gaps(models: Sequence[tuple[str, Coverage]], treated: str) -> Iterator[str]:
    for model, coverage in models:
        gaps = [(name, getattr(coverage, name)) for name in ("skipped", "error", "missing")]
        told = ", ".join(f"{count:,} {name}" for name, count in gaps if count)
        if told:
            yield f"of {model}, {told}: {treated}"


def _small(rows: Sequence[MetricRow], paired: int) -> Iterator[str]:
    if paired < FEW:
        yield f"only {amount(paired, 'sample')} paired: intervals are rough, and nothing small can be seen"
    parts = {(row.test_case, row.by, row.slice) for row in rows if 0 < row.n < FEW and row.label is None} - {
        (None, None, None)
    }
    if parts and paired >= FEW:
        yield f"{len(parts):,} of the test cases and slices have fewer than {FEW} pairs: take them for hints"


def _reversals(rows: Sequence[MetricRow]) -> Iterator[str]:
    """Simpson's paradox: the whole says one thing, and each of its parts the other."""
    whole = {(row.candidate, row.metric): row for row in rows if row.test_case is row.by is row.label is None}
    parts: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.label is None and row.difference is not None and not (row.test_case is row.by is None):
            parts[row.candidate, row.metric, row.by or "test case"].append(row.difference)
    for (candidate, metric, by), differences in parts.items():
        of_all = whole.get((candidate, metric))  # an evaluator may say something of test cases alone
        total = None if of_all is None else of_all.difference
        if total and len(differences) > 1 and all(each * total < 0 for each in differences):
            better = "higher" if total > 0 else "lower"
            yield (
                f"{metric} of {candidate} is {better} over all, and the other way round in each {by}: the mix of "
                "samples decides (Simpson's paradox)"
            )
