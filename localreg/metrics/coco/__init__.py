"""Detection and instance segmentation, measured as COCO does: the same numbers, to the last bit, and much sooner.

`coco_detection` and `coco_segmentation` give the 12 numbers of files or tables. Behind them stands `matched`, which
says once and for all which detection found which truth at each threshold; from it (`DetectionMatches`) come

- the 12 numbers, AP and AR at any threshold and size, of each class (`numbers`, `average_precision`, …);
- true and false positives and false negatives at one score, per image and class, with precision, recall and F1
  (`count_table`, `counts`, `counts_per_class`), and the score at which F1 is highest (`best_threshold`);
- all of that with each image counted as often as one says, without matching again (`resampled`): an AP takes
  some hundredths of a second on 5,000 images with half a million detections.

The rules are those of COCO's own code, also where its paper says nothing: crowds (`iscrowd`) are not counted, and
however many detections lie in one, neither are these; `ignore` means nothing; sizes go by the area that the annotation
says, and of detections by that of the box or mask (of masks whose first result has a `bbox`, too, by that of the box);
of equal scores the earlier image goes first, by its id, and in it the earlier detection; of equal overlaps the later
truth is taken; of one class in one image the 100 detections of the highest scores count; detections of categories that
are not listed are left out. Where we differ:

- What is undefined is None; COCO's code says -1.
- An annotation of id 0 is like any other; in COCO's code whoever finds it counts as having found nothing.
- No detections at all give zeros; COCO's code crashes.
- An annotation without `area` is as large as its box or mask; COCO's code crashes.
- Refused, with what and where first: scores that are NaN or infinite, boxes of negative size, detections of unknown
  images (as in COCO's code), truths of unknown images and categories (which COCO's code leaves out in silence), masks
  that do not fill their image.

Nothing but numpy is needed for masks, either.

Source:
    T.-Y. Lin et al., Microsoft COCO: Common Objects in Context (2014); https://cocodataset.org/#detection-eval;
    pycocotools 2.0.11, which the tests hold it to.
"""

from __future__ import annotations

from collections.abc import Sequence

from localreg.metrics.coco.columns import Detections, Truths
from localreg.metrics.coco.counting import BestThreshold, Counts, CountTable
from localreg.metrics.coco.found import COCO_AREAS, COCO_IOU_THRESHOLDS, Area, Found, find
from localreg.metrics.coco.matches import COCO_NUMBERS, DetectionMatches
from localreg.metrics.coco.reading import read

__all__ = [
    "COCO_AREAS",
    "COCO_IOU_THRESHOLDS",
    "COCO_NUMBERS",
    "Area",
    "BestThreshold",
    "CountTable",
    "Counts",
    "DetectionMatches",
    "Detections",
    "Found",
    "Truths",
    "coco_detection",
    "coco_segmentation",
    "matched",
    "read",
]


def coco_detection(annotations: object, results: object) -> dict[str, float | None]:
    """The 12 numbers of COCO, of boxes.

    Args:
        annotations: path of a COCO file, or what stands in it (a dict); or a table (Arrow, pandas, Polars, DuckDB, a
            dict of columns) with one row for each object: `image_id`, `category_id`, `bbox` (`[x, y, width, height]`)
            or `x`, `y`, `w` and `h`, and if need be `area` and `iscrowd`.
        results: path of a COCO file of results, or what stands in it (a list); or a table with the same columns and
            `score`.

    Returns:
        `AP`, `AP50`, `AP75`, `APs`, `APm`, `APl`, `AR1`, `AR10`, `AR100`, `ARs`, `ARm`, `ARl`, in [0, 1]: pycocotools'
        numbers, to the last bit. None, where pycocotools says -1, if there is no such object.

    Raises:
        NotFoundError: there is no such file.
        StorageError: a file cannot be read.
        InvalidInputError: something in it cannot be; how often, and where first.

    Source:
        https://cocodataset.org/#detection-eval.
    """
    return matched(*read(annotations, results, masks=False)).numbers()


def coco_segmentation(annotations: object, results: object) -> dict[str, float | None]:
    """The 12 numbers of COCO, of masks: polygons, run lengths, or compressed run lengths.

    Args:
        annotations: as for `coco_detection`, with `segmentation`; where there are polygons, images tell `height` and
            `width`. In a table `segmentation` is a struct of `polygons`, `size` (of the image: `height` and `width`,
            also for polygons), `counts` (compressed) and `runs`.
        results: likewise, with `score`.

    Returns:
        As `coco_detection`.

    Raises:
        NotFoundError: there is no such file.
        StorageError: a file cannot be read.
        InvalidInputError: something in it cannot be; how often, and where first.

    Source:
        https://cocodataset.org/#detection-eval.
    """
    return matched(*read(annotations, results, masks=True)).numbers()


def matched(
    truths: Truths,
    detections: Detections,
    iou_thresholds: Sequence[float] = COCO_IOU_THRESHOLDS,
    *,
    areas: Sequence[Area] = COCO_AREAS,
    max_detections: int | None = 100,
) -> DetectionMatches:
    """Which detection found which truth, at each threshold and for each range of sizes.

    Args:
        truths: what is there; from files and tables by `read`.
        detections: what was seen.
        iou_thresholds: each above 0, at most 1; any order.
        areas: ranges of sizes, at most 64.
        max_detections: of one class in one image, only so many of the highest scores are looked at; None = all.

    Raises:
        InvalidInputError: thresholds or sizes are out of range, or truths and detections do not fit together.
    """
    return DetectionMatches(find(truths, detections, iou_thresholds, areas, max_detections), None, max_detections)
