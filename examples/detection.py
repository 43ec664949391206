"""Which detector finds the coins? Boxes from the pixels of scikit-image's photograph of coins, two detectors compared.

Run it from any folder, as often as you like; then look where they differ with `localreg -r REGISTRY ui`:

    python examples/detection.py [registry]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.data import coins
from skimage.filters import sobel, threshold_otsu
from skimage.measure import label, regionprops
from skimage.segmentation import clear_border, watershed

import localreg
from localreg.detection import InferenceModel, TestCase, TestImage, TestSuite, ground_truth, inference, test
from localreg.metrics import f1_score, match_inferences, precision, recall

PHOTOGRAPH: npt.NDArray[np.uint8] = coins()
ROWS = {"top": (0, 82), "upper": (64, 150), "lower": (130, 220), "bottom": (200, 303)}
"""Four strips of the photograph, by their first and last line: the test images."""


def strips(folder: Path) -> list[str]:
    """The test images as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, (first, last) in ROWS.items():
        Image.fromarray(PHOTOGRAPH[first:last]).save(folder / f"{row}.png")
    return [str(folder / f"{row}.png") for row in ROWS]


def strip(locator: str) -> npt.NDArray[np.uint8]:
    with Image.open(locator) as image:
        return np.asarray(image)


def regions(mask: npt.NDArray[np.generic], least_area: int) -> list[inference.BoundingBox]:
    """A box around each region: as sure of a coin as the box is full."""
    found = [region for region in regionprops(label(clear_border(mask))) if region.area >= least_area]
    return [
        inference.BoundingBox("coin", each.extent, (each.bbox[1], each.bbox[0]), (each.bbox[3], each.bbox[2]))
        for each in found
    ]


def truth(locator: str) -> list[ground_truth.BoundingBox]:
    """The coins, by watershed from pixels that surely are coin or background."""
    pixels = strip(locator)
    sure = np.where(pixels < 30, 1, np.where(pixels > 150, 2, 0))
    boxes = regions(watershed(sobel(pixels), sure) == 2, least_area=300)
    return [ground_truth.BoundingBox("coin", box.top_left, box.bottom_right) for box in boxes]


def thresholding(least_area: int, offset: float) -> Callable[[TestImage], list[inference.BoundingBox]]:
    """A detector: what is brighter than Otsu's threshold is coin."""

    def infer(image: TestImage) -> list[inference.BoundingBox]:
        pixels = strip(image.locator)
        return regions(pixels > threshold_otsu(pixels) + offset, least_area)

    return infer


def main(folder: str) -> None:
    registry = localreg.open(folder)
    localreg.use(registry)
    truths = {locator: truth(locator) for locator in strips(Path(f"{folder}-pictures").resolve())}
    images = [TestImage(locator, "scikit-image", [*boxes]) for locator, boxes in truths.items()]
    suite = TestSuite("coins", test_cases=[TestCase("four strips", images=images)])
    print(f"{suite.name}: {sum(len(image.ground_truths) for image in images)} coins in {len(images)} images\n")

    print(f"{'model':<16}{'found':>6}{'missed':>8}{'wrong':>7}{'precision':>11}{'recall':>8}{'F1':>7}")
    for name, infer in {"otsu": thresholding(1, 0), "otsu-cleaned": thresholding(300, 10)}.items():
        model = InferenceModel(name, infer, metadata={"framework": "scikit-image"})
        test(model, suite)  # a second run of this script infers nothing again
        hits = misses = wrong = 0
        for image, made in model.load_inferences(suite):
            boxes = [box for box in made or () if isinstance(box, inference.BoundingBox)]
            matches = match_inferences(truths[image.locator], boxes, iou_threshold=0.9)
            hits += len(matches.matched)
            misses += len(matches.unmatched_gt)
            wrong += len(matches.unmatched_inf)
        rates = precision(hits, wrong), recall(hits, misses), f1_score(hits, wrong, misses)
        print(f"{name:<16}{hits:>6}{misses:>8}{wrong:>7}{rates[0]:>11.3f}{rates[1]:>8.3f}{rates[2]:>7.3f}")

    print("\nthe surest boxes, by SQL:")
    print(
        registry.sql(
            """SELECT model, parse_filename(locator) AS image, round(box.confidence, 3) AS confidence,
                box.top_left.x AS x, box.top_left.y AS y
            FROM (SELECT *, unnest(annotations).BoundingBox AS box FROM "Object Detection".inferences)
            JOIN "Object Detection".test_samples USING (sample_idx) ORDER BY confidence DESC, x, model LIMIT 3"""
        )
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent / "detection-registry"))
