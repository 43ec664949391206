"""Is the new model better, and where? Two classifiers on scikit-learn's handwritten digits, run, compared, sliced.

Run it from any folder, as often as you like:

    python examples/quickstart.py [registry]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
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


# 1. The problem: what goes in, what should come out, what does come out.
@dataclass(frozen=True)
class DigitImage(TestSample):
    """One of the 1,797 images, by its place in the data set, with what else is known of it."""

    number: int
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Digit(GroundTruth):
    """The digit that a person saw."""

    label: str


@dataclass(frozen=True)
class Guess(Inference):
    """The digit that a model sees."""

    digit: ScoredClassificationLabel


_, TestCase, TestSuite, Model = define_workflow("Handwritten digits", DigitImage, Digit, Guess)


def git_commit() -> str | None:
    """The commit of the code that trains, if it lies in a git repository."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def looking_up(labels: Sequence[str], scores: Sequence[float]) -> Callable[[DigitImage], Guess]:
    """What a model says of an image: here, what it said of all of them at once."""

    def infer(image: DigitImage) -> Guess:
        return Guess(ScoredClassificationLabel(str(labels[image.number]), float(scores[image.number])))

    return infer


def main(folder: str) -> None:
    registry = localreg.open(folder)
    localreg.use(registry)
    images, digits = load_digits(return_X_y=True)
    train, held_out = slice(0, 898), range(898, 1797)

    # 2. The test suite: the last 899 images. How much ink there is on each, from 0 to 16, may matter.
    ink = images.mean(axis=1)
    samples = [(DigitImage(n, {"ink": float(ink[n])}), Digit(str(digits[n]))) for n in held_out]
    case = TestCase("last 899", test_samples=samples)
    suite = TestSuite("digits", test_cases=[case])

    # 3. Two models, each run on the suite. A second run of this script infers nothing again.
    classifiers = {
        "digits-logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "digits-svc": SVC(gamma=0.001),
    }
    for name, classifier in classifiers.items():
        classifier.fit(images[train], digits[train])
        labels, scores = classifier.predict(images), classifier.decision_function(images).max(axis=1)
        metadata = {"framework": "scikit-learn", "commit": git_commit(), "dataset": "sklearn.datasets.load_digits"}
        model = Model(name, looking_up(labels, scores))
        model.update(metadata=metadata)
        test(model, suite)

    # 4. Which is better, on which images, and is it luck?
    comparison = registry.compare("digits-logistic", "digits-svc", suite="digits")
    print(comparison)
    print("\nbroken by the new model:")
    print(comparison.broken)

    # 5. Where is it better? Four slices, each with a quarter of the images; nothing is inferred again.
    slices = suite.stratify(by="metadata.ink", bins=4, name="digits by ink")
    print("\naccuracy by ink:")
    for row in registry.compare("digits-logistic", "digits-svc", suite=slices.name).rows:
        if row.metric == "accuracy":
            name = "all" if row.test_case is None else row.test_case.removeprefix(f"{slices.name}: ")
            print(f"  {name:<26} {row.a:.6f} → {row.b:.6f}  {row.fixed} fixed, {row.broken} broken: {row.verdict}")

    # 6. The better one goes to production; the audit log knows who moved it, and when.
    registry.get_model("digits-svc").set_alias("production", "1")
    print("\nmodels by metadata:")
    print(registry.sql("SELECT name, latest_version, aliases, metadata->>'dataset' AS dataset FROM models"))
    print("\naudit log:")
    print(registry.sql("SELECT commit, event, time, actor, action, kind, name FROM audit_events"))
    print(f"\n{registry.verify()}")

    print(f"\nthe directory {folder}:")
    for path in sorted(Path(folder).rglob("*")):
        depth = len(path.relative_to(folder).parts)
        print(f"{'  ' * depth}{path.name}{'/' if path.is_dir() else f'  {path.stat().st_size:,} bytes'}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent / "registry"))
