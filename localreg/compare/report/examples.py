"""Samples as cards: what is to be seen, what was true, what both models said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from localreg.compare.listing import Example, Examples
from localreg.compare.report.drawing import POINTS, pictures_of
from localreg.compare.report.outlines import Box, Line, Outline, Points, found_in, is_mask, shapes_in
from localreg.compare.report.pictures import PictureSource
from localreg.compare.report.texts import Segment, is_text, marked, paired, segments_in, text_difference
from localreg.compare.report.wording import MINUS
from localreg.html.markup import Markup, isolated, joined, tag
from localreg.query.text import cell
from localreg.tables import Node

__all__ = ["card", "keys", "sample_list"]

MOST_FIELDS = 12
LONGEST = 120
MOST_OF_WHOLE = 200
LONGEST_OF_WHOLE = 4_000
"""Fields, and characters of each, of a sample that is shown whole."""
SPREAD = "evenly spread over the suite"


def sample_list(
    title: str,
    told: str,
    found: Examples,
    source: PictureSource,
    *,
    is_open: bool,
    which: str = SPREAD,
    outlined: bool = False,
) -> Markup:
    """A list that can be folded.

    Args:
        title: what became of the samples.
        told: that in a few words.
        found: the samples.
        source: of their pictures.
        is_open: whether it is unfolded at first.
        which: of more than are listed, which these are.
        outlined: see `card`.
    """
    shown = len(found.examples)
    count = f"{found.total:,}" if shown == found.total else f"{shown:,} of {found.total:,}, {which}"
    head = tag("summary", tag("strong", title), f" · {count} · ", tag("span", told, class_="note"))
    cards = [tag("li", card(each, source, outlined=outlined)) for each in found.examples]
    body = tag("ul", *cards, class_="cards") if cards else tag("p", "There are none.", class_="note")
    return tag("details", head, body, open="" if is_open and cards else None)


def card(
    example: Example,
    source: PictureSource,
    *,
    outlined: bool = False,
    whole: bool = False,
    framed: Callable[[Markup], Markup] = joined,
) -> Markup:
    """A sample: its pictures with what is in them, ground truth and answers, and its fields.

    The style sheet of the report (`style_sheet`) has the rules; what stands around it is for the page to say.

    Args:
        example: the sample, with all that is known of it.
        source: of its pictures.
        outlined: show what has both a box and the pixels of a mask by the outlines of these.
        whole: leave little out: long texts, and many fields, as where it is the only sample of a page.
        framed: puts something around the pictures, such as a link.
    """
    pictures = list(pictures_of(example, source, outlined=outlined))
    sides = (("truth", "ground truth"), ("baseline", "baseline"), ("candidate", "candidate"))
    answers = [
        piece
        for (side, name), told in zip(sides, _answers(example, whole=whole), strict=True)
        for piece in (tag("dt", name, class_=side), tag("dd", told))
    ]
    known = dict(_known(example))
    most, longest = (MOST_OF_WHOLE, LONGEST_OF_WHOLE) if whole else (MOST_FIELDS, LONGEST)
    listed = [
        piece
        for name, text in list(known.items())[:most]
        for piece in (tag("dt", isolated(name, 40)), tag("dd", isolated(text, longest)))
    ]
    more = len(known) - most
    listed += [tag("dt", "…"), tag("dd", f"{more:,} more")] if more > 0 else []
    return joined(
        framed(tag("div", *pictures, class_="pictures")) if pictures else None,
        tag("dl", *answers, class_="answers"),
        tag("dl", *listed, class_="fields"),
    )


def keys(drawn: Sequence[Markup]) -> Iterator[Markup]:
    """How to read what is drawn on some cards: a paragraph for each kind of mark that is there."""
    names = (("truth", "ground truth"), ("baseline", "baseline"), ("candidate", "candidate"))
    if any('class="box"' in each for each in drawn):
        yield tag("p", "Boxes: ", *(tag("span", name, class_=side) for side, name in names), class_="key note")
    if any('class="point"' in each for each in drawn):
        told = [tag("span", f"{mark} {name}", class_=side) for mark, (side, name) in zip(POINTS, names, strict=True)]
        yield tag("p", "Points: ", *told, class_="key points note")
    if any("<del>" in each or "<ins>" in each for each in drawn):
        told = [tag("del", "only in the ground truth"), tag("ins", "only in the answer")]
        yield tag("p", "Texts: ", told[0], ", ", told[1], class_="note")


# --- answers ----------------------------------------------------------------------------------------------------------


def _answers(example: Example, *, whole: bool) -> Iterator[Markup]:
    """What is told of ground truth, baseline and candidate."""
    shown = example.shown
    longest = LONGEST_OF_WHOLE if whole else LONGEST
    if "ground_truth" not in shown:  # metrics of an evaluator are listed, and not what they are of
        yield from (_typed(example, place, longest, whole=whole) for place in range(3))
        return
    truth = shown["ground_truth"]
    yield _plain(truth, longest)
    for key in "ab":
        said, beside = shown.get(key), _beside(shown, key)
        differs = isinstance(truth, str) and isinstance(said, str) and said != truth
        if differs and (is_text(truth) or is_text(said)):
            told = text_difference(str(truth), str(said), whole=whole)
        else:
            told = _plain(said, longest)
        yield joined(told, tag("span", f" {beside}", class_="note") if beside else None)


def _plain(said: Any, longest: int, node: Node | None = None) -> Markup:
    return tag("em", "none") if said is None else isolated(_told(said, node), longest)


def _typed(example: Example, place: int, longest: int, *, whole: bool) -> Markup:
    """An answer with all its fields: marked stretches, texts with what differs, and the rest of it."""
    said, node = example.typed[place], example.types[1 if place == 0 else 2]
    if not isinstance(said, dict):
        return _plain(said, longest, node)
    pieces = list(_marked(example.sample, segments_in(said, node), whole=whole))
    told = {name for name, value in said.items() if pieces and segments_in(value)}
    for name, text in _texts(example, place, whole=whole):
        pieces.append(joined(tag("span", f"{name}: ", class_="note") if len(said) > 1 else None, text))
        told.add(name)
    rest = {name: value for name, value in said.items() if name not in told}
    if not pieces:
        return _plain(said, longest, node)
    if rest:
        pieces.append(tag("span", isolated(_told(rest, node), longest), class_="note"))
    return joined(*(tag("div", each) for each in pieces))


def _texts(example: Example, place: int, *, whole: bool) -> Iterator[tuple[str, Markup]]:
    """The texts of an answer that are held against the ground truth's, each with its field's name."""
    truth, *said = example.typed
    types = (example.types.ground_truth, example.types.inference)
    longest = LONGEST_OF_WHOLE if whole else LONGEST
    if place == 0:
        every = (pair for each in said for pair in paired(truth, each, types))
        yield from (
            (name, isolated(text, longest)) for name, text in {each.field: each.truth for each in every}.items()
        )
        return
    for pair in paired(truth, said[place - 1], types):
        if pair.said == pair.truth:
            yield pair.of_said, isolated(pair.said, longest)
        elif pair.said is not None:
            yield pair.of_said, text_difference(pair.truth, pair.said, whole=whole)


def _marked(sample: Mapping[str, Any], segments: Sequence[Segment], *, whole: bool) -> Iterator[Markup]:
    """The texts of a sample with stretches of them marked."""
    for field in dict.fromkeys(each.field for each in segments):
        text = sample.get(field)
        if isinstance(text, str):
            yield marked(text, [each for each in segments if each.field == field], whole=whole)


def _beside(shown: Mapping[str, Any], key: str) -> str:
    """What stands beside an answer: its score, its error, or whether a pair is accepted."""
    score, error, accepted = (shown.get(f"{name}_{key}") for name in ("score", "error", "accepted"))
    told = [] if score is None else [f"{score:.3g}"]
    if error is not None:
        told.append(f"error {error:+.3g}".replace("-", MINUS))
    if accepted is not None:
        told.append("accepted" if accepted else "rejected")
    return ", ".join(told)


NAMES = {Box: ("box", "boxes"), Outline: ("outline", "outlines"), Line: ("line", "lines"), Points: ("point", "points")}


def _told(said: Any, node: Node | None = None) -> str:
    shapes = shapes_in(said, node) if isinstance(said, dict | list) else []
    if not shapes:
        return "nothing" if said == [] else cell(said)
    counts: Counter[type] = Counter()
    for each in shapes:
        counts[type(each)] += len(each.points) if isinstance(each, Points) else 1
    if counts.keys() == {Box, Outline}:
        counts = Counter({Outline: len(shapes)})
    masks = sum(map(is_mask, found_in(said, node)))
    told = [_counted(counts[kind], *NAMES[kind]) for kind in NAMES if kind in counts]
    return ", ".join([*told, *([_counted(masks, "mask", "masks")] if masks else [])])


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


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
        field = by.removeprefix("sample.")
        if by.removeprefix("metadata.") not in metadata and field not in example.sample and "ground_truth" not in by:
            yield by, name
