"""Lists of samples: what is to be seen, what was true, what both models said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from localreg.compare.listing import Example, Examples
from localreg.compare.report.markup import Markup, isolated, joined, tag
from localreg.compare.report.outlines import Box, shapes_in
from localreg.compare.report.pictures import Thumbnails
from localreg.compare.report.wording import MINUS
from localreg.query.text import cell

__all__ = ["sample_list"]

MOST_FIELDS = 12
LONGEST = 120
SPREAD = "evenly spread over the suite"


def sample_list(
    title: str, told: str, found: Examples, thumbnails: Thumbnails, *, is_open: bool, which: str = SPREAD
) -> Markup:
    """A list that can be folded.

    Args:
        title: what became of the samples.
        told: that in a few words.
        found: the samples.
        thumbnails: of the page.
        is_open: whether it is unfolded at first.
        which: of more than are listed, which these are.
    """
    shown = len(found.examples)
    count = f"{found.total:,}" if shown == found.total else f"{shown:,} of {found.total:,}, {which}"
    head = tag("summary", tag("strong", title), f" · {count} · ", tag("span", told, class_="note"))
    cards = [tag("li", *_card(each, thumbnails)) for each in found.examples]
    body = tag("ul", *cards, class_="cards") if cards else tag("p", "There are none.", class_="note")
    return tag("details", head, body, open="" if is_open and cards else None)


def _card(example: Example, thumbnails: Thumbnails) -> Iterator[Markup]:
    pictures = list(thumbnails.of(example.sample, example.typed))
    if pictures:
        yield tag("div", *pictures, class_="pictures")
    shown = example.shown
    if "ground_truth" not in shown:  # metrics of an evaluator are listed, and not what they are of
        shown = dict(zip(("ground_truth", "a", "b"), example.typed, strict=True))
    answers = [("truth", "ground truth", shown.get("ground_truth"), "")]
    answers += [
        (side, name, shown.get(key), _beside(shown, key))
        for side, name, key in (("baseline", "baseline", "a"), ("candidate", "candidate", "b"))
    ]
    yield tag("dl", *(each for answer in answers for each in _answer(*answer)), class_="answers")
    known = dict(_known(example))
    listed = [
        piece for name, text in list(known.items())[:MOST_FIELDS] for piece in (_term(name), tag("dd", _short(text)))
    ]
    more = len(known) - MOST_FIELDS
    listed += [tag("dt", "…"), tag("dd", f"{more:,} more")] if more > 0 else []
    yield tag("dl", *listed, class_="fields")


def _beside(shown: Mapping[str, Any], key: str) -> str:
    """What stands beside an answer: its score, its error, or whether a pair is accepted."""
    score, error, accepted = (shown.get(f"{name}_{key}") for name in ("score", "error", "accepted"))
    told = [] if score is None else [f"{score:.3g}"]
    if error is not None:
        told.append(f"error {error:+.3g}".replace("-", MINUS))
    if accepted is not None:
        told.append("accepted" if accepted else "rejected")
    return ", ".join(told)


def _answer(side: str, name: str, said: Any, beside: str) -> Iterator[Markup]:
    yield tag("dt", name, class_=side)
    text = tag("em", "none") if said is None else isolated(_told(said), LONGEST)
    yield tag("dd", text, tag("span", f" {beside}", class_="note") if beside else None)


def _told(said: Any) -> str:
    shapes = shapes_in(said) if isinstance(said, dict | list) else []
    if not shapes:
        return "nothing" if said == [] else cell(said)
    one, many = ("box", "boxes") if all(isinstance(each, Box) for each in shapes) else ("outline", "outlines")
    return f"{len(shapes)} {one if len(shapes) == 1 else many}"


def _known(example: Example) -> Iterator[tuple[str, str]]:
    """All that is known of a sample, as texts."""
    yield "test case", example.test_case
    if "ground_truth" not in example.shown:
        for name, value in example.shown.items():
            metric = name.removesuffix("_a")
            if metric != name and f"{metric}_b" in example.shown:
                yield metric, f"{cell(value)} → {cell(example.shown[f'{metric}_b'])}"
    for name, value in example.sample.items():
        if value is not None:
            yield name, cell(value)
    try:
        metadata = json.loads(example.metadata or "{}")
    except (ValueError, RecursionError):  # JSON to others, too much for Python
        metadata = {}
    for name, value in metadata.items():
        yield name, cell(value)
    for by, name in example.slices.items():
        # What stands above already need not be said again.
        if by.removeprefix("metadata.") not in metadata and by not in example.sample and "ground_truth" not in by:
            yield by, name


def _term(name: str) -> Markup:
    return tag("dt", isolated(name, 40))


def _short(text: str) -> Markup:
    return joined(isolated(text, LONGEST))
