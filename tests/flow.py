"""The quickstart's flow, small, for tests of places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import localreg
from localreg import Registry
from localreg.workflow import GroundTruth, Inference, ScoredClassificationLabel, TestSample, define_workflow, test


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredClassificationLabel


def guesses(said: Mapping[str, str]) -> Callable[[Photo], Guess]:
    return lambda photo: Guess(ScoredClassificationLabel(said[photo.locator], 0.9))


def compare_two_models(registry: Registry) -> str:
    """The quickstart's flow, small: a suite, two models run on it, a comparison; as text."""
    _, TestCase, TestSuite, Model = define_workflow("Animals", Photo, Animal, Guess)
    truth = {f"{number}.png": ("cat", "dog")[number % 2] for number in range(20)}
    with localreg.use(registry):
        case = TestCase(
            "farm", test_samples=[(Photo(name), Animal(label)) for name, label in truth.items()], reset=True
        )
        suite = TestSuite("animals", test_cases=[case], reset=True)
        for name, said in {"old": dict.fromkeys(truth, "cat"), "new": truth}.items():
            test(Model(name, guesses(said)), suite)
    return str(registry.compare("old", "new", suite="animals"))
