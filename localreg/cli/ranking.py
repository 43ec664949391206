"""Who leads on which suite? `leaderboard`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion
from localreg.cli.asking import (
    Bettered,
    Configuration,
    Draws,
    EvaluatorName,
    Fmr,
    GroupBy,
    Iou,
    IouKind,
    Positive,
    ScoreOf,
    ScoreThreshold,
    asked,
)
from localreg.cli.output import Rows
from localreg.cli.place import examples, reading

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


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
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Of the intervals and the verdict.")] = 0.95,
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
) -> "Board":
    """Rank models on test suites, best first.

    Beside each model stands how it differs from the leader of that suite: regressed = it is behind, inconclusive = that
    may be luck. A sample without an inference counts as wrong, unless --lenient leaves it out; how many those are is
    told.
    """
    said = asked(
        confidence=confidence,
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
    )
    found = registry.leaderboard(*models, suites=suite, metric=metric, strict=not lenient, **said)
    return Board(Rows.of(found), strict=not lenient)


@dataclass(frozen=True)
class Board:
    """Who leads."""

    rows: Rows
    strict: bool
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """The table as people read it, and which models lack inferences."""
        from localreg.cli.wording import for_shell
        from localreg.compare.telling import number, p_value, signed

        told: dict[str, Callable[[Any], str]]
        told = {"value": number, "difference": signed, "low": signed, "high": signed, "p_adjusted": p_value}
        rows = self.rows.json()
        names = [name for name in self.rows.columns if any(row[name] is not None for row in rows)]
        cells: list[list[object]] = []
        for row in rows:
            values = [(name, row[name]) for name in names]
            cells.append([told[name](value) if name in told and value is not None else value for name, value in values])
            if "reason" in names and row["reason"] is not None:
                cells[-1][names.index("reason")] = for_shell(str(row["reason"]))
        yield from Rows(names, cells).lines()
        there = [row for row in rows if row["missing"] and row["n"] is not None]
        if there:
            treated = "counted as wrong; --lenient leaves them out" if self.strict else "left out"
            each = ", ".join(f"{row['missing']:,} of {row['model']} on {row['test_suite']!r}" for row in there)
            yield from ["", f"samples without an inference: {each}: {treated}"]

    def json(self) -> list[dict[str, object]]:
        """One object a row."""
        return self.rows.json()

    def csv(self) -> Rows:
        """The rows."""
        return self.rows
