"""The samples behind a comparison: a gallery by outcome and condition, each sample large, and their pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from starlette.responses import PlainTextResponse, Response

from localreg.compare import Comparison, Outcome
from localreg.compare.listing import Example, Examples
from localreg.compare.report.document import is_outlined
from localreg.compare.report.examples import card, keys
from localreg.errors import InvalidInputError, NotFoundError
from localreg.html.markup import Markup, joined, tag
from localreg.names import shown_value
from localreg.query.text import cell, plain
from localreg.records.differences import path_text
from localreg.ui.pages.compare import asked, candidate_of, tabs
from localreg.ui.pictures import LARGE, SMALL, Addresses, picture
from localreg.ui.question import Question
from localreg.ui.view import Parameter, View

__all__ = ["gallery", "one", "shown_picture"]

SIZE = 24
TITLES = {
    "fixed": ("Fixed", "only the candidate is right"),
    "broken": ("Broken", "only the baseline is right"),
    "both_wrong": ("Both wrong", "neither is right"),
    "worst": ("Worst", "the candidate's error grew most"),
    "all": ("All", "as they stand in the suite"),
}
MOST_COLUMNS = 40


class Tab(NamedTuple):
    """An outcome that can be chosen."""

    title: str
    told: str
    number: int | None
    """Of samples; None = it was not counted."""
    address: str
    chosen: bool


class Column(NamedTuple):
    """What a condition may speak of."""

    name: str
    value: str
    """Of the first sample."""


class _Asked(NamedTuple):
    """Which samples are looked at.

    Attributes:
        question: of the comparison.
        found: the comparison.
        candidate: its name.
        outcome: a key of `TITLES`.
        where: the condition; None = none.
    """

    question: Question
    found: Comparison
    candidate: str
    outcome: str
    where: str | None

    def examples(self, offset: int, limit: int, outcome: str | None = None) -> Examples:
        """A stretch of them.

        Args:
            offset: how many to pass over.
            limit: how many at most.
            outcome: another one; None = theirs.
        """
        outcome = outcome or self.outcome
        if outcome == "worst":
            return self.found.worst_examples(offset=offset, limit=limit, candidate=self.candidate)
        wanted = None if outcome == "all" else cast(Outcome, outcome)
        return self.found.examples(wanted, where=self.where, offset=offset, limit=limit, candidate=self.candidate)


def gallery(view: View) -> Response:
    """The page at `/compare/samples`."""
    question = Question.of(view)
    page = max(1, view.whole("page", 1, 10**7))
    with question.answered(view) as found:
        wanted = _wanted(view, question, found)
        try:
            told = wanted.examples((page - 1) * SIZE, SIZE)
            error = None
        except InvalidInputError as refused:
            if wanted.where is None:
                raise
            told, error = Examples(0, []), refused.message
        source = Addresses(view.site, SMALL)
        cards = [
            _linked(view, wanted, each, (page - 1) * SIZE + number, source)
            for number, each in enumerate(told.examples, 1)
        ]
        listed = told.examples or wanted._replace(where=None, outcome="all").examples(0, 1).examples
        return view.page(
            "compare_samples.html",
            title=f"{TITLES[wanted.outcome][0]}: {wanted.candidate} against {found.baseline}",
            section="Compare",
            status=200 if error is None else 400,
            error=error,
            cards=cards,
            keys=list(keys(cards)),
            total=told.total,
            page=page,
            size=SIZE,
            outcomes=list(_tabs(view, wanted, told.total if error is None else None)),
            columns=list(_columns(listed[0])) if listed else [],
            outside=source.outside,
            **_common(view, wanted),
        )


def one(view: View) -> Response:
    """The page at `/compare/sample`: number `n` of those with an outcome that fit a condition."""
    question = Question.of(view)
    n = max(1, view.whole("n", 1))
    with question.answered(view) as found:
        wanted = _wanted(view, question, found)
        told = wanted.examples(n - 1, 1)
        if not told.examples:
            raise NotFoundError(f"there is no sample number {n:,}; there are {told.total:,} of this kind")
        example, source = told.examples[0], Addresses(view.site, LARGE)
        drawn = card(example, source, outlined=is_outlined(found), whole=True)
        return view.page(
            "compare_sample.html",
            title=f"Sample {n:,} of {told.total:,}: {wanted.candidate} against {found.baseline}",
            section="Compare",
            card=drawn,
            has_shapes=any(f'class="{kind}"' in drawn for kind in ("box", "point")),
            keys=[each for each in keys([drawn]) if "Boxes: " not in each],  # what can be taken away says whose it is
            n=n,
            total=told.total,
            kind=TITLES[wanted.outcome],
            previous=view.here(n=n - 1) if n > 1 else None,
            following=view.here(n=n + 1) if n < told.total else None,
            back=view.link("/compare/samples", **_of(view, wanted), page=_page_of(n)),
            outside=source.outside,
            typed=list(zip(("ground truth", "baseline", "candidate"), map(_as_json, example.typed), strict=True)),
            metadata=_as_json(_object(example.metadata)),
            sample=_as_json(example.sample),
            **_common(view, wanted),
        )


def shown_picture(view: View) -> Response:
    """`/picture`: a picture that one of these pages named."""
    side = view.whole("side", SMALL, LARGE)
    found = picture(view.site, view.query.get("locator", ""), side, view.query.get("signed", ""))
    if found is None:
        return PlainTextResponse("there is no such picture, or it may not be shown\n", 404)
    return Response(found.data, media_type=found.media_type, headers={"cache-control": "private, max-age=3600"})


# --- what is asked for ------------------------------------------------------------------------------------------------


def _wanted(view: View, question: Question, found: Comparison) -> _Asked:
    """Which samples an address means.

    Raises:
        InvalidInputError: there is no such outcome.
    """
    there = _outcomes(found)
    outcome = view.text("outcome") or there[0]
    if outcome not in there:
        raise InvalidInputError(f"outcome is {shown_value(outcome)}; it must be one of {', '.join(there)}")
    where = None if outcome == "worst" else view.text("where")
    return _Asked(question, found, found.candidates[candidate_of(view, found)], outcome, where)


def _outcomes(found: Comparison) -> Sequence[str]:
    """What can be told apart: right and wrong, errors, or neither."""
    if found.rows[0].fixed is not None:
        return ("fixed", "broken", "both_wrong", "all")
    return ("worst", "all") if found.task == "regression" else ("all",)


def _tabs(view: View, wanted: _Asked, total: int | None) -> Iterator[Tab]:
    """The outcomes with how many samples there are: of all samples, and of the chosen one those that fit."""
    for each in _outcomes(wanted.found):
        number = total if each == wanted.outcome else _counted(wanted, each)
        yield Tab(*TITLES[each], number, view.here(outcome=each, page=None), each == wanted.outcome)


def _counted(wanted: _Asked, outcome: str) -> int | None:
    """Samples of another outcome; None where there is a condition, which is asked of what is looked at alone."""
    return wanted.examples(0, 0, outcome).total if wanted.where is None else None


def _of(view: View, wanted: _Asked) -> dict[str, Parameter]:
    """The parameters of an address that means the same samples."""
    return {
        **asked(view, wanted.question),
        "candidate": view.text("candidate"),
        "outcome": wanted.outcome,
        "where": wanted.where,
    }


def _common(view: View, wanted: _Asked) -> dict[str, Any]:
    """What templates of these pages have in common."""
    return {
        "question": wanted.question,
        "found": wanted.found,
        "outcome": wanted.outcome,
        "where": wanted.where,
        "may_filter": wanted.outcome != "worst",
        "tabs": tabs(view, wanted.question, wanted.found),
        "candidates": [(each, view.here(candidate=each, page=None, n=None)) for each in wanted.found.candidates],
        "number": wanted.found.candidates.index(wanted.candidate),
        "asked": {**asked(view, wanted.question), "candidate": view.text("candidate")},
    }


def _page_of(n: int) -> int | None:
    """The page on which a sample stands."""
    page = (n - 1) // SIZE + 1
    return page if page > 1 else None


# --- what is shown ----------------------------------------------------------------------------------------------------


def _linked(view: View, wanted: _Asked, example: Example, n: int, source: Addresses) -> Markup:
    """A card whose picture, and whose foot, leads to the sample."""
    address = view.link("/compare/sample", **_of(view, wanted), n=n)

    def framed(pictures: Markup) -> Markup:
        return tag("a", pictures, href=address, tabindex="-1", aria_hidden="true")

    told = card(example, source, outlined=is_outlined(wanted.found), framed=framed)
    return joined(told, tag("p", tag("a", f"Sample {n:,}", href=address), class_="note"))


def _columns(example: Example) -> Iterator[Column]:
    """What a condition may speak of, with what the first sample has there."""
    yield Column("test_case", example.test_case)
    for name, value in example.shown.items():
        yield Column(name, cell(value))
    for name, value in example.sample.items():
        yield Column(f"sample.{name}", cell(value))
    metadata = _object(example.metadata)
    for name, value in list(metadata.items())[:MOST_COLUMNS]:
        yield Column(path_text("metadata", name), cell(value))
    named = {f"sample.{name}" for name in example.sample} | {path_text("metadata", name) for name in metadata}
    for name, value in example.slices.items():
        if name not in named and f"sample.{name}" not in named:
            yield Column('"' + name.replace('"', '""') + '"', value)


def _object(text: str | None) -> Mapping[str, Any]:
    try:
        return cast("Mapping[str, Any]", json.loads(text or "{}"))
    except (ValueError, RecursionError):  # JSON to others, too much for Python
        return {}


def _as_json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False, indent=2)
