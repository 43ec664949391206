"""What is one model worth on a test suite? `measure`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.asking import (
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
from localreg.cli.output import Rows
from localreg.cli.place import examples, reading
from localreg.names import amount

if TYPE_CHECKING:
    from localreg.compare import Measurement
    from localreg.registry import Registry

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "measure",
    epilog=examples(
        "localreg measure meadow-5 --suite plates",
        "localreg measure meadow-5@1 --suite plates --by number --metric accuracy --format csv",
    ),
)
@reading()
def measure(
    registry: "Registry",
    model: Annotated[str, typer.Argument(metavar="MODEL", help=Reference, autocompletion=completion.models)],
    suite: Suite,
    by: By = None,
    bins: Bins = None,
    metric: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this one. Repeatable.")] = None,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Of the intervals.")] = 0.95,
    strict: Strict = False,
    group_by: GroupBy = None,
    evaluator: EvaluatorName = None,
    configuration: Configuration = None,
    positive: Positive = None,
    score_of: ScoreOf = None,
    score_threshold: ScoreThreshold = None,
    iou: Iou = None,
    iou_type: IouKind = None,
    fmr: Fmr = None,
) -> "Measured":
    """Say what a model is worth: its metrics on a test suite, with their intervals.

    They come from its inferences as they stand in the registry, and are those of localreg compare. Of test cases and
    slices the first metric is printed; csv and json hold all.
    """
    said = asked(
        by=by,
        bins=bins,
        metrics=metric or None,
        confidence=confidence,
        strict=strict,
        group_by=group_by,
        evaluator=evaluator,
        configuration=configuration,
        positive=positive,
        score_of=score_of,
        score_threshold=score_threshold,
        iou=iou,
        iou_type=iou_type,
        fmr=fmr,
    )
    return Measured(registry.measure(model, suite=suite, **said))


@dataclass(frozen=True)
class Measured:
    """What a model is worth."""

    measurement: "Measurement"
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """The suite and its classes; of test cases and slices the first metric."""
        from localreg.cli.wording import for_shell
        from localreg.compare.measurement import interval
        from localreg.compare.telling import notes, number, others_of_parts, parts

        it = self.measurement
        yield for_shell(str(it))
        heads = ["n", "value", f"{100 * it.confidence:g} % interval"]
        cells = {row: [f"{row.n:,}", number(row.value), interval(row)] for row in it.rows}
        of_suite = [row for row in it.rows if row.test_case is row.by is None]
        classes = [row for row in of_suite if row.label is not None]
        if 0 < len(classes) < len(of_suite):
            yield ""
            of_class = [[row.metric, row.label, *cells[row]] for row in classes]
            yield from Rows(["metric", "class", *heads], of_class).lines()
            yield from map(for_shell, notes(classes))
        of_first = [row for row in parts(it.rows) if row.metric == it.rows[0].metric]
        for by in dict.fromkeys(row.by for row in of_first):
            rows = [row for row in of_first if row.by == by]
            yield from ["", f"{it.rows[0].metric} by {'test case' if by is None else by}:"]
            named = [[row.test_case if by is None else row.slice, *cells[row]] for row in rows]
            yield from Rows(["test case" if by is None else "slice", *heads], named).lines()
        others = others_of_parts(it.rows)
        if others:
            yield f"{amount(others, 'more metric')} of these: --metric, --format csv or json"

    def json(self) -> dict[str, object]:
        """All of it."""
        return {**self.measurement.to_dict()}

    def csv(self) -> Rows:
        """The metrics."""
        return Rows.of(self.measurement.metrics)
