"""Inferences that were made elsewhere, brought in: the model looks them up by locator, in a CSV file.

The file here is made of what a classifier says of scikit-learn's handwritten digits; two images are not in it. Run it
from any folder, as often as you like:

    python examples/inferences_from_csv.py [registry]
"""

from __future__ import annotations

import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

import localreg
from localreg.workflow import GroundTruth, Image, Inference, ScoredClassificationLabel, define_workflow, test


@dataclass(frozen=True)
class Digit(GroundTruth):
    """The digit that a person saw."""

    label: str


@dataclass(frozen=True)
class Guess(Inference):
    """The digit that the model sees."""

    digit: ScoredClassificationLabel | None = None


Empty = Guess
"""What stands for an image of which the file says nothing: no digit was seen."""

_, TestCase, TestSuite, Model = define_workflow("Digits from a file", Image, Digit, Guess)
IMAGES, DIGITS = load_digits(return_X_y=True)
TRAIN, HELD_OUT = slice(0, 898), range(898, 1797)


def locator(number: int) -> str:
    return f"sklearn/digits/{number}.png"


def write(file: Path) -> None:
    """What another program left: locator, label, score."""
    shares = GaussianNB().fit(IMAGES[TRAIN], DIGITS[TRAIN]).predict_proba(IMAGES)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["locator", "label", "score"])
        writer.writerows([locator(n), int(shares[n].argmax()), shares[n].max()] for n in HELD_OUT[:-2])


def read(file: Path) -> dict[str, Guess]:
    """The inferences by locator."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        return {row["locator"]: Guess(ScoredClassificationLabel(row["label"], float(row["score"]))) for row in rows}


def main(folder: str) -> None:
    registry = localreg.open(folder)
    localreg.use(registry)
    case = TestCase("last 899", test_samples=[(Image(locator(n)), Digit(str(DIGITS[n]))) for n in HELD_OUT])
    suite = TestSuite("digits", test_cases=[case])
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "inferences.csv"
        write(file)
        inferences = read(file)

    test(Model("from the file", lambda image: inferences.get(image.locator, Empty())), suite)
    right = registry.sql(
        """SELECT count(*) AS images, count(i.digit) AS told, count(*) FILTER (i.digit.label = g.label) AS right,
            round(count(*) FILTER (i.digit.label = g.label) / count(*), 6) AS accuracy
        FROM "Digits from a file".inferences i JOIN "Digits from a file".ground_truths g USING (sample_idx)"""
    )
    print(right)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent / "csv-registry"))
