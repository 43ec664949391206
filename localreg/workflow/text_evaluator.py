"""The evaluator `text`: a text in the inference, one in the ground truth, or several that would all be right.

Answers, transcripts, summaries. Of several texts the best counts, of each metric by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from localreg.metrics.text import Edits, character_edits, exact_match, rouge_l, token_f1, word_edits
from localreg.tables import Node
from localreg.workflow.evaluator import MetricsTestCase, MetricsTestSample, MetricsTestSuite
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.gathered_metrics import mean_of, results_of
from localreg.workflow.meaning import Ratio, meaning
from localreg.workflow.shapes import Shape, fields_of

__all__ = ["TextOfCase", "TextOfSample", "TextOfSuite", "text"]

HIGHER, LOWER, ASIDE = meaning(better="higher"), meaning(better="lower"), meaning(aside=True)


@dataclass(frozen=True)
class TextOfSample(MetricsTestSample):
    """Of one sample; all None where the model skipped it, or the ground truth has no text."""

    exact_match: bool | None = field(default=None, metadata=HIGHER)
    """Normalised: without case, punctuation and articles. What is right, or wrong."""
    token_f1: float | None = field(default=None, metadata=HIGHER)
    rouge_l: float | None = field(default=None, metadata=HIGHER)
    word_error_rate: float | None = field(default=None, metadata=LOWER)
    """None, too, where the ground truth has no words."""
    character_error_rate: float | None = field(default=None, metadata=LOWER)
    word_errors: int | None = field(default=None, metadata=meaning(better="lower", aside=True))
    words: int | None = field(default=None, metadata=ASIDE)
    """Of the ground truth; of several, of that with the lowest word error rate."""
    character_errors: int | None = field(default=None, metadata=meaning(better="lower", aside=True))
    characters: int | None = field(default=None, metadata=ASIDE)


@dataclass(frozen=True)
class TextOfCase(MetricsTestCase):
    """Of the samples that have both; None where undefined, as in `localreg.metrics.text`."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Samples that were skipped, or have no text in the ground truth."""
    exact_match_rate: float | None = field(metadata=meaning(better="higher", mean_of="exact_match"))
    mean_token_f1: float | None = field(metadata=meaning(better="higher", mean_of="token_f1"))
    mean_rouge_l: float | None = field(metadata=meaning(better="higher", mean_of="rouge_l"))
    corpus_word_error_rate: float | None = field(
        metadata=meaning(better="lower", ratio=Ratio(of={"word_errors": 1}, to={"words": 1}))
    )
    """Errors of all samples, as a share of the words of all."""
    corpus_character_error_rate: float | None = field(
        metadata=meaning(better="lower", ratio=Ratio(of={"character_errors": 1}, to={"characters": 1}))
    )


@dataclass(frozen=True)
class TextOfSuite(TextOfCase, MetricsTestSuite):
    """The same of all samples of the suite, each once."""


def text(
    test_samples: Sequence[Any], ground_truths: Sequence[Any], inferences: Sequence[Any], test_cases: TestCases
) -> EvaluationResults:
    """Exact match, F1 of words, ROUGE-L, word and character error rate.

    Raises:
        InvalidInputError: the types have not one text each, or a list of texts in the ground truth.
    """
    of_truth, of_said = fields_of(
        "text",
        ground_truths,
        inferences,
        Shape("a text (str), or a list of texts (list[str])", lambda node: _is_text(node) or _is_texts(node)),
        Shape("a text (str)", _is_text),
    )
    metrics = [
        _of_sample(of_truth.of(truth), None if said is None else [of_said.of(said)])
        for truth, said in zip(ground_truths, inferences, strict=True)
    ]
    given = (test_samples, ground_truths, inferences, test_cases)
    return results_of(
        given,
        metrics,
        of_case=TextOfCase,
        of_suite=TextOfSuite,
        summed=lambda places: _of_all([metrics[place] for place in places]),
    )


def _is_text(node: Node) -> bool:
    return node.type == "str"


def _is_texts(node: Node) -> bool:
    return node.type == "list" and node.items is not None and node.items.type == "str"


def _of_sample(truth: str | Sequence[str] | None, said: list[str | None] | None) -> TextOfSample:
    """Of a ground truth, and the text of an inference; no inference at all is None."""
    references = [truth] if isinstance(truth, str) else [each for each in truth or () if each is not None]
    if not references or said is None:
        return TextOfSample()
    words = _best([word_edits(each, said[0] or "") for each in references])
    characters = _best([character_edits(each, said[0] or "") for each in references])
    return TextOfSample(
        exact_match=exact_match([references], said) == 1,
        token_f1=token_f1([references], said),
        rouge_l=rouge_l([references], said),
        word_error_rate=_rate(words),
        character_error_rate=_rate(characters),
        word_errors=words.errors,
        words=words.length,
        character_errors=characters.errors,
        characters=characters.length,
    )


def _rate(edits: Edits) -> float | None:
    return edits.errors / edits.length if edits.length else None


def _best(edits: Sequence[Edits]) -> Edits:
    """Those of the lowest rate; a text of nothing is right if nothing was said, and else comes last."""

    def badness(each: Edits) -> tuple[float, int]:
        return (each.errors / each.length if each.length else inf if each.errors else 0.0), each.errors

    return min(edits, key=badness)


def _of_all(metrics: Sequence[TextOfSample]) -> dict[str, Any]:
    known = [each for each in metrics if each.exact_match is not None]
    sums = {
        name: sum(getattr(each, name) for each in known)
        for name in ("word_errors", "words", "character_errors", "characters")
    }
    return {
        "n": len(known),
        "left_out": len(metrics) - len(known),
        "exact_match_rate": mean_of(each.exact_match for each in known),
        "mean_token_f1": mean_of(each.token_f1 for each in known),
        "mean_rouge_l": mean_of(each.rouge_l for each in known),
        "corpus_word_error_rate": _rate(Edits(sums["word_errors"], sums["words"])),
        "corpus_character_error_rate": _rate(Edits(sums["character_errors"], sums["characters"])),
    }
