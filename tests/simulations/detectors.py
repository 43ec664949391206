"""Two detectors on images drawn from a population, and how good they are there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from localreg.compare.detected_numbers import Part, class_numbers, numbers
from localreg.metrics.coco import DetectionMatches, Detections, Truths, matched
from localreg.statistics import Estimate
from localreg.statistics.images import COUNT_METRICS, compare_tallies

Floats = NDArray[np.float64]

IMAGES = 60_000
"""That the truth is taken from."""
TOGETHER = 600
"""Of them in one sample."""
SIDE = 40.0
"""Of all boxes, pixels."""
NUMBERS = ("AP", "AP50", "AP75", "AR100")
SCORE = 0.5


@dataclass(frozen=True)
class Detector:
    """How good a detector is.

    Attributes:
        finds: the higher, the more objects are found; 0 = half of them.
        precise: the higher, the better boxes fit; 1 = all overlaps from a half up are as likely.
        invents: false positives for each object that is there.
        sure: by how much scores of true positives are higher than those of false ones.
    """

    finds: float = 0.8
    precise: float = 2.0
    invents: float = 0.6
    sure: float = 1.5


@dataclass(frozen=True)
class Images:
    """A population of images, and two detectors.

    Attributes:
        name: what is hard about it.
        share: of each class among objects.
        objects: in an image, on average.
        models: baseline and candidate.
        crowded: how much the number of objects differs between images; 0 = Poisson's.
        alike: how much of what makes an object hard is the same for both.
        of_image: how much of it is the same for all objects of an image.
    """

    name: str
    share: tuple[float, ...]
    objects: float
    models: tuple[Detector, Detector]
    crowded: float = 0.3
    alike: float = 0.6
    of_image: float = 0.2

    @property
    def equal(self) -> bool:
        """Whether neither is better."""
        return self.models[0] == self.models[1]

    def draw(self, n: int, generator: np.random.Generator) -> tuple[DetectionMatches, DetectionMatches]:
        """What both see in n images."""
        rate = self.objects * np.exp(self.crowded * generator.normal(size=n) - self.crowded**2 / 2)
        counts = generator.poisson(rate)
        image = np.repeat(np.arange(n), counts)
        place = np.arange(len(image)) - np.repeat(np.cumsum(counts) - counts, counts)
        class_ = generator.choice(len(self.share), len(image), p=self._shares)
        ease = np.sqrt(self.alike) * generator.normal(size=len(image))
        ease += np.sqrt(self.of_image) * generator.normal(size=n)[image]
        boxes, classes = _boxes(place.astype(np.float64) * 100), np.arange(len(self.share))
        nothing = np.zeros(len(image), bool)
        truths = Truths(image, class_, boxes, np.full(len(image), SIDE**2), nothing, np.arange(n), classes)
        a, b = (matched(truths, self._seen(model, truths, ease, rate, generator)) for model in self.models)
        return a, b

    def compared(self, n: int, generator: np.random.Generator) -> list[Estimate]:
        """COCO's numbers by what images do to them, those of all classes as one, and counts by the jackknife."""
        models = self.draw(n, generator)
        part = Part(np.arange(n), np.arange(n), n, models)
        tallies = [each.count_table(score=SCORE).per_image() for each in models]
        found = [*numbers(part, NUMBERS, 0.95), *compare_tallies(*tallies, metrics=COUNT_METRICS)]
        if len(self.share) > 1:
            of_classes = class_numbers(part, range(len(self.share)), 0.95)
            found += [replace(each, metric="AP of a class") for each in of_classes]
        return found

    def large(self, n: int, generator: np.random.Generator) -> list[Estimate]:
        """The mean of many samples, of so many images together; models are as good at one class as at any other.

        AP is read at steps of recall. One sample of them all would be off by up to half a step, which no class of a
        small sample shares: it is not what differences scatter around.
        """
        alone, differences = replace(self, share=(1.0,)), dict[str, list[float]]()
        for _ in range(max(1, n // TOGETHER)):
            for each in alone.compared(TOGETHER, generator):
                if each.difference is not None:
                    differences.setdefault(each.metric, []).append(each.difference)
        means = {metric: float(np.mean(drawn)) for metric, drawn in differences.items()}
        means["AP of a class"] = means["AP"]
        return [Estimate(metric, None, None, None, mean, None, None, None, n) for metric, mean in means.items()]

    @property
    def _shares(self) -> Floats:
        return np.array(self.share) / sum(self.share)

    def _seen(
        self, model: Detector, truths: Truths, ease: Floats, rate: Floats, generator: np.random.Generator
    ) -> Detections:
        own = np.sqrt(max(0.0, 1 - self.alike - self.of_image))
        ease = ease + own * generator.normal(size=len(ease)) + model.finds
        seen = np.flatnonzero(ease > 0)
        overlap = 0.5 + 0.5 * generator.beta(model.precise, 1.0, len(seen))
        image = np.repeat(np.arange(len(rate)), generator.poisson(rate * model.invents))
        invented = len(image)
        # Moved to the right by d, a square of side s overlaps with itself by (s - d) / (s + d).
        x = np.asarray(truths.shapes)[seen, 0] + SIDE * (1 - overlap) / (1 + overlap)
        luck = generator.normal(size=len(seen) + invented)
        sure = np.concatenate([model.sure / 2 + 0.4 * ease[seen], np.full(invented, -model.sure / 2)]) + luck
        return Detections(
            np.concatenate([truths.image_id[seen], image]),
            np.concatenate([truths.category_id[seen], generator.choice(len(self.share), invented, p=self._shares)]),
            _boxes(np.concatenate([x, np.full(invented, -500.0)])),
            1 / (1 + np.exp(-sure)),
            np.full(len(sure), SIDE**2),
        )


def _boxes(x: Floats) -> Floats:
    """Squares in a row."""
    return np.stack([x, np.zeros(len(x)), *[np.full(len(x), SIDE)] * 2], axis=1)


def images() -> list[Images]:
    """What the coverage of detection is told for."""
    good, better, poor = Detector(), Detector(finds=1.0, precise=2.5, sure=1.7), Detector(0.0, 1.2, 1.5, 0.8)
    perfect, nearly = Detector(2.5, 12.0, 0.05, 4.0), Detector(2.2, 10.0, 0.08, 3.5)
    tail = tuple(1 / (rank + 1) for rank in range(20))
    return [
        Images("1 class", (1.0,), 3.0, (good, better)),
        Images("1 class, equal detectors", (1.0,), 3.0, (good, good)),
        Images("1 class, near-perfect", (1.0,), 4.0, (nearly, perfect)),
        Images("3 classes, images unlike each other", (0.5, 0.3, 0.2), 5.0, (good, better), 1.0, 0.4, 0.4),
        Images("20 classes, 1/rank", tail, 7.0, (good, better)),
        Images("20 classes, 1/rank, equal and poor", tail, 7.0, (poor, poor), 0.6, 0.3),
    ]
