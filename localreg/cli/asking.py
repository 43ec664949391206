"""What models can be asked on a test suite: the options that `compare`, `measure` and `leaderboard` share."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from localreg.cli import completion

__all__ = [
    "Bins",
    "By",
    "Bettered",
    "Configuration",
    "Draws",
    "EvaluatorName",
    "Fmr",
    "GroupBy",
    "Iou",
    "IouKind",
    "Positive",
    "Reference",
    "ScoreOf",
    "ScoreThreshold",
    "Strict",
    "Suite",
    "asked",
]

Reference = "a model (its newest version), MODEL@VERSION or MODEL@ALIAS."


class Whose(StrEnum):
    """Of which label scores are; as `localreg.compare.scores.ScoreOf`."""

    PREDICTED = "predicted"
    POSITIVE = "positive"


class Overlaps(StrEnum):
    """What overlaps are of; as `localreg.workflow.shape_lists.IouType`."""

    BBOX = "bbox"
    SEGM = "segm"


Suite = Annotated[str, typer.Option(metavar="NAME", help="Name of the test suite.", autocompletion=completion.suites)]
By = Annotated[
    list[str] | None,
    typer.Option(metavar="EXPRESSION", help="Also for each value of it, such as metadata.weather. Repeatable."),
]
Bins = Annotated[
    int | None, typer.Option(metavar="N", help="Cut numbers of more values than that into so many slices; else 10.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Count a sample without an inference as wrong, instead of leaving it out.")
]
GroupBy = Annotated[
    str | None,
    typer.Option(metavar="EXPRESSION", help="Samples of one value belong together, as of metadata.patient."),
]
EvaluatorName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Go by what this evaluator said, instead of inferences.")
]
Configuration = Annotated[str | None, typer.Option(metavar="NAME", help="With which configuration it said that.")]
Bettered = Annotated[
    list[str] | None,
    typer.Option(metavar="METRIC=higher|lower", help="Of an evaluator's metric, which is better. Repeatable."),
]
Positive = Annotated[
    str | None, typer.Option(metavar="LABEL", help="Whose scores make ROC AUC and the like; else the last of two.")
]
ScoreOf = Annotated[Whose | None, typer.Option(help="Whose the scores beside labels are; else what they can only be.")]
ScoreThreshold = Annotated[
    str | None,
    typer.Option(
        metavar="SCORE",
        help="Of shapes that count: a number, or f1_optimal; else 0.5. Of pairs that are accepted: a number.",
    ),
]
Iou = Annotated[float | None, typer.Option(metavar="SHARE", help="Overlap by which a shape finds an object; else 0.5.")]
IouKind = Annotated[
    Overlaps | None, typer.Option(help="Overlap of boxes, or of pixels; else of boxes, where there are any.")
]
Draws = Annotated[
    int | None, typer.Option(metavar="DRAWS", help="Make intervals by drawing samples again so many times.")
]
Fmr = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Of impostors that may be accepted, which sets thresholds; else 0.001."),
]


def asked(
    *,
    by: Sequence[str] | None = None,
    strict: bool = False,
    better: Sequence[str] | None = None,
    score_threshold: str | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Options as arguments of the library; those that were not given are left out."""
    said = {
        "by": by or None,
        "strict": strict or None,
        "better": _better(better or []) or None,
        "score_threshold": None if score_threshold is None else _score(score_threshold),
        **{name: str(value) if isinstance(value, StrEnum) else value for name, value in others.items()},
    }
    return {name: value for name, value in said.items() if value is not None}


def _better(pairs: Sequence[str]) -> dict[str, str]:
    """Which of a metric is better, from `NAME=lower`; which words mean that, is said where they are used."""
    found = {}
    for pair in pairs:
        name, equals, word = pair.rpartition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is no METRIC=higher or METRIC=lower", param_hint="--better")
        if name in found:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint="--better")
        found[name] = word
    return found


def _score(text: str) -> float | str:
    """A threshold as it is typed; what it may be, is said where it is used."""
    try:
        return float(text)
    except ValueError:
        return text
