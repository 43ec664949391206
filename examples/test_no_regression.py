"""A test suite of models, to copy: two versions of a classifier, and a test that fails if the newer one is worse.

    pytest examples/test_no_regression.py

Keep the registry, and with it the baseline, in a folder or a bucket; accept a version as the new baseline:

    pytest examples/test_no_regression.py --localreg-uri models
    pytest examples/test_no_regression.py --localreg-uri models --localreg-update-baseline
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sklearn.datasets import load_digits
from sklearn.svm import SVC

import localreg
from localreg.workflow import (
    GroundTruth,
    Inference,
    Metadata,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    test,
)


@dataclass(frozen=True)
class Digit(TestSample):
    """One of the images of handwritten digits, by its place in the data set."""

    number: int
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Label(GroundTruth):
    """The digit that a person saw."""

    label: str


@dataclass(frozen=True)
class Guess(Inference):
    """The digit that a model sees."""

    digit: ScoredClassificationLabel


_, TestCase, TestSuite, Model = define_workflow("Digits", Digit, Label, Guess)
HELD_OUT = range(898, 1797)


def classifier(gamma: float) -> Callable[[Digit], Guess]:
    images, digits = load_digits(return_X_y=True)
    labels = SVC(gamma=gamma).fit(images[:898], digits[:898]).predict(images)
    return lambda digit: Guess(ScoredClassificationLabel(str(labels[digit.number]), 1.0))


@pytest.fixture(scope="session")
def digits(localreg_shared_registry: localreg.Registry) -> localreg.Registry:
    """The registry, with a test suite and two versions of a model that were run on it; made once."""
    with localreg.use(localreg_shared_registry):
        images, labels = load_digits(return_X_y=True)
        content = [(Digit(n, {"ink": float(images[n].mean())}), Label(str(labels[n]))) for n in HELD_OUT]
        suite = TestSuite("digits", test_cases=[TestCase("held out", test_samples=content)])
        model = localreg_shared_registry.create_model("svc", exist_ok=True)
        for version, gamma in (("1", 0.0005), ("2", 0.001)):
            model.create_version(version, exist_ok=True)
            test(Model(f"svc@{version}", classifier(gamma)), suite)
        if "baseline" not in model.aliases():
            model.set_alias("baseline", "1")
    return localreg_shared_registry


def test_the_newest_version_is_no_worse_than_the_baseline(
    digits: localreg.Registry, assert_no_regression: Callable[..., localreg.Comparison]
) -> None:
    assert_no_regression("svc", "svc@baseline", "digits", by="metadata.ink", margin=0.01)
