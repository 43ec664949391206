"""What is one model worth on a test suite? `measure`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

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

    They come from its inferences as they stand in the registry, and are those of localreg compare.
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
        """The suite; its test cases and slices; classes."""
        yield str(self.measurement)
        rows = self.measurement.rows
        parts = [row for row in rows if not (row.test_case is row.by is None)]
        if len({row.test_case for row in parts}) > 1 or any(row.by for row in parts):
            # The only test case of a suite says the same as the suite.
            yield from ["", *_table(parts).lines()]
        classes = [row for row in rows if row.label is not None and row.test_case is None]
        if classes:
            yield from ["", *_table(classes).lines()]

    def json(self) -> dict[str, object]:
        """All of it."""
        return {**self.measurement.to_dict()}

    def csv(self) -> Rows:
        """The metrics."""
        return Rows.of(self.measurement.metrics)


def _table(rows: list[Any]) -> Rows:
    names = ["metric", "label", "test_case", "by", "slice", "n", "value", "low", "high", "reason"]
    names = [name for name in names if any(getattr(row, name) is not None for row in rows)]
    return Rows(names, [[getattr(row, name) for name in names] for row in rows])
