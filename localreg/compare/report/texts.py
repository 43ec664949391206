"""What differs between two texts, and stretches of a text that are marked.

Differences are those of words, as `difflib` finds them; of scripts without spaces each character is a word. Of long
texts only so many words from the first difference on are compared, and what is alike is left out but for a few words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any, NamedTuple

from localreg.compare.report.outlines import found_in, told_of
from localreg.html.markup import Markup, cut, joined, tag
from localreg.tables import Field, Node

__all__ = ["Pair", "Segment", "is_text", "marked", "paired", "segments_in", "text_difference"]

LEAST_WORDS = 4
"""Of a text; what has fewer is a label or a name."""
MOST_WORDS = 60
MOST_OF_WHOLE = 300
"""Words that are compared on a card, and where one sample is shown whole."""
AROUND = 4
"""Words that stay at each side of a difference."""
LONGEST_WORD = 80
MOST_READ = 20_000
"""Words among which the first difference is looked for."""
GAP = " …"

MOST_SEGMENTS = 100
NEAR = 40
"""Characters that stay at each side of a marked stretch on a card, and NEAR_OF_WHOLE where it is shown whole."""
NEAR_OF_WHOLE = 400
LONGEST_SEGMENT = 200

_WORD = re.compile("(\\s*)([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)")


class Word(NamedTuple):
    """A word, and whether there is room before it."""

    text: str
    is_apart: bool


def is_text(value: Any) -> bool:
    """Whether a value is a text, and no label."""
    return isinstance(value, str) and len(_words(value, LEAST_WORDS)) == LEAST_WORDS


def _words(text: str, most: int) -> list[Word]:
    found = zip(range(most), _WORD.finditer(text), strict=False)
    return [Word(each[2], bool(each[1])) for _, each in found]


def text_difference(truth: str, said: str, *, whole: bool) -> Markup:
    """An answer, in which words of the truth that are missing stand struck, and others than those underlined.

    Args:
        truth: what it is held against.
        said: the answer.
        whole: show more of it.
    """
    most = MOST_OF_WHOLE if whole else MOST_WORDS
    a, b = _words(truth, MOST_READ), _words(said, MOST_READ)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, zip(a, b, strict=False)))
    begin = alike - AROUND if alike > AROUND + 2 else 0
    pieces = joined(*_pieces(a[begin : begin + most], b[begin : begin + most]))
    is_longer = max(len(a), len(b)) > begin + most and not pieces.endswith(GAP)
    return tag("bdi", GAP.lstrip() if begin else None, pieces, GAP if is_longer else None, class_="text")


def _pieces(a: Sequence[Word], b: Sequence[Word]) -> Iterator[Markup]:
    texts = [word.text for word in a], [word.text for word in b]
    steps = SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes()
    for kind, begin, end, first, last in steps:
        if kind == "equal":
            yield _alike(b[first:last], at_begin=first == 0, at_end=last == len(b), alone=len(steps) == 1)
            continue
        if begin < end:
            yield _run(a[begin:end], "del")
        if first < last:
            yield joined(" " if begin < end and not b[first].is_apart else None, _run(b[first:last], "ins"))


def _alike(words: Sequence[Word], *, at_begin: bool, at_end: bool, alone: bool) -> Markup:
    """Words that both texts have; of many those beside differences."""
    before, after = (0 if at_begin else AROUND), (0 if at_end else AROUND)
    if alone or len(words) <= 2 * AROUND + 2:
        return _run(words, None)
    return joined(_run(words[:before], None), GAP, _run(words[len(words) - after :], None))


def _run(words: Sequence[Word], name: str | None) -> Markup:
    text = "".join(f"{' ' if each.is_apart else ''}{cut(each.text, LONGEST_WORD)}" for each in words)
    if name is None:
        return joined(text)
    room = " " if words and words[0].is_apart else None
    return joined(room, tag(name, text.removeprefix(" ")))


# --- texts in what is typed -------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    """A text in a ground truth, and the one in an answer that is held against it.

    Attributes:
        field: of the ground truth.
        truth: its text.
        of_said: field of the answer.
        said: its text; None = there is none.
    """

    field: str
    truth: str
    of_said: str
    said: str | None


def paired(truth: Any, said: Any, types: tuple[Node, Node]) -> list[Pair]:
    """Texts that stand in the same field of ground truth and inference, or are the only one of each.

    Args:
        truth: the ground truth.
        said: an inference, or None.
        types: what these are.
    """
    names = [[field.name for field in node.fields if _holds_text(field)] for node in types]
    both = [(name, name) for name in names[0] if name in names[1]]
    if not both and len(names[0]) == len(names[1]) == 1:
        both = [(names[0][0], names[1][0])]
    pairs = []
    for field, of_said in both:
        right, answer = _text_of(truth, field), _text_of(said, of_said)
        if right is not None and (is_text(right) or is_text(answer)):
            pairs.append(Pair(field, right, of_said, answer))
    return pairs


def _holds_text(field: Field) -> bool:
    return field.node.type == "str" and field.name not in ("locator", "label", "text_field")


def _text_of(value: Any, name: str) -> str | None:
    text = value.get(name) if isinstance(value, dict) else None
    return text if isinstance(text, str) else None


# --- marked stretches -------------------------------------------------------------------------------------------------


class Segment(NamedTuple):
    """A stretch of a text.

    Attributes:
        field: of the sample, which holds the text.
        start: the first character.
        end: the one after the last.
        told: its label and score.
    """

    field: str
    start: int
    end: int
    told: str


def segments_in(value: Any, node: Node | None = None) -> list[Segment]:
    """The stretches of texts that a ground truth or an inference holds; the first of many."""
    found = []
    for each in found_in(value, node):
        field, start, end = (each.value.get(name) for name in ("text_field", "start", "end"))
        if isinstance(field, str) and isinstance(start, int) and isinstance(end, int) and 0 <= start < end:
            found.append(Segment(field, start, end, told_of(each.value)))
    return found[:MOST_SEGMENTS]


def marked(text: str, segments: Sequence[Segment], *, whole: bool) -> Markup:
    """A text with its stretches marked; what lies far from all of them is left out.

    Args:
        text: the text.
        segments: of it; those that begin within another one come after the text.
        whole: leave less out.
    """
    near, at = NEAR_OF_WHOLE if whole else NEAR, 0
    pieces: list[str | None] = []
    others: list[Markup] = []
    for each in sorted(segments, key=lambda each: (each.start, each.end)):
        if each.start >= len(text):
            continue
        mark = _mark(text, each)
        if each.start < at:
            others += [joined(" + "), mark]
            continue
        pieces += [_between(text[at : each.start], near, at_begin=at == 0, at_end=False), mark]
        at = each.end
    rest = _between(text[at:], near, at_begin=at == 0, at_end=True)
    return tag("bdi", *pieces, rest, *others)


def _mark(text: str, segment: Segment) -> Markup:
    told = tag("small", f" {cut(segment.told, 40)}") if segment.told else None
    return tag("mark", cut(text[segment.start : segment.end], LONGEST_SEGMENT), told)


def _between(text: str, near: int, *, at_begin: bool, at_end: bool) -> str:
    before, after = (0 if at_begin and not at_end else near), (0 if at_end else near)
    if len(text) <= 2 * near:
        return text
    return f"{text[:before]} … {text[len(text) - after :]}"
