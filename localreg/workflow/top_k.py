"""Ranked lists, as evaluators are given them: how many of their first places count, and what stands where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localreg.errors import InvalidInputError
from localreg.metrics.reading import whole_number_of
from localreg.workflow.evaluator import EvaluatorConfiguration

__all__ = ["TopK", "ranking_scores"]


@dataclass(frozen=True)
class TopK(EvaluatorConfiguration):
    """How many of the first places count.

    Raises:
        InvalidInputError: k is no whole number from 1.
    """

    k: int

    def __post_init__(self) -> None:
        whole_number_of(self.k, "k")

    def display_name(self) -> str:
        """Such as `k=10`."""
        return f"k={self.k}"


def ranking_scores(listed: Mapping[str, float | None], what: str) -> list[float]:
    """Numbers by which what is listed is ranked: its scores, or, where it has none, falling ones by its place.

    Raises:
        InvalidInputError: some have scores and others not.
    """
    scores = [score for score in listed.values() if score is not None]
    if len(scores) == len(listed):
        return scores
    if scores:
        raise InvalidInputError(f"{what} has scores for {len(scores)} of {len(listed)}; give all of them one, or none")
    return [float(-place) for place in range(len(listed))]
