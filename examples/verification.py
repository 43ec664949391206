"""Do two images show the same digit? Face recognition 1:1, with scikit-learn's handwritten digits for faces.

Each image is extracted once, its embedding kept, and each pair compared once, by two models. Run it from any folder, as
often as you like:

    python examples/verification.py [registry]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score

import localreg
from localreg.fr import InferenceModel, TestCase, TestSuite, test

Vector = npt.NDArray[np.float32]
Embed = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
IMAGES, DIGITS = load_digits(return_X_y=True)
TRAIN, HELD_OUT = slice(0, 898), range(1697, 1797)


def locator(number: int) -> str:
    return f"sklearn/digits/{number}"


def extracting(embed: Embed) -> Callable[[str], npt.NDArray[np.float64] | None]:
    """From a locator to an embedding. What has hardly any ink fails to enrol, as a face does that is not found."""

    def extract(locator: str) -> npt.NDArray[np.float64] | None:
        pixels = IMAGES[int(locator.rpartition("/")[2])]
        return None if pixels.sum() < 258 else embed(pixels[None])[0]

    return extract


def cosine(a: Vector, b: Vector) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def main(folder: str) -> None:
    registry = localreg.open(folder)
    localreg.use(registry)
    pairs = [(locator(a), locator(b), bool(DIGITS[a] == DIGITS[b])) for a, b in combinations(HELD_OUT, 2)]
    suite = TestSuite("digits 1:1", baseline_test_cases=[TestCase("last 100", test_samples=pairs)])

    embeddings: dict[str, Embed] = {
        "pca": PCA(16, random_state=0).fit(IMAGES[TRAIN]).transform,
        "lda": LinearDiscriminantAnalysis().fit(IMAGES[TRAIN], DIGITS[TRAIN]).transform,
    }
    print(f"{'model':<6}{'pairs':>7}{'no similarity':>15}{'AUC':>8}{'accuracy':>10}{'at':>8}")
    for name, embed in embeddings.items():
        model = InferenceModel(name, extracting(embed), cosine, metadata={"framework": "scikit-learn"})
        test(model, suite)  # a second run of this script extracts and compares nothing again
        results = model.load_pair_results(suite).arrow()
        compared = results.drop_null()
        is_same, similarity = compared["is_same"].to_numpy(), compared["similarity"].to_numpy()
        thresholds = np.unique(similarity)
        right = [((similarity >= threshold) == is_same).mean() for threshold in thresholds]
        best = int(np.argmax(right))
        failed = len(results) - len(compared)
        auc = roc_auc_score(is_same, similarity)
        print(f"{name:<6}{len(results):>7}{failed:>15}{auc:>8.4f}{right[best]:>10.4f}{thresholds[best]:>8.3f}")

    print("\nwhat was extracted, by SQL:")
    print(
        registry.sql(
            """SELECT model, count(*) AS images, count(*) FILTER (failed) AS failed, max(len(embedding)) AS numbers
            FROM embeddings GROUP BY ALL ORDER BY ALL"""
        )
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent / "verification-registry"))
