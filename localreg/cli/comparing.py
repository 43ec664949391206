"""Is the new model better? `compare`, with a gate for scripts, and `comparisons`: those that were saved."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion
from localreg.cli.asking import (
    Bettered,
    Bins,
    By,
    Configuration,
    EvaluatorName,
    Fmr,
    GroupBy,
    Iou,
    IouKind,
    Positive,
    Reference,
    ScoreOf,
    ScoreThreshold,
    Strict,
    Suite,
    asked,
)
from localreg.cli.listing import AllNamespaces, Columns, Limit, OrderBy, Search, Where, shown
from localreg.cli.output import Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from localreg.compare import Comparison, GateFile, GateResult
    from localreg.compare.saved import SavedComparison
    from localreg.query import Result
    from localreg.registry import Registry

__all__ = ["app", "comparisons"]

USUAL = ("name", "baseline", "candidates", "test_suite", "samples", "difference", "p", "verdict", "commit")

app = typer.Typer(rich_markup_mode=None)


class Outcomes(StrEnum):
    """What can become of a sample; as `localreg.compare.Outcome`."""

    FIXED = "fixed"
    BROKEN = "broken"
    BOTH_RIGHT = "both_right"
    BOTH_WRONG = "both_wrong"
    OTHER = "other"


class Adjusting(StrEnum):
    """How p-values are adjusted; as `localreg.compare.verdicts.Adjust`."""

    HOLM = "holm"
    BH = "bh"
    NONE = "none"


comparisons = new_group("Comparisons that were saved.", epilog=examples("localreg comparisons list"))


@comparisons.command("list", epilog=examples("localreg comparisons list --where \"verdict = 'regressed'\""))
@reading()
def list_comparisons(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
    all_namespaces: AllNamespaces = False,
) -> Listing:
    """List the comparisons that were saved."""
    asked = registry.all() if all_namespaces else registry
    usual = ("namespace", *USUAL) if all_namespaces else USUAL
    return shown(asked.comparisons(where, search=search, order_by=order_by, limit=limit), columns, usual)


Name = Annotated[str, typer.Argument(metavar="NAME", help="Under which it was saved.")]


@comparisons.command("show", epilog=examples("localreg comparisons show 'release 5'"))
@reading()
def show_comparison(registry: "Registry", name: Name) -> "Saved":
    """Show a saved comparison as it was printed then.

    csv holds the metrics; json holds everything.
    """
    return Saved(registry.get_comparison(name))


@comparisons.command("delete", epilog=examples("localreg comparisons delete 'release 5'"))
@writing
def delete_comparison(registry: "Registry", name: Name) -> str:
    """Delete a saved comparison."""
    registry.get_comparison(name).delete()
    return f"deleted comparison {name!r}"


@app.command(
    "compare",
    epilog=examples(
        "localreg compare meadow-4 meadow-5 --suite plates",
        "localreg compare meadow-5@1 meadow-5@production --suite plates --broken",
        "localreg compare meadow-4 meadow-5 --suite plates --gate gate.yaml --markdown report.md",
    ),
)
@reading(writes="save")
def compare(
    registry: "Registry",
    baseline: Annotated[str, typer.Argument(metavar="BASELINE", help=Reference, autocompletion=completion.models)],
    candidates: Annotated[
        list[str], typer.Argument(metavar="CANDIDATE…", help="Those that might be better: likewise.")
    ],
    suite: Suite,
    by: By = None,
    bins: Bins = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one; the first decides. Repeatable.")
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of the intervals and the verdict; else 0.95.")
    ] = None,
    adjust: Annotated[
        Adjusting | None, typer.Option(help="How p-values of one question, asked often, are adjusted; else holm.")
    ] = None,
    strict: Strict = False,
    fixed: Annotated[
        bool, typer.Option("--fixed", help="List the samples that only the candidate gets right.")
    ] = False,
    broken: Annotated[
        bool, typer.Option("--broken", help="List the samples that only the baseline gets right.")
    ] = False,
    outcome: Annotated[
        list[Outcomes] | None, typer.Option(help="List the samples of which this became. Repeatable.")
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(metavar="N", help="List the N samples whose error grew most, where numbers are compared."),
    ] = None,
    group_by: GroupBy = None,
    evaluator: EvaluatorName = None,
    configuration: Configuration = None,
    better: Bettered = None,
    positive: Positive = None,
    score_of: ScoreOf = None,
    score_threshold: ScoreThreshold = None,
    iou: Iou = None,
    iou_type: IouKind = None,
    fmr: Fmr = None,
    bootstrap: Annotated[
        int | None, typer.Option(metavar="DRAWS", help="Make intervals by drawing samples again so many times.")
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Who counts labels: processes, processes:8 or dask://host:8786."),
    ] = None,
    gate: Annotated[
        str | None, typer.Option(metavar="FILE", help="Hold the candidates against the rules of a gate file (YAML).")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a report for a pull request, too.")
    ] = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a report with plots and samples as one page, too.")
    ] = None,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep what was found in the registry, too, under this name.")
    ] = None,
) -> "Compared":
    """Say whether the candidate is better than the baseline.

    All are compared with the baseline on one test suite, sample by sample, as their inferences stand in the registry.
    What is said here goes before what the gate file says of how to compare.

    csv holds the metrics, or the listed samples in their stead; json holds everything. Exit code 1 if a candidate does
    not pass the gate: every reason is told.
    """
    said = asked(
        by=by,
        bins=bins,
        confidence=confidence,
        adjust=adjust,
        strict=strict,
        group_by=group_by,
        evaluator=evaluator,
        configuration=configuration,
        better=better,
        positive=positive,
        score_of=score_of,
        score_threshold=score_threshold,
        iou=iou,
        iou_type=iou_type,
        fmr=fmr,
        bootstrap=bootstrap,
        executor=executor,
    )
    made = partial(registry.compare, baseline, *candidates, suite=suite)
    comparison, held = _compared(made, said, metric or [], None if gate is None else _rules(gate))
    listed = dict.fromkeys([*(["fixed"] if fixed else []), *(["broken"] if broken else []), *(outcome or [])])
    told = Compared(comparison, [str(each) for each in listed], held, worst)
    told.check()
    if save is not None:
        comparison.save(save)
    if markdown is not None:
        comparison.to_markdown(markdown)
    if html is not None:
        comparison.to_html(html)
    return told


@app.command(
    "leaderboard",
    epilog=examples("localreg leaderboard meadow-4 meadow-5@1 meadow-5@2 --suite plates --suite glare"),
)
@reading()
def leaderboard(
    registry: "Registry",
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL…", help="Models or versions, each as in localreg compare.")
    ],
    suite: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Name of a test suite. Repeatable.", autocompletion=completion.suites),
    ],
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="By which they are ranked; else the usual first one.")
    ] = None,
    lenient: Annotated[
        bool,
        typer.Option("--lenient", help="Leave out a sample without an inference, instead of counting it as wrong."),
    ] = False,
    fmr: Fmr = None,
) -> Rows:
    """Rank models on test suites, best first.

    Beside each model stands how it differs from the leader of that suite: regressed = it is behind, inconclusive = that
    may be luck.
    """
    return Rows.of(registry.leaderboard(*models, suites=suite, metric=metric, strict=not lenient, fmr=fmr))


def _compared(
    compare: Callable[..., "Comparison"], said: dict[str, Any], metrics: Sequence[str], rules: "GateFile | None"
) -> tuple["Comparison", "GateResult | None"]:
    """Compare, and hold against a gate; what is said on the command line goes before what the gate file says."""
    from localreg.cli.wording import for_shell

    if metrics:
        said["metrics"] = [*metrics, *(() if rules is None else rules.metrics)]
    if rules is None:
        return compare(**said), None
    made = partial(compare, **{**rules.asked(), **said})
    comparison = made()
    try:
        comparison = _with_metrics_of(rules, comparison, made)
        held = comparison.gate(rules.metrics, critical=rules.critical, require_improvement=rules.require_improvement)
    except (InvalidInputError, NotFoundError) as error:
        raise typer.BadParameter(for_shell(str(error)), param_hint="--gate") from error
    return comparison, held


def _rules(path: str) -> "GateFile":
    from localreg.cli.wording import for_shell
    from localreg.compare import read_gate

    try:
        return read_gate(path)
    except (InvalidInputError, NotFoundError) as error:
        raise typer.BadParameter(for_shell(str(error)), param_hint="--gate") from error


def _with_metrics_of(rules: "GateFile", comparison: "Comparison", again: "Callable[..., Comparison]") -> "Comparison":
    """The comparison, made again if the rules speak of metrics that are not among the usual ones."""
    there = dict.fromkeys(row.metric for row in comparison.rows)
    missing = [name for name in rules.metrics if name not in there]
    return again(metrics=[*there, *missing]) if missing else comparison


@dataclass(frozen=True)
class Saved:
    """A comparison that was saved."""

    comparison: "SavedComparison"
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """As it was printed."""
        yield str(self.comparison)

    def json(self) -> dict[str, object]:
        """All of it."""
        return {**self.comparison.to_dict()}

    def csv(self) -> Rows:
        """The metrics."""
        return Rows.of(self.comparison.metrics)


@dataclass(frozen=True)
class Compared:
    """A comparison, which samples of it to list, and whether it passes."""

    comparison: "Comparison"
    outcomes: Sequence[str]
    gate: "GateResult | None" = None
    worst: int | None = None

    def check(self) -> None:
        """Whether there can be samples of the outcomes that are asked for."""
        if self.outcomes and not any(row.fixed is not None for row in self.comparison.rows):
            other = "; --worst 10 lists those whose error grew most" if self.comparison.task == "regression" else ""
            raise typer.BadParameter(
                f"nothing is right or wrong in a comparison of {self.comparison.task}, and so no sample is "
                f"{self.outcomes[0].replace('_', ' ')}{other}",
                param_hint=f"--{self.outcomes[0]}" if self.outcomes[0] in ("fixed", "broken") else "--outcome",
            )
        if self.worst is not None:
            self._worst(self.worst)

    @property
    def ok(self) -> bool:
        """There is no gate, or it is passed."""
        return self.gate is None or self.gate.passed

    def lines(self) -> Iterator[str]:
        """The summary; test cases and slices; the samples that were asked for; what the gate says."""
        from localreg.cli.wording import for_shell

        yield for_shell(str(self.comparison))
        of_parts = self._parts()
        if of_parts.rows:
            yield from ["", *of_parts.lines()]
        for outcome in self.outcomes:
            yield from ["", f"{outcome.replace('_', ' ')}:", *self._samples(outcome).lines()]
        if self.worst is not None:
            yield from ["", "worst:", *self._worst(self.worst).lines()]
        if self.gate is not None:
            yield from ["", for_shell(str(self.gate))]

    def json(self) -> dict[str, object]:
        """The comparison, the samples of each outcome that is listed (else fixed and broken), and the gate."""
        outcomes = self.outcomes or ("fixed", "broken")
        listed = {outcome: self._samples(outcome).json() for outcome in outcomes}
        worst = {} if self.worst is None else {"worst": self._worst(self.worst).json()}
        gate = {} if self.gate is None else {"gate": self.gate.to_dict()}
        return {**self.comparison.to_dict(), **listed, **worst, **gate}

    def csv(self) -> Rows:
        """One table: the metrics, or the samples."""
        if len(self.outcomes) + (self.worst is not None) > 1:
            raise typer.BadParameter("csv is one table: list one outcome", param_hint="--format")
        if self.worst is not None:
            return self._worst(self.worst)
        return self._samples(self.outcomes[0]) if self.outcomes else Rows.of(self.comparison.metrics)

    def _parts(self) -> Rows:
        from localreg.compare.telling import parts

        names = [
            "metric",
            "test_case",
            "by",
            "slice",
            "candidate",
            "n",
            "a",
            "b",
            "difference",
            "p_adjusted",
            "verdict",
        ]
        rows = parts(self.comparison.rows)
        names = [name for name in names if any(getattr(row, name) is not None for row in rows)]
        return Rows(names, [[getattr(row, name) for name in names] for row in rows])

    def _samples(self, outcome: Any) -> Rows:
        return self._of_candidates(lambda each: self.comparison.samples(outcome, candidate=each))

    def _worst(self, n: int) -> Rows:
        return self._of_candidates(lambda each: self.comparison.worst(n, candidate=each))

    def _of_candidates(self, listed: "Callable[[str], Result]") -> Rows:
        """Of all candidates; whose they are is told if there are several."""
        candidates = self.comparison.candidates
        tables = [Rows.of(listed(each)) for each in candidates]
        if len(candidates) == 1:
            return tables[0]
        rows = [[name, *row] for name, table in zip(candidates, tables, strict=True) for row in table.rows]
        return Rows(["candidate", *tables[0].columns], rows)
