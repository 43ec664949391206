from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import character_error_rate, exact_match, rouge_l, token_f1, word_error_rate

words = st.lists(st.sampled_from(["the", "cat", "Cat!", "a", "sat,", "ö", "mat.", "--"]), max_size=9).map(" ".join)
rows = st.lists(st.tuples(words, words), max_size=5)


def squad_tokens(text: str) -> list[str]:
    """As the evaluation script of SQuAD does it, step by step."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def squad_f1(truth: str, predicted: str) -> float:
    gold, said = squad_tokens(truth), squad_tokens(predicted)
    common = Counter(gold) & Counter(said)
    if not gold or not said:
        return float(gold == said)
    same = sum(common.values())
    if not same:
        return 0.0
    precision, recall = same / len(said), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def table(a: Sequence[object], b: Sequence[object]) -> tuple[int, int]:
    """Levenshtein's distance and the longest common subsequence, by the whole table."""
    edits = [[max(i, j) if not (i and j) else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    common = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            edits[i][j] = min(edits[i - 1][j] + 1, edits[i][j - 1] + 1, edits[i - 1][j - 1] + (x != y))
            common[i][j] = common[i - 1][j - 1] + 1 if x == y else max(common[i - 1][j], common[i][j - 1])
    return edits[-1][-1], common[-1][-1]


@given(rows)
def test_answers_are_scored_as_squad_does(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not pairs:
        assert exact_match(truth, predicted) is token_f1(truth, predicted) is None
        return
    same = [squad_tokens(gold) == squad_tokens(said) for gold, said in pairs]
    assert exact_match(truth, predicted) == sum(same) / len(pairs)
    assert exact_match(truth, predicted, normalize=False) == sum(gold == said for gold, said in pairs) / len(pairs)
    expected = sum(squad_f1(*pair) for pair in pairs) / len(pairs)
    assert token_f1(truth, predicted) == pytest.approx(expected, abs=1e-12)


@given(rows)
def test_word_error_rate_is_edits_of_all_by_words_of_all(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    total = sum(len(gold.split()) for gold in truth)
    edits = sum(table(gold.split(), said.split())[0] for gold, said in pairs)
    assert word_error_rate(truth, predicted) == (edits / total if total else None)


@given(rows)
def test_rouge_is_the_longest_common_subsequence(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = []
    for gold, said in pairs:
        a, b = (re.findall("[a-z0-9]+", text.lower()) for text in (gold, said))
        expected.append(2 * table(a, b)[1] / (len(a) + len(b)) if a and b else 0.0)
    assert rouge_l(truth, predicted) == (pytest.approx(sum(expected) / len(pairs)) if pairs else None)


@given(st.lists(st.integers(0, 3), max_size=150), st.lists(st.integers(0, 3), max_size=150))
def test_long_texts_are_compared_right_beyond_a_machine_word(a: list[int], b: list[int]) -> None:
    gold, said = " ".join(map(str, a)), " ".join(map(str, b))
    edits, common = table(a, b)
    if a:
        assert word_error_rate([gold], [said]) == edits / len(a)
    if a and b:
        assert rouge_l([gold], [said]) == pytest.approx(2 * common / (len(a) + len(b)))


def test_known_answers() -> None:
    assert word_error_rate(["the cat sat"], ["the cat sat on it"]) == pytest.approx(2 / 3)
    assert word_error_rate(["police killed the gunman"], ["police kill the gunman"]) == 0.25
    assert rouge_l(["police killed the gunman"], ["police kill the gunman"]) == 0.75
    assert rouge_l(["police killed the gunman"], ["the gunman kill police"]) == 0.5
    assert token_f1(["The Denver Broncos"], ["denver"]) == pytest.approx(2 / 3)


def test_the_best_of_several_truths_counts() -> None:
    assert exact_match([["Paris", "the city of Paris"], "Rome"], ["City of Paris.", None]) == 0.5
    assert token_f1([("x", "a b c")], ["b c"]) == 1.0
    with pytest.raises(InvalidInputError, match="one true text"):
        word_error_rate([["a", "b"]], ["a"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (["a"], ["a", "b"], "shape"),
        ("a", ["a"], "columns of texts"),
        (["a"], "a", "columns of texts"),
        ([None], ["a"], "truth in row 0 is None"),
        ([[]], ["a"], r"truth in row 0 is \[\]"),
        (["a", 3], ["a", "b"], "truth in row 1 is 3"),
        (["a"], [3], "predicted in row 0 is 3"),
        ([["a", 3]], ["a"], "truth in row 0"),
    ],
)
def test_what_is_no_text_is_refused(truth: Any, predicted: Any, message: str) -> None:
    for act in (exact_match, token_f1, word_error_rate, rouge_l):
        with pytest.raises(InvalidInputError, match=message):
            act(truth, predicted)


def test_character_error_rate_is_that_of_all_characters_together() -> None:
    truth, said = ["kitten", "", "a b"], ["sitting", "x", None]
    assert character_error_rate(truth, said) == (3 + 1 + 3) / (6 + 0 + 3)
    assert character_error_rate([""], ["x"]) is None
    with pytest.raises(InvalidInputError, match="character_error_rate takes one true text for each row"):
        character_error_rate([["a", "b"]], ["a"])  # type: ignore[list-item]
