"""Small COCO data sets in which nearly everything ties, and what pycocotools says of them."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from typing import Any

import numpy as np

__all__ = ["NAMES", "drawn", "drawn_masks", "evaluated", "numbers_of"]

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
SIZE = 400


def drawn(seed: int, *, images: int = 8) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations and results, with ties of scores and overlaps, crowds, and more than 100 detections now and then."""
    draw = np.random.default_rng(seed)
    ids = draw.permutation(1000)[:images].tolist()
    categories = draw.permutation(100)[: int(draw.integers(1, 5))].tolist()
    grid = bool(draw.random() < 0.6)
    annotations: list[dict[str, Any]] = [
        {
            "id": number + 1,
            "image_id": int(draw.choice(ids[: max(1, images - 2)])),
            "category_id": int(draw.choice(categories[: max(1, len(categories) - 1)])),
            "bbox": box,
            "area": float(draw.choice([box[2] * box[3], 0.7 * box[2] * box[3], 1024.0, 9216.0])),
            "iscrowd": int(draw.random() < 0.15),
            **({"ignore": 1} if draw.random() < 0.1 else {}),
        }
        for number, box in enumerate(boxes(draw, int(draw.integers(0, 60)), grid=grid))
    ]
    count = int(draw.choice([1, 5, 80, 400, 3000]))
    near = [
        annotations[int(draw.integers(len(annotations)))] if annotations and draw.random() < 0.6 else None
        for _ in range(count)
    ]
    scores = draw.choice([0.1, 0.5, 0.9, 0.0, -0.0, -2.5], count) if draw.random() < 0.5 else draw.normal(size=count)
    results = [
        {
            "image_id": int(draw.choice(ids)) if truth is None else truth["image_id"],
            "category_id": int(draw.choice([*categories, 777])) if truth is None else truth["category_id"],
            "bbox": box if truth is None else moved(draw, truth["bbox"], grid=grid),
            "score": float(score),
        }
        for truth, box, score in zip(near, boxes(draw, count, grid=grid), scores, strict=True)
    ]
    file = {
        "images": [{"id": id, "width": SIZE, "height": SIZE} for id in ids],
        "categories": [{"id": id, "name": f"class {id}"} for id in categories],
        "annotations": annotations,
    }
    return file, results


def boxes(draw: np.random.Generator, count: int, *, grid: bool) -> list[list[float]]:
    sides = draw.choice([0.0, 8.0, 16.0, 32.0, 96.0, 200.0], (count, 2), p=[0.02, 0.2, 0.28, 0.2, 0.2, 0.1])
    corners = draw.integers(0, 6, (count, 2)) * 8.0
    made = np.concatenate([corners, sides], axis=1)
    lists: list[list[float]] = (made if grid else made * draw.uniform(0.9, 1.1, (count, 4))).tolist()
    return lists


def moved(draw: np.random.Generator, box: list[float], *, grid: bool) -> list[float]:
    shift = draw.choice([-8.0, 0.0, 0.0, 0.0, 8.0], 4) if grid else draw.normal(0, 3, 4)
    near: list[float] = np.maximum(np.array(box) + shift, 0).tolist()
    return near


def evaluated(annotations: dict[str, Any], results: list[dict[str, Any]], kind: str, **params: Any) -> Any:
    """Pycocotools' evaluation; of no detections, too, where its reader of results would crash."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how it speaks to numpy
        truth = COCO()
        truth.dataset = copy.deepcopy(annotations)
        truth.createIndex()
        if results:
            seen = truth.loadRes(copy.deepcopy(results))
        else:
            seen = COCO()
            seen.dataset = {**copy.deepcopy(annotations), "annotations": []}
            seen.createIndex()
        found = COCOeval(truth, seen, kind)
        for name, value in params.items():
            setattr(found.params, name, value)
        found.evaluate()
        found.accumulate()
    return found


def numbers_of(annotations: dict[str, Any], results: list[dict[str, Any]], kind: str) -> dict[str, float | None]:
    """The 12 numbers, with None for -1."""
    found = evaluated(annotations, results, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        found.summarize()
    return {name: None if value == -1 else float(value) for name, value in zip(NAMES, found.stats, strict=True)}


def drawn_masks(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The same with masks in place of boxes: all kinds in annotations, in results what pycocotools takes."""
    draw = np.random.default_rng(seed)
    annotations, results = drawn(seed)
    del results[300:]
    for each in annotations["annotations"]:
        kind = draw.choice(["polygons", "runs", "counts"])
        each["segmentation"] = masked(draw, each["bbox"], kind)
    boxed = draw.random() < 0.3  # then COCO goes by the area of the box, and takes polygons, too
    for each in results:
        each["segmentation"] = masked(draw, each["bbox"], draw.choice(["polygons", "counts"]) if boxed else "counts")
        if not boxed:
            del each["bbox"]
    return annotations, results


def masked(draw: np.random.Generator, box: list[float], kind: str) -> Any:
    """Pixels in a box; now and then none, or beyond the image."""
    from pycocotools import mask

    x, y, width, height = box
    if kind == "polygons":
        corners = draw.random((int(draw.integers(1, 3)), int(draw.integers(3, 9)), 2))
        whole = np.array([[[0, 0], [0, 1], [1, 1], [1, 0]]]) if draw.random() < 0.5 else corners
        return [(polygon * [width, height] + [x, y]).ravel().tolist() for polygon in whole]
    pixels = np.zeros((SIZE, SIZE), np.uint8, order="F")
    pixels[int(y) : int(y + height), int(x) : int(x + width)] = 1
    if draw.random() < 0.2:
        pixels &= draw.random((SIZE, SIZE)) < 0.9
    if kind == "counts":
        return {"size": [SIZE, SIZE], "counts": mask.encode(pixels)["counts"].decode("ascii")}
    flat = pixels.ravel(order="F")
    runs = np.diff([0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]).tolist()
    return {"size": [SIZE, SIZE], "counts": [0, *runs] if flat[0] else runs}
