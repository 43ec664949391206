"""Metrics of text: answers, transcripts, summaries.

Columns of texts, truth and predicted, row by row. A truth may be several texts, a list or tuple of what would all be
right: then the best counts (error rates take one). A prediction that is missing (None) is the empty text; a truth
that is missing is refused. Undefined is None.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast

from localreg.errors import InvalidInputError
from localreg.metrics.reading import rows_of

__all__ = [
    "Edits",
    "character_edits",
    "character_error_rate",
    "exact_match",
    "normalized",
    "rouge_l",
    "token_f1",
    "word_edits",
    "word_error_rate",
]

ARTICLES = re.compile(r"\b(a|an|the)\b")
WORDS = re.compile(r"[a-z0-9]+")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, blanks made one.

    Source:
        P. Rajpurkar et al., SQuAD, EMNLP 2016, section 6.1, and its evaluation script.
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact_match(
    truth: Iterable[str | Sequence[str]], predicted: Iterable[str | None], *, normalize: bool = True
) -> float | None:
    """Share of predictions that are the truth.

    Args:
        truth: (n,) texts, or several for each.
        predicted: (n,) texts.
        normalize: compare `normalized` texts, as SQuAD does.

    Returns:
        A number in [0, 1]; None if there is no row.

    Raises:
        InvalidInputError: lengths differ, or a value is no text.

    Source:
        P. Rajpurkar et al., SQuAD, EMNLP 2016, section 6.1.
    """
    if normalize:
        return _mean(truth, predicted, lambda true, said: float(normalized(true) == normalized(said)))
    return _mean(truth, predicted, lambda true, said: float(true == said))


def token_f1(truth: Iterable[str | Sequence[str]], predicted: Iterable[str | None]) -> float | None:
    """Mean F1 of the words that truth and prediction share, as bags, `normalized`.

    Returns:
        A number in [0, 1]; None if there is no row. Where either has no words, 1 if both have none, else 0.

    Raises:
        InvalidInputError: lengths differ, or a value is no text.

    Source:
        P. Rajpurkar et al., SQuAD, EMNLP 2016, section 6.1; without words: the script of SQuAD 2.0.
    """
    return _mean(truth, predicted, _token_f1)


class Edits(NamedTuple):
    """What it takes to make one text of another.

    Attributes:
        errors: words or characters to replace, insert and delete.
        length: words or characters of the true text.
    """

    errors: int
    length: int


def word_edits(true: str, said: str) -> Edits:
    """Of words, as `word_error_rate` sums them up."""
    words = true.split()
    return Edits(_edits(words, said.split()), len(words))


def character_edits(true: str, said: str) -> Edits:
    """Of characters, as `character_error_rate` sums them up."""
    return Edits(_edits(true, said), len(true))


def word_error_rate(truth: Iterable[str], predicted: Iterable[str | None]) -> float | None:
    """Words to replace, insert and delete, of all rows together, as a share of the true words.

    Words are what blanks part, as they stand: change case and punctuation before, if they are not to count.

    Returns:
        0 or more, above 1 where much is inserted; None if truth has no words.

    Raises:
        InvalidInputError: lengths differ, or a value is no text.

    Source:
        V. I. Levenshtein, Soviet Physics Doklady 10 (1966) 707; A. C. Morris et al., Interspeech 2004, 2765.
    """
    return _rate(truth, predicted, word_edits, "word_error_rate")


def character_error_rate(truth: Iterable[str], predicted: Iterable[str | None]) -> float | None:
    """Characters to replace, insert and delete, of all rows together, as a share of the true characters.

    Characters are code points, blanks among them, as they stand.

    Returns:
        0 or more, above 1 where much is inserted; None if truth has no characters.

    Raises:
        InvalidInputError: lengths differ, or a value is no text.

    Source:
        As of `word_error_rate`.
    """
    return _rate(truth, predicted, character_edits, "character_error_rate")


def rouge_l(truth: Iterable[str | Sequence[str]], predicted: Iterable[str | None]) -> float | None:
    """Mean F1 of the longest common subsequence of words, in lower case, [a-z0-9] alone, not stemmed.

    Returns:
        A number in [0, 1]; None if there is no row. 0 where either has no words.

    Raises:
        InvalidInputError: lengths differ, or a value is no text.

    Source:
        C.-Y. Lin, ROUGE, ACL Workshop Text Summarization Branches Out (2004), section 3.1, with equal weights.
    """

    def f1(true: str, said: str) -> float:
        a, b = WORDS.findall(true.lower()), WORDS.findall(said.lower())
        return 2 * _common(a, b) / (len(a) + len(b)) if a and b else 0.0

    return _mean(truth, predicted, f1)


def _rate(
    truth: Iterable[str], predicted: Iterable[str | None], edits: Callable[[str, str], Edits], what: str
) -> float | None:
    found = Edits(0, 0)
    for references, said in _rows(truth, predicted):
        if len(references) != 1:
            raise InvalidInputError(f"{what} takes one true text for each row")
        one = edits(references[0], said)
        found = Edits(found.errors + one.errors, found.length + one.length)
    return found.errors / found.length if found.length else None


def _token_f1(true: str, said: str) -> float:
    a, b = normalized(true).split(), normalized(said).split()
    if not a or not b:
        return float(a == b)
    return 2 * sum((Counter(a) & Counter(b)).values()) / (len(a) + len(b))


def _mean(
    truth: Iterable[str | Sequence[str]], predicted: Iterable[str | None], metric: Callable[[str, str], float]
) -> float | None:
    values = [max(metric(true, said) for true in references) for references, said in _rows(truth, predicted)]
    return sum(values) / len(values) if values else None


def _rows(truth: Iterable[str | Sequence[str]], predicted: Iterable[str | None]) -> list[tuple[Sequence[str], str]]:
    if isinstance(truth, str) or isinstance(predicted, str):
        raise InvalidInputError("truth and predicted are columns of texts; put one text into a list")
    true, said = (cast("list[Any]", rows_of(*each)) for each in ((truth, "truth"), (predicted, "predicted")))
    if len(true) != len(said):
        raise InvalidInputError(
            f"truth has shape ({len(true)},) and predicted has shape ({len(said)},); they must be equal"
        )
    rows: list[tuple[Sequence[str], str]] = []
    for number, (one, other) in enumerate(zip(true, said, strict=True)):
        references: Sequence[str] = [one] if isinstance(one, str) else one
        text = "" if other is None else other
        if not isinstance(text, str):
            raise InvalidInputError(f"predicted in row {number} is {other!r}, which is no text")
        if (
            not isinstance(references, list | tuple)
            or not references
            or not all(isinstance(r, str) for r in references)
        ):
            raise InvalidInputError(f"truth in row {number} is {one!r}; it must be a text, or a list of texts")
        rows.append((references, text))
    return rows


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence: a row of the table is one whole number, a bit a column.

    Source:
        M. Crochemore et al., Information Processing Letters 80 (2001) 279.
    """
    places = _places(a)
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & full
    return len(a) - row.bit_count()


def _edits(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein's distance, the differences of a row as two whole numbers.

    Source:
        G. Myers, Journal of the ACM 46 (1999) 395, in the form of H. Hyyrö, 2001.
    """
    if not a:
        return len(b)
    places, full, last = _places(a), (1 << len(a)) - 1, 1 << (len(a) - 1)
    up, down, distance = full, 0, len(a)
    for word in b:
        met = places.get(word, 0)
        level = (((met & up) + up) ^ up) | met | down
        right, left = down | (~(level | up) & full), up & level
        distance += bool(right & last) - bool(left & last)
        right, left = (right << 1) | 1, left << 1
        up, down = (left | ~(level | right)) & full, right & level & full
    return distance


def _places(words: Sequence[str]) -> dict[str, int]:
    """By word: a bit at each place where it stands."""
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    return places
