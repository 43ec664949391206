"""What an address asks of `Registry.compare`: models, a suite, and how; or the name of a saved comparison."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from localreg.compare import Comparison
from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.ui.view import View

__all__ = ["FIELDS", "Field", "Question"]


class Field(NamedTuple):
    """A field of the form, which is an argument of `Registry.compare`."""

    name: str
    title: str
    hint: str
    read: Callable[[str, list[str]], Any]
    """From its name and its texts to the argument."""
    choices: tuple[str, ...] = ()
    """What it may be; none = anything."""
    several: bool = False


def _text(_: str, texts: list[str]) -> str:
    return texts[-1]


def _texts(_: str, texts: list[str]) -> list[str]:
    return texts


def _flag(_: str, texts: list[str]) -> bool:
    return True


def _number(name: str, texts: list[str]) -> float:
    try:
        return float(texts[-1])
    except ValueError as error:
        raise InvalidInputError(f"{name} is {shown_value(texts[-1])}; write a number, such as 0.95") from error


def _whole(name: str, texts: list[str]) -> int:
    if not texts[-1].isdecimal() or len(texts[-1]) > 18:
        raise InvalidInputError(f"{name} is {shown_value(texts[-1])}; write a whole number")
    return int(texts[-1])


def _number_or_text(_: str, texts: list[str]) -> float | str:
    try:
        return float(texts[-1])
    except ValueError:
        return texts[-1]


def _pairs(name: str, texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        metric, equals, word = text.rpartition("=")
        if not equals or not metric:
            raise InvalidInputError(f"{name} is {shown_value(text)}; write METRIC=higher or METRIC=lower")
        found[metric] = word
    return found


FIELDS = (
    Field("by", "Slices by", "an expression such as metadata.weather", _texts, several=True),
    Field("metrics", "Metrics", "the first one decides", _texts, several=True),
    Field("strict", "A sample without an inference counts as wrong", "", _flag),
    Field("confidence", "Confidence", "0.95", _number),
    Field("adjust", "p-values adjusted by", "", _text, ("holm", "bh", "none")),
    Field("group_by", "Samples belong together by", "such as metadata.patient", _text),
    Field("bins", "Slices of a number", "10", _whole),
    Field("bootstrap", "Draws of a bootstrap", "such as 2000", _whole),
    Field("evaluator", "Evaluator", "by its name; else what the types decide", _text),
    Field("configuration", "Its configuration", "by its name", _text),
    Field("better", "What is better", "such as seconds=lower", _pairs, several=True),
    Field("positive", "Positive label", "", _text),
    Field("score_of", "Scores are of", "", _text, ("predicted", "positive")),
    Field("score_threshold", "Score threshold", "0.5, or f1_optimal", _number_or_text),
    Field("iou", "Overlap (IoU)", "0.5", _number),
    Field("iou_type", "Overlap of", "", _text, ("bbox", "segm")),
    Field("fmr", "False match rate", "0.001", _number),
)
"""In the order of the form."""


class Question(NamedTuple):
    """What is asked.

    Attributes:
        saved: name of a saved comparison; None = it is compared now.
        models: references, the baseline first.
        suite: name of the test suite; None = not chosen.
        options: other arguments of `Registry.compare`.
    """

    saved: str | None
    models: tuple[str, ...]
    suite: str | None
    options: Mapping[str, Any]

    @classmethod
    def of(cls, view: View) -> Question:
        """What an address asks.

        Raises:
            InvalidInputError: a field cannot be read.
        """
        told = {each: texts for each in FIELDS if (texts := view.texts(each.name))}
        options = {each.name: each.read(each.name, texts) for each, texts in told.items()}
        return cls(view.text("comparison"), tuple(view.texts("model")), view.text("suite"), options)

    @property
    def is_whole(self) -> bool:
        """Whether it can be answered."""
        return self.saved is not None or (len(self.models) > 1 and self.suite is not None)

    @contextmanager
    def answered(self, view: View) -> Iterator[Comparison]:
        """The comparison; what was found at this commit already is not looked for again.

        Raises:
            LocalregError: as `Registry.compare` and `get_comparison`.
        """
        registry = view.registry
        asked = (self.saved, self.models, self.suite, json.dumps(self.options, sort_keys=True))
        key = (registry.namespace_name, view.moment is not None, registry.commit, asked)

        def make() -> Comparison:
            if self.saved is not None:
                return registry.get_comparison(self.saved)
            assert self.suite is not None, "whoever asks has seen that it is whole"
            first, *others = self.models
            return registry.compare(first, *others, suite=self.suite, **self.options)

        with view.site.comparisons.used(key, make) as found:
            yield found
