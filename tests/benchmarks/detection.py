"""Detection: the 12 COCO numbers beside pycocotools and faster-coco-eval, on a data set as large as COCO's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

IMAGES, CLASSES, TRUTHS, DETECTIONS = 5_000, 80, 37_000, 500_000


def written(folder: Path, *, images: int = IMAGES, detections: int = DETECTIONS) -> tuple[Path, Path]:
    """Annotations and results as JSON files: half of the detections near a truth, the others anywhere."""
    draw = np.random.default_rng(7)
    truths = TRUTHS * images // IMAGES
    share = draw.dirichlet(np.full(CLASSES, 0.3))  # as in COCO, where a third of all objects are persons
    image = draw.integers(0, images, truths)
    of_class = draw.choice(CLASSES, truths, p=share)
    boxes = drawn_boxes(draw, truths)
    near = draw.integers(0, truths, detections)
    from_truth = draw.random(detections) < 0.5
    seen = boxes[near] * draw.normal(1, 0.06, (detections, 4))
    seen = np.where(from_truth[:, None], seen, drawn_boxes(draw, detections)).round(2)
    seen_image = np.where(from_truth, image[near], draw.integers(0, images, detections))
    seen_class = np.where(from_truth, of_class[near], draw.choice(CLASSES, detections, p=share))
    score = np.where(from_truth, draw.beta(3, 3, detections), draw.beta(1, 6, detections)).round(6)
    crowd = draw.random(truths) < 0.01
    annotations: dict[str, Any] = {
        "images": [{"id": 3 * n + 1, "file_name": f"{n:06}.jpg", "width": 640, "height": 480} for n in range(images)],
        "categories": [{"id": n + 1, "name": f"class {n}"} for n in range(CLASSES)],
        "annotations": [
            {
                "id": n + 1,
                "image_id": 3 * int(image[n]) + 1,
                "category_id": int(of_class[n]) + 1,
                "bbox": boxes[n].tolist(),
                "area": float((boxes[n, 2] * boxes[n, 3] * 0.8).round(2)),
                "iscrowd": int(crowd[n]),
            }
            for n in range(truths)
        ],
    }
    results = [
        {"image_id": 3 * each_image + 1, "category_id": each_class + 1, "bbox": box, "score": each_score}
        for each_image, each_class, box, each_score in zip(
            seen_image.tolist(), seen_class.tolist(), seen.tolist(), score.tolist(), strict=True
        )
    ]
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "annotations.json", folder / "results.json"
    for path, content in zip(paths, (annotations, results), strict=True):
        path.write_text(json.dumps(content))
    return paths


def drawn_boxes(draw: np.random.Generator, count: int) -> np.ndarray:
    """Boxes of all sizes, `[x, y, width, height]`."""
    size = np.exp(draw.normal(4, 1, (count, 2))).clip(4, 400)
    corner = draw.random((count, 2)) * (np.array([640, 480]) - np.minimum(size, 400))
    return np.concatenate([corner, size], axis=1).round(2)
