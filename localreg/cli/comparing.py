"""Is the new model better? `compare`, with a gate for scripts, and `comparisons`: those that were saved."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    Draws,
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
from localreg.cli.listing import AllNamespaces, Columns, Limit, OrderBy, Search, Where, one_or_all, shown
from localreg.cli.output import Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import amount

if TYPE_CHECKING:
    from localreg.compare import Comparison, GateFile, GateResult
    from localreg.query import Result
    from localreg.registry import Registry

__all__ = ["app", "comparisons"]

USUAL = ("name", "baseline", "candidates", "test_suite", "samples", "difference", "p", "verdict", "commit")

app = typer.Typer(rich_markup_mode=None)

GatePath = Annotated[
    str | None, typer.Option(metavar="FILE", help="Hold the candidates against the rules of a gate file (YAML).")
]
MarkdownPath = Annotated[str | None, typer.Option(metavar="FILE", help="Write a report for a pull request, too.")]
HtmlPath = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write a report with plots and samples as one page, too.")
]


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
    place = one_or_all(registry, all_namespaces)
    usual = ("namespace", *USUAL) if all_namespaces else USUAL
    return shown(place.comparisons(where, search=search, order_by=order_by, limit=limit), columns, usual)


Name = Annotated[str, typer.Argument(metavar="NAME", help="Under which it was saved.")]


@comparisons.command(
    "show",
    epilog=examples(
        "localreg comparisons show 'release 5'",
        "localreg comparisons show 'release 5' --gate gate.yaml --html report.html",
    ),
)
@reading()
def show_comparison(
    registry: "Registry", name: Name, gate: GatePath = None, markdown: MarkdownPath = None, html: HtmlPath = None
) -> "Compared":
    """Show a saved comparison as it was printed then.

    csv holds the metrics; json holds everything. A gate is not kept with it, and can be asked again: exit code 1 if a
    candidate does not pass, 2 if the file asks for another comparison.
    """
    saved = registry.get_comparison(name)
    held = None
    if gate is not None:
        with _of_gate():
            held = saved.gate(gate)
    return _documented(Compared(saved, (), held), markdown, html)


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
        "localreg compare meadow-5@1 meadow-5@production --suite plates --broken --where \"test_case = 'night'\"",
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
    where: Annotated[
        str | None,
        typer.Option(
            metavar="EXPRESSION", help="Of the samples to list only those that fit this condition over their columns."
        ),
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
    bootstrap: Draws = None,
    executor: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Who counts labels: processes, processes:8 or dask://host:8786."),
    ] = None,
    gate: GatePath = None,
    markdown: MarkdownPath = None,
    html: HtmlPath = None,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep what was found in the registry, too, under this name.")
    ] = None,
) -> "Compared":
    """Say whether the candidate is better than the baseline.

    All are compared with the baseline on one test suite, sample by sample, as their inferences stand in the registry.
    What is said here goes before what the gate file says of how to compare.

    Of test cases and slices the first metric is printed. csv holds all metrics, or the listed samples in their stead;
    json holds everything. Exit code 1 if a candidate does not pass the gate: every reason is told.
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
    told = Compared(comparison, [str(each) for each in listed], held, worst, ("fixed", "broken"), where)
    told.check()
    if save is not None:
        comparison.save(save)
    return _documented(told, markdown, html)


def _compared(
    compare: Callable[..., "Comparison"], said: dict[str, Any], metrics: Sequence[str], rules: "GateFile | None"
) -> tuple["Comparison", "GateResult | None"]:
    """Compare, and hold against a gate; what is said on the command line goes before what the gate file says."""
    if metrics:
        said["metrics"] = [*metrics, *(() if rules is None else rules.metrics)]
    if rules is None:
        return compare(**said), None
    made = partial(compare, **{**rules.asked(), **said})
    comparison = made()
    with _of_gate():
        comparison = _with_metrics_of(rules, comparison, made)
        return comparison, _held(comparison, rules)


def _held(comparison: "Comparison", rules: "GateFile") -> "GateResult":
    return comparison.gate(rules.metrics, critical=rules.critical, require_improvement=rules.require_improvement)


def _rules(path: str) -> "GateFile":
    from localreg.compare import read_gate

    with _of_gate():
        return read_gate(path)


@contextmanager
def _of_gate() -> Iterator[None]:
    """A gate file that cannot be understood exits with 2, as 1 means that it is not passed. The usage was right."""
    from localreg.cli.wording import for_shell

    try:
        yield
    except (InvalidInputError, NotFoundError) as error:
        print(f"localreg: --gate: {for_shell(' '.join(str(error).split()))}", file=sys.stderr)
        raise typer.Exit(2) from error


def _documented(told: "Compared", markdown: str | None, html: str | None) -> "Compared":
    """The same, once it stands in the files that are asked for."""
    if markdown is not None:
        told.comparison.to_markdown(markdown)
    if html is not None:
        told.comparison.to_html(html)
    return told


def _with_metrics_of(rules: "GateFile", comparison: "Comparison", again: "Callable[..., Comparison]") -> "Comparison":
    """The comparison, made again if the rules speak of metrics that are not among the usual ones."""
    there = dict.fromkeys(row.metric for row in comparison.rows)
    missing = [name for name in rules.metrics if name not in there]
    return again(metrics=[*there, *missing]) if missing else comparison


@dataclass(frozen=True)
class Compared:
    """A comparison, live or saved, which samples of it to list, and whether it passes.

    Attributes:
        comparison: all of it.
        outcomes: which samples to list.
        gate: whether it passes; None = nobody asked.
        worst: how many samples to list whose error grew most.
        usual: outcomes that stand in json if no other ones are listed.
        where: which samples of an outcome to list; None = all.
    """

    comparison: "Comparison"
    outcomes: Sequence[str]
    gate: "GateResult | None" = None
    worst: int | None = None
    usual: Sequence[str] = ()
    where: str | None = None

    def check(self) -> None:
        """Whether there can be samples of the outcomes that are asked for."""
        if self.outcomes and not any(row.fixed is not None for row in self.comparison.rows):
            other = "; --worst 10 lists those whose error grew most" if self.comparison.task == "regression" else ""
            raise InvalidInputError(
                f"nothing is right or wrong in a comparison of {self.comparison.task}, and so no sample is "
                f"{self.outcomes[0].replace('_', ' ')}{other}"
            )
        if self.worst is not None:
            self._worst(self.worst)
        if self.where is not None:
            if not self.outcomes:
                raise InvalidInputError("--where is of samples that are listed: say which, such as --broken")
            for outcome in self.outcomes:
                self._samples(outcome)

    @property
    def ok(self) -> bool:
        """There is no gate, or it is passed."""
        return self.gate is None or self.gate.passed

    def lines(self) -> Iterator[str]:
        """The summary; test cases and slices; the samples that were asked for; what the gate says."""
        from localreg.cli.wording import for_shell
        from localreg.compare.telling import others_of_parts

        it = self.comparison
        yield for_shell(str(it))
        others = others_of_parts(it.rows)
        if others:
            yield ""
            yield f"{amount(others, 'more metric')} of test cases and slices: --metric NAME, or --format csv or json"
        for outcome in self.outcomes:
            yield from ["", f"{outcome.replace('_', ' ')}:", *self._samples(outcome).lines()]
        if self.worst is not None:
            yield from ["", "worst:", *self._worst(self.worst).lines()]
        if self.gate is not None:
            yield from ["", "gate:", for_shell(str(self.gate))]

    def json(self) -> dict[str, object]:
        """The comparison, the samples of each outcome that is listed, and the gate."""
        outcomes = self.outcomes or self.usual
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

    def _samples(self, outcome: Any) -> Rows:
        return self._of_candidates(lambda each: self.comparison.samples(outcome, where=self.where, candidate=each))

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
