"""Detection: the 12 COCO numbers beside pycocotools and faster-coco-eval, on a data set as large as COCO's own."""

from __future__ import annotations

import contextlib
import io
import json
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import localreg
from localreg.metrics import coco_detection, coco_segmentation
from localreg.metrics.coco import matched, read
from tests.benchmarks.harness import Bench, Figure, seconds

PYCOCOTOOLS = ("pycocotools.coco", "COCO", "pycocotools.cocoeval", "COCOeval")
FASTER = ("faster_coco_eval", "COCO", "faster_coco_eval", "COCOeval_faster")
IMAGES, CLASSES, TRUTHS, DETECTIONS = 5_000, 80, 37_000, 500_000


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one; in one round on a tenth of the data, since others take minutes."""
    share = 1 if bench.rounds > 1 or bench.large else 10
    images, detections = IMAGES // share, DETECTIONS // share
    size = f"{images:,} images, {detections:,} detections"
    paths = written(bench.fresh(), images=images, detections=detections)
    data = read(*paths, masks=False)
    faster, slower = Peer(FASTER, paths, "bbox"), Peer(PYCOCOTOOLS, paths, "bbox")
    ours = partial(coco_detection, *paths)

    def tables() -> object:
        return matched(*data).numbers()

    loaded = seconds(slower.load)
    evaluated = seconds(slower.evaluate)  # once: it takes minutes
    yield against_one(bench, f"COCO numbers, {size}, from JSON ÷ pycocotools", ours, loaded + evaluated, 0.04)
    yield against_one(bench, f"COCO numbers, {size}, from columns ÷ pycocotools' evaluation", tables, evaluated, 0.04)
    assert ours() == slower.numbers(), "the numbers differ"
    del slower
    yield bench.compare(f"COCO numbers, {size}, from JSON ÷ faster-coco-eval", ours, faster.whole, at_most=0.2, times=1)
    yield bench.compare(
        f"COCO numbers, {size}, from columns ÷ faster-coco-eval's evaluation",
        *(tables, faster.evaluate),
        at_most=0.2,
        times=1,
    )
    matches = matched(*data)
    weights = np.bincount(np.random.default_rng(0).integers(0, images, images), minlength=images)
    yield bench.compare(
        f"AP of a sample of images, {size} ÷ matching them",
        lambda: matches.resampled(weights).average_precision(),
        lambda: matched(*data),
        at_most=None,
        times=5,
    )
    comparison = compared(bench.fresh(), paths)
    yield against_one(
        bench,
        f"two detectors compared, {size}, with intervals ÷ pycocotools' evaluations",
        comparison,
        2 * evaluated,
        None,
    )
    images, detections = images // 20, detections // 20
    paths = written(bench.fresh(), images=images, detections=detections, masks=True)
    yield bench.compare(
        f"COCO numbers of masks, {images:,} images, {detections:,} detections, from JSON ÷ pycocotools",
        partial(coco_segmentation, *paths),
        Peer(PYCOCOTOOLS, paths, "segm").whole,
        at_most=None,
        times=1,
    )


class Peer:
    """Another evaluation of the same files.

    Args:
        names: where its classes are.
        paths: annotations and results.
        kind: `bbox` or `segm`.
    """

    def __init__(self, names: tuple[str, str, str, str], paths: tuple[Path, Path], kind: str) -> None:
        self._reader = getattr(import_module(names[0]), names[1])
        self._evaluation = getattr(import_module(names[2]), names[3])
        self._paths, self._kind = paths, kind
        self._data: Any = None
        self.found: Any = None

    def load(self) -> None:
        """Read both files."""
        with contextlib.redirect_stdout(io.StringIO()):
            truth = self._reader(str(self._paths[0]))
            self._data = truth, truth.loadRes(str(self._paths[1]))

    def evaluate(self) -> None:
        """The 12 numbers of what was read."""
        if self._data is None:
            self.load()
        with contextlib.redirect_stdout(io.StringIO()):
            self.found = self._evaluation(*self._data, self._kind)
            self.found.evaluate()
            self.found.accumulate()
            self.found.summarize()

    def whole(self) -> None:
        """Both."""
        self.load()
        self.evaluate()

    def numbers(self) -> dict[str, float | None]:
        """What it found."""
        names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
        return {name: None if value == -1 else value for name, value in zip(names, self.found.stats, strict=False)}


def against_one(bench: Bench, what: str, ours: Callable[[], object], limit: float, at_most: float | None) -> Figure:
    """Against a single run."""
    taken = statistics.median([seconds(ours) for _ in range(max(3, bench.rounds))])
    return Figure(what, taken / limit, at_most, taken, limit)


def compared(folder: Path, paths: tuple[Path, Path]) -> Callable[[], object]:
    """A comparison of a model with one whose scores are a little different."""
    registry = localreg.open(folder)
    registry.import_coco(paths[0], suite="s")
    results = json.loads(paths[1].read_text())
    for model, noise in (("old", 0.0), ("new", 0.02)):
        drawn = np.random.default_rng(1).normal(0, 1, len(results)) * noise
        changed = [{**each, "score": each["score"] + more} for each, more in zip(results, drawn.tolist(), strict=True)]
        registry.import_coco_results(changed, suite="s", model=model)
    return partial(registry.compare, "old", "new", suite="s")


def written(
    folder: Path, *, images: int = IMAGES, detections: int = DETECTIONS, masks: bool = False
) -> tuple[Path, Path]:
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
    if masks:
        for each in [*annotations["annotations"], *results]:
            each["segmentation"] = [ellipse(each["bbox"])]
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


def ellipse(box: list[float]) -> list[float]:
    """A polygon of 30 corners."""
    x, y, width, height = box
    angle = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    corners = [x + width * (1 + np.cos(angle)) / 2, y + height * (1 + np.sin(angle)) / 2]
    drawn: list[float] = np.stack(corners, axis=1).round(2).ravel().tolist()
    return drawn
