"""What is one model worth on a test suite? `measure`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion
from localreg.cli.comparing import Reference, Whose, score
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
        "localreg measure meadow-5@1 --suite plates --by metadata.weather --metric accuracy --format csv",
    ),
)
@reading()
def measure(
    registry: "Registry",
    model: Annotated[str, typer.Argument(metavar="MODEL", help=Reference, autocompletion=completion.models)],
    suite: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the test suite.", autocompletion=completion.suites)
    ],
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="EXPRESSION", help="Also for each value of it, such as metadata.weather. Repeatable."),
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this one. Repeatable.")] = None,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Of the intervals.")] = 0.95,
    strict: Annotated[
        bool, typer.Option("--strict", help="Count a sample without an inference as wrong, instead of leaving it out.")
    ] = False,
    group_by: Annotated[
        str | None,
        typer.Option(metavar="EXPRESSION", help="Samples of one value belong together, as of metadata.patient."),
    ] = None,
    evaluator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Tell what this evaluator said, instead of inferences.")
    ] = None,
    configuration: Annotated[
        str | None, typer.Option(metavar="NAME", help="With which configuration it said that.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Whose scores make ROC AUC and the like; else the last of two.")
    ] = None,
    score_of: Annotated[
        Whose | None, typer.Option(help="Whose the scores beside labels are; else what they can only be.")
    ] = None,
    score_threshold: Annotated[
        str | None, typer.Option(metavar="SCORE", help="Of boxes that count: a number, or f1_optimal; else 0.5.")
    ] = None,
    iou: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Overlap by which a box finds an object; else 0.5.")
    ] = None,
) -> "Measured":
    """Say what a model is worth: its metrics on a test suite, with their intervals.

    They come from its inferences as they stand in the registry, and are those of localreg compare.
    """
    asked: dict[str, Any] = {
        "score_of": score_of and str(score_of),
        "score_threshold": score_threshold and score(score_threshold),
    }
    return Measured(
        registry.measure(
            model,
            suite=suite,
            by=by or None,
            metrics=metric or None,
            confidence=confidence,
            strict=strict,
            group_by=group_by,
            evaluator=evaluator,
            configuration=configuration,
            positive=positive,
            iou=iou,
            **asked,
        )
    )


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
