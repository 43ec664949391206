"""Two models by their definitions: one beside its YAML, one in a git repository. Pushed, loaded, tested, compared.

Neither is imported here: whoever opens the registry can run them by name.

Run it with a folder to work in: python examples/definitions/digits.py [FOLDER]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import localreg
from localreg.workflow import GroundTruth, Inference, ScoredClassificationLabel, TestSample, define_workflow

HERE = Path(__file__).parent
TRAINED = 898


@dataclass(frozen=True)
class Picture(TestSample):
    """A picture of 8 by 8 pixels, from 0 to 16, row by row."""

    number: int
    pixels: list[int]


@dataclass(frozen=True)
class Digit(GroundTruth):
    """The digit that a person saw."""

    label: str


@dataclass(frozen=True)
class Guess(Inference):
    """The digit that a model sees."""

    digit: ScoredClassificationLabel


_, TestCase, TestSuite, Model = define_workflow("Digits", Picture, Digit, Guess)


def main() -> None:
    """Train, register, test, compare."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()).absolute()
    registry = localreg.open(folder / "registry")
    make_suite(registry)
    train(folder)
    for name in ("logistic", "centroids"):
        for each in registry.push(folder / name / "models.yaml"):
            assert each.version is not None
            print(f"{each.name}: version {each.version.version} {each.outcome}")
    with registry.load("digits-logistic") as model:
        picture = {"pixels": load_digits().data[TRAINED].tolist()}
        print(f"the first picture that nobody learnt from: {model.predict([picture])[0]['labels']}")
    for name in ("digits-centroids", "digits-logistic"):
        print(registry.test(name, "digits", "classification"))
    print(registry.compare("digits-centroids", "digits-logistic", suite="digits"))


def make_suite(registry: localreg.Registry) -> None:
    """The pictures that are not learnt from, with what they show."""
    data, labels = load_digits(return_X_y=True)
    pictures = [
        (Picture(number, [int(pixel) for pixel in data[number]]), Digit(str(labels[number])))
        for number in range(TRAINED, len(data))
    ]
    with localreg.use(registry):
        TestSuite("digits", test_cases=[TestCase("digits", test_samples=pictures)])


def train(folder: Path) -> None:
    """Learn from the first pictures, and lay code and weights where the definitions look for them."""
    data, labels = load_digits(return_X_y=True)
    data, labels = data[:TRAINED], labels[:TRAINED]
    for name in ("logistic", "centroids"):
        shutil.copytree(HERE / name, folder / name, dirs_exist_ok=True)
    learnt = LogisticRegression(max_iter=1_000).fit(data / 16, labels)
    weights = folder / "logistic" / "weights"
    weights.mkdir(exist_ok=True)
    np.savez(weights / "logistic.npz", coefficients=learnt.coef_, intercepts=learnt.intercept_, classes=learnt.classes_)
    np.save(folder / "centroids" / "centroids.npy", [data[labels == digit].mean(axis=0) for digit in range(10)])
    os.environ["DIGITS_REPOSITORY"] = str(repository(folder))


def repository(folder: Path) -> Path:
    """A repository with the code of the second model, as one that a team shares."""
    bare, code = folder / "centroids.git", folder / "centroids"
    if not bare.exists():
        who = ("-c", "user.name=ana", "-c", "user.email=ana@example.org")
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", code], check=True)
        subprocess.run(["git", "-C", code, "add", "inference.py", "centroids.npy"], check=True)
        subprocess.run(["git", "-C", code, *who, "commit", "--quiet", "--message=Find the nearest mean"], check=True)
        subprocess.run(["git", "clone", "--quiet", "--bare", code, bare], check=True)
    return bare


if __name__ == "__main__":
    main()
