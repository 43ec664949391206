"""A workflow of labels, for tests of what is made of comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localreg.workflow import GroundTruth, Inference, ScoredClassificationLabel, TestSample, define_workflow, test


@dataclass(frozen=True)
class Photo(TestSample):
    n: int


@dataclass(frozen=True)
class Word(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredClassificationLabel


_, Case, Suite, Net = define_workflow("Animals", Photo, Word, Guess)

Labels = Mapping[int, str]


def animal_case(name: str, truths: Labels) -> Any:
    return Case(name, test_samples=[(Photo(n), Word(label)) for n, label in truths.items()])


def animal_suite(name: str, cases: Iterable[Any]) -> None:
    Suite(name, test_cases=list(cases))


def run_animals(model: str, labels: Labels, suite: str) -> None:
    """Run a model that says these labels."""
    test(Net(model, lambda photo: Guess(ScoredClassificationLabel(labels[photo.n], 0.5))), Suite(suite))
