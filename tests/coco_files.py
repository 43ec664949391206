"""COCO files of any kind, small, and what pycocotools says of them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["annotations_file", "measured", "results_file"]

SIZE = 64


def annotations_file(seed: int, *, images: int = 6, masks: bool = False) -> dict[str, Any]:
    """Annotations with crowds, ties, objects of all sizes, images without any, and an annotation 0 now and then."""
    draw = np.random.default_rng(seed)
    categories = [
        {"id": 7, "name": "cat", "supercategory": "animal"},
        {"id": 3, "name": "dog"},
        {"id": 90, "name": "x"},
    ]
    made: dict[str, Any] = {
        "info": {"year": 2017, "version": "1.0"},
        "licenses": [{"id": 1, "name": "none"}],
        "categories": categories,
        "images": [],
        "annotations": [],
    }
    ids = draw.permutation(images * 10)[:images].tolist()
    for id in ids:
        made["images"].append({"id": id, "file_name": f"{id:06}.jpg", "width": SIZE, "height": SIZE, "license": 1})
    for number in range(int(draw.integers(0, 6 * images))):
        box = _box(draw)
        crowd = int(draw.random() < 0.2)
        each = {
            "id": number + 1,
            "image_id": int(draw.choice(ids[: max(1, images - 1)])),
            "category_id": int(draw.choice([7, 3])),
            "bbox": box,
            "area": float(box[2] * box[3]) if draw.random() < 0.5 else round(box[2] * box[3] * 0.7),
            "iscrowd": crowd,
            "segmentation": _mask(draw, box, compressed=bool(draw.random() < 0.5)) if crowd else _polygons(box),
        }
        if draw.random() < 0.2:
            each["ignore"] = int(draw.random() < 0.5)
        made["annotations"].append(each)
    draw.shuffle(made["annotations"])
    return made


def results_file(seed: int, annotations: dict[str, Any], *, masks: bool) -> list[dict[str, Any]]:
    """Results near the annotations and elsewhere, with equal scores; not of each image."""
    draw = np.random.default_rng(seed)
    made = []
    images = [each["id"] for each in annotations["images"]]
    for _ in range(int(draw.integers(1, 12 * len(images)))):
        box = _box(draw)
        image, category = int(draw.choice(images)), int(draw.choice([7, 3, 90]))
        if annotations["annotations"] and draw.random() < 0.7:
            near = annotations["annotations"][int(draw.integers(len(annotations["annotations"])))]
            box = [max(0.0, value + float(draw.normal()) * 0.3) for value in near["bbox"]]
            image, category = near["image_id"], near["category_id"]
        each: dict[str, Any] = {
            "image_id": image,
            "category_id": category,
            "score": float(draw.choice([0.1, 0.5, 0.5000000001, draw.random()])),
        }
        if masks:
            each["segmentation"] = _mask(draw, box, compressed=True)
        else:
            each["bbox"] = box
        made.append(each)
    return made


def _box(draw: np.random.Generator) -> list[float]:
    side = float(draw.choice([3, 9, 40]))
    x, y = (draw.random(2) * (SIZE - side - 1)).tolist()
    values = [x, y, side * float(draw.random()) + 0.1, side * float(draw.random()) + 0.1]
    return [round(value, 2) for value in values] if draw.random() < 0.5 else values


def _polygons(box: list[float]) -> list[list[float]]:
    x, y, width, height = box
    return [[x, y, x + width, y, x + width, y + height], [x, y, x + 1, y + 1, x, y + 2.5, x, y]]


def _mask(draw: np.random.Generator, box: list[float], *, compressed: bool) -> dict[str, Any]:
    from pycocotools import mask

    pixels = np.zeros((SIZE, SIZE), np.uint8, order="F")
    x, y, width, height = (int(value) for value in box)
    pixels[y : y + height + 1, x : x + width + 1] = draw.random((1,)) < 2
    told = mask.encode(pixels)
    if compressed:
        return {"size": [SIZE, SIZE], "counts": told["counts"].decode("ascii")}
    flat = pixels.flatten(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges.tolist(), flat.size]).tolist()
    return {"size": [SIZE, SIZE], "counts": [0, *runs] if flat[0] else runs}


def measured(annotations: Path, results: Path, kind: str) -> dict[str, np.ndarray[Any, Any]]:
    """All that pycocotools says: the twelve numbers, and the precision and recall that they are made of."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        found = COCOeval(truth, truth.loadRes(str(results)), kind)
        found.evaluate()
        found.accumulate()
        found.summarize()
    return {"stats": found.stats, "precision": found.eval["precision"], "recall": found.eval["recall"]}


def written(folder: Path, name: str, value: object) -> Path:
    """A JSON file."""
    path = folder / name
    path.write_text(json.dumps(value))
    return path
