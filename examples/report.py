"""A report to send around: two classifiers of handwritten digits on one page, with slices, curves and pictures.

Run it from any folder, as often as you like; then open `report.html` in the folder that it names:

    python examples/report.py [folder]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
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


@dataclass(frozen=True)
class DigitPicture(TestSample):
    """A picture in a file; what a report finds under `locator`, it shows."""

    locator: str
    number: int
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Digit(GroundTruth):
    """The digit that a person saw."""

    label: str


@dataclass(frozen=True)
class Guess(Inference):
    """The digit that a model sees, and the probability that it gives it."""

    digit: ScoredClassificationLabel


_, TestCase, TestSuite, Model = define_workflow("Pictures of digits", DigitPicture, Digit, Guess)


def looking_up(probabilities: list[list[float]]) -> Callable[[DigitPicture], Guess]:
    """What a model says of a picture: here, what it said of all of them at once."""

    def infer(picture: DigitPicture) -> Guess:
        own = probabilities[picture.number]
        return Guess(ScoredClassificationLabel(str(own.index(max(own))), max(own)))

    return infer


def main(folder: Path) -> None:
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    localreg.use(registry := localreg.open(folder / "registry"))
    images, digits = load_digits(return_X_y=True)

    # 1. The test suite: the last 899 images, as files, with how much ink there is on each.
    samples = []
    for number in range(898, 1797):
        file = pictures / f"{number}.png"
        if not file.exists():
            Image.fromarray((255 - images[number].reshape(8, 8) * 15.9).astype("uint8")).save(file)
        ink = {"ink": round(float(images[number].mean()), 3)}
        samples.append((DigitPicture(str(file), number, ink), Digit(str(digits[number]))))
    suite = TestSuite("digits", test_cases=[TestCase("last 899", test_samples=samples)])

    # 2. Two models, each run on it.
    classifiers = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "svc": CalibratedClassifierCV(SVC(gamma=0.001), ensemble=False),
    }
    for name, classifier in classifiers.items():
        classifier.fit(images[:898], digits[:898])
        test(Model(name, looking_up(classifier.predict_proba(images).tolist())), suite)

    # 3. The report: by how much ink there is, in five slices.
    comparison = registry.compare("logistic", "svc", suite="digits", by="metadata.ink", bins=5)
    print(comparison)
    print(f"\nthe plots: {', '.join(comparison.plots())}")
    print(f"the report: {comparison.to_html(folder / 'report.html', samples=20)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "report")
