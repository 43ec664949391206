"""The named evaluator `text`: test and compare on real data, and by oracles."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localreg import Gate, InvalidInputError, Registry
from localreg.metrics import character_error_rate, exact_match, rouge_l, token_f1, word_error_rate
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test

datasets = pytest.importorskip("sklearn.datasets")


@dataclass(frozen=True)
class Line(TestSample):
    n: int
    source: str = ""


@dataclass(frozen=True)
class Spoken(GroundTruth):
    text: str | None


@dataclass(frozen=True)
class Heard(Inference):
    text: str | None
    score: float = 0.0


@dataclass(frozen=True)
class Answers(GroundTruth):
    question: str
    answer: list[str]


@dataclass(frozen=True)
class Answer(Inference):
    answer: str


@dataclass(frozen=True)
class Shouted(GroundTruth):
    volume: float


_, Case, Suite, Net = define_workflow("Speech", Line, Spoken, Heard)
_, AnswerCase, AnswerSuite, AnswerNet = define_workflow("Answers", Line, Answers, Answer)
_, LoudCase, LoudSuite, LoudNet = define_workflow("Loud", Line, Shouted, Heard)

LINES = [
    (name, line.strip())
    for name in ("iris", "wine", "diabetes")
    for line in getattr(datasets, f"load_{name}")().DESCR.splitlines()
    if len(line.split()) > 3
]


def heard(share: float) -> list[str]:
    """The lines with so many of the words lost or swapped, as a poor transcript has them."""
    dice, said = random.Random(f"heard {share}"), []
    for _, line in LINES:
        words: list[str] = []
        for word in line.split():
            chance = dice.random()
            if chance >= share:
                words.append(word)
            elif chance >= share / 2:
                words += [word[::-1], "eh"]
        said.append(" ".join(words))
    return said


def speech() -> Any:
    content = [(Line(n, source), Spoken(line)) for n, (source, line) in enumerate(LINES)]
    return Suite("s", test_cases=[Case("first", test_samples=content[:40]), Case("second", test_samples=content[30:])])


def net(name: str, share: float) -> Any:
    said = heard(share)
    return Net(name, lambda line: Heard(said[line.n]))


def distance(a: Any, b: Any) -> int:
    """Levenshtein's, by the table."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
        row = new
    return row[-1]


def test_texts_are_measured_as_localreg_metrics_does(registry: Registry) -> None:
    found = test(net("m", 0.2), speech(), "text").results()
    truth, said = [line for _, line in LINES], heard(0.2)
    for own, rows in (
        (found.suite, slice(None)),
        (found.cases["first"], slice(40)),
        (found.cases["second"], slice(30, None)),
    ):
        assert own is not None
        some = truth[rows], said[rows]
        assert (own["n"], own["left_out"]) == (len(some[0]), 0)
        assert own["exact_match_rate"] == pytest.approx(exact_match(*some))
        assert own["mean_token_f1"] == pytest.approx(token_f1(*some))
        assert own["mean_rouge_l"] == pytest.approx(rouge_l(*some))
        assert own["corpus_word_error_rate"] == pytest.approx(word_error_rate(*some))
        assert own["corpus_character_error_rate"] == pytest.approx(character_error_rate(*some))
    each = [sample.metrics for sample in found.samples]
    words = [distance(a.split(), b.split()) for a, b in zip(truth, said, strict=True)]
    assert [own["word_errors"] for own in each] == words
    assert [own["word_error_rate"] for own in each] == pytest.approx(
        [errors / len(line.split()) for errors, line in zip(words, truth, strict=True)]
    )
    assert [own["character_errors"] for own in each][:20] == [
        distance(a, b) for a, b in zip(truth[:20], said[:20], strict=True)
    ]
    assert [own["characters"] for own in each] == [len(line) for line in truth]
    assert found.suite is not None
    assert found.suite["corpus_word_error_rate"] == pytest.approx(sum(words) / sum(len(a.split()) for a in truth))


def test_texts_are_compared_with_intervals_of_corpus_error_rates(registry: Registry) -> None:
    suite = speech()
    test(net("poor", 0.3), suite, "text")
    test(net("good", 0.1), suite, "text")
    comparison = registry.compare("poor", "good", suite="s", evaluator="text", by="source")
    truth = [line for _, line in LINES]
    errors = comparison.row("corpus_word_error_rate")
    assert (errors.a, errors.b) == pytest.approx([word_error_rate(truth, heard(share)) for share in (0.3, 0.1)])
    assert errors.low is not None
    assert errors.high is not None
    assert errors.low < errors.high < 0
    assert (
        errors.verdict == comparison.row("word_error_rate").verdict == comparison.row("token_f1").verdict == "improved"
    )
    wine = [place for place, (name, _) in enumerate(LINES) if name == "wine"]
    (of_wine,) = (row for row in comparison.rows if (row.metric, row.slice) == ("corpus_character_error_rate", "wine"))
    assert of_wine.b == pytest.approx(character_error_rate([truth[n] for n in wine], [heard(0.1)[n] for n in wine]))
    right = [np.array([exact_match([a], [b]) == 1 for a, b in zip(truth, heard(s), strict=True)]) for s in (0.3, 0.1)]
    assert [row["sample"]["n"] for row in comparison.fixed] == np.flatnonzero(right[1] & ~right[0]).tolist()
    names = {row.metric for row in comparison.rows}
    assert not names & {"words", "n", "mean_rouge_l", "exact_match_rate"}, "they are asked for by name"
    again = registry.compare("poor", "good", suite="s", evaluator="text", metrics=["mean_rouge_l", "words"])
    assert again.row("mean_rouge_l").p == comparison.row("rouge_l").p
    assert again.row("words").verdict == "equal"
    other = registry.compare("poor", "good", suite="s", evaluator="text", better={"token_f1": "lower"})
    assert other.row("token_f1").verdict == "regressed", "who asks knows better"


def test_the_page_shows_what_was_said_and_how_it_was_measured(registry: Registry, tmp_path: Path) -> None:
    suite = speech()
    test(net("poor", 0.3), suite, "text")
    test(net("good", 0.1), suite, "text")
    comparison = registry.compare("poor", "good", suite="s", evaluator="text")
    comparison.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    place = next(iter(comparison.broken))["sample"]["n"]
    # Words in which an answer differs from the truth are marked: read either way, without the marks.
    readings = [re.sub("<[^>]+>", "", re.sub(f"<{mark}>.*?</{mark}>", "", page)) for mark in ("del", "ins")]
    readings = [" ".join(each.split()) for each in readings]
    for said in (LINES[place][1], heard(0.3)[place], heard(0.1)[place]):
        assert any(escape(" ".join(said[:30].split())) in each for each in readings)
    assert "true → false" in page


@pytest.mark.parametrize("more", [{"bootstrap": 200}, {"group_by": "n % 12"}])
def test_corpus_error_rates_have_intervals_of_any_kind(registry: Registry, more: dict[str, Any]) -> None:
    suite = speech()
    test(net("poor", 0.3), suite, "text")
    test(net("good", 0.1), suite, "text")
    plain, found = (
        registry.compare("poor", "good", suite="s", evaluator="text", metrics=["corpus_word_error_rate"], **each).row(
            "corpus_word_error_rate"
        )
        for each in ({}, more)
    )
    assert (found.a, found.b) == (plain.a, plain.b)
    assert found.low is not None
    assert found.low != plain.low
    assert found.verdict == "improved"


def test_a_gate_knows_that_errors_are_worse(registry: Registry) -> None:
    suite = speech()
    test(net("poor", 0.3), suite, "text")
    test(net("good", 0.1), suite, "text")
    for names, passes in ((("poor", "good"), True), (("good", "poor"), False)):
        comparison = registry.compare(*names, suite="s", evaluator="text")
        result = comparison.gate({"corpus_word_error_rate": Gate(margin=0.01), "word_error_rate": Gate(max_drop=0.01)})
        assert result.passed is passes, str(result)


def test_of_several_answers_the_best_counts(registry: Registry) -> None:
    content = {
        0: (["the red house", "a house"], "House!"),
        1: (["red house", "a big red house"], "a big red horse"),
        2: (["", "two words"], ""),
        3: (["", "b"], "b c"),
        4: ([], "anything"),
    }
    samples = [(Line(n), Answers("which?", answers)) for n, (answers, _) in content.items()]
    held = AnswerSuite("a", test_cases=[AnswerCase("c", test_samples=samples)])
    found = test(AnswerNet("m", lambda line: Answer(content[line.n][1])), held, "text").results()
    each = [sample.metrics for sample in found.samples]
    assert [own["exact_match"] for own in each] == [True, False, True, False, None]
    assert [own["word_errors"] for own in each] == [2, 1, 0, 1, None]
    assert [own["word_error_rate"] for own in each] == [1, 0.25, None, 1, None]
    assert [own["token_f1"] for own in each] == pytest.approx([1, 2 / 3, 1, 2 / 3, None], nan_ok=True)
    assert found.suite is not None
    assert (found.suite["n"], found.suite["left_out"]) == (4, 1)
    assert found.suite["corpus_word_error_rate"] == pytest.approx((2 + 1 + 0 + 1) / (2 + 4 + 0 + 1))


def test_no_answer_is_the_empty_text_and_a_skip_is_left_out(registry: Registry) -> None:
    content = [(Line(n), Spoken(None if n == 2 else "one two")) for n in range(4)]
    held = Suite("t", test_cases=[Case("t", test_samples=content)])
    said = {0: Heard("one two"), 1: Heard(None), 2: Heard("x"), 3: None}
    found = test(Net("m", lambda line: said[line.n]), held, "text").results()
    assert [each.metrics["word_error_rate"] for each in found.samples] == [0, 1, None, None]
    assert found.suite is not None
    assert (found.suite["n"], found.suite["left_out"]) == (2, 2)
    nothing = test(Net("none", lambda line: None), held, "text").results()
    assert nothing.suite is not None
    assert (nothing.suite["n"], nothing.suite["corpus_word_error_rate"]) == (0, None)


def test_types_without_a_text_are_refused(registry: Registry) -> None:
    held = LoudSuite("s", test_cases=[LoudCase("c", test_samples=[(Line(0), Shouted(1.0))])])
    with pytest.raises(
        InvalidInputError,
        match=r"evaluator 'text' cannot tell what to look at in ground truth 'Shouted': one field with a text \(str\), "
        r"or a list of texts \(list\[str\]\) is needed, and there is none",
    ):
        test(LoudNet("m", lambda line: Heard("x")), held, "text")
