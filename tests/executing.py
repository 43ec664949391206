"""A workflow whose models can be sent to other processes, and a program that runs one, for tests of executors.

`python -m tests.executing FOLDER`: runs the model `tester` on the suite `numbers` with two worker processes. Those say
their id at each inference; at number `HALTS` one of them stays for ever.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import localreg
from localreg.workflow import (
    Curve,
    CurvePlot,
    Evaluator,
    EvaluatorConfiguration,
    GroundTruth,
    Inference,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    Plot,
    TestSample,
    Vector,
    define_workflow,
    test,
)

__all__ = ["AtLeast", "Case", "Count", "DiesOnce", "Evens", "Model", "Number", "Parity", "Suite", "Truth", "parity"]

DEADLY, ODD, HALTS = 37, (11, 23), 40


@dataclass(frozen=True)
class Number(TestSample):
    value: int


@dataclass(frozen=True)
class Truth(GroundTruth):
    word: str


@dataclass(frozen=True)
class Parity(Inference):
    even: bool
    value: int


_, Case, Suite, Model = define_workflow("parity", Number, Truth, Parity)


def parity(number: Number) -> Parity:
    return Parity(number.value % 2 == 0, number.value)


def parities(numbers: Sequence[Number]) -> list[Parity]:
    return [parity(number) for number in numbers]


def exits(number: Number) -> Parity:
    if number.value == DEADLY:
        os._exit(3)
    return parity(number)


def kills_itself(number: Number) -> Parity:
    if number.value == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return parity(number)


def exits_in_batches(numbers: Sequence[Number]) -> list[Parity]:
    return [exits(number) for number in numbers]


class Unreadable:
    """What `pickle` writes, and cannot read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("not a number",)


class OddError(Exception):
    """An exception that `pickle` writes, and cannot read: not even with the helpers that Dask brings along."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"{number}: {why}")
        self.held = Unreadable()


def raises(number: Number) -> Parity:
    if number.value in ODD:
        raise ValueError(f"cannot see {number.value}")
    return parity(number)


def raises_oddly(number: Number) -> Parity:
    if number.value in ODD:
        raise OddError(number.value, "odd")
    return parity(number)


def leaves(number: Number) -> Parity:
    if number.value in ODD:
        sys.exit("enough")
    return parity(number)


class Count:
    """A model that tells in a folder in which processes it was made, and how often it was called."""

    def __init__(self, folder: Path, weights: bytes = b"") -> None:
        self.folder = folder
        self.weights = weights

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.note("made")

    def note(self, what: str) -> None:
        with (self.folder / f"{what}-{os.getpid()}").open("a") as file:
            file.write("x")

    def told(self, what: str) -> list[int]:
        return sorted(len(path.read_text()) for path in self.folder.glob(f"{what}-*"))

    def __call__(self, number: Number) -> Parity:
        self.note("called")
        return parity(number)


class DiesOnce(Count):
    """A model whose process dies in the middle of a run, once."""

    def __call__(self, number: Number) -> Parity:
        if number.value == DEADLY and not self.told("died"):
            self.note("died")
            os._exit(3)
        return parity(number)


class Unloadable:
    """A model that is here, and cannot be made elsewhere."""

    def __setstate__(self, state: object) -> None:
        raise ModuleNotFoundError("No module named 'weights'")

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}

    def __call__(self, number: Number) -> Parity:
        return parity(number)


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    pixels: Vector[3]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Embedding(Inference):
    embedding: Vector[3]
    iso: int


_, PhotoCase, PhotoSuite, PhotoModel = define_workflow("photos", Photo, Truth, Embedding)


def doubled(photo: Photo) -> Embedding:
    return Embedding(photo.pixels * 2, photo.metadata["iso"])


@dataclass(frozen=True)
class AtLeast(EvaluatorConfiguration):
    least: int

    def display_name(self) -> str:
        return f"at least {self.least}"


@dataclass(frozen=True)
class OfSample(MetricsTestSample):
    counts: bool


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    name: str
    even: int


@dataclass(frozen=True)
class OfSuite(MetricsTestSuite):
    name: str
    cases: int
    samples: int


class Evens(Evaluator):
    """Counts even numbers from one on, and tells in a folder in which processes it did."""

    def __init__(self, folder: Path, fails_at: int | None = None) -> None:
        super().__init__([AtLeast(0), AtLeast(10), AtLeast(30)])
        self.folder = folder
        self.fails_at = fails_at

    def compute_test_sample_metrics(self, test_case: Any, inferences: Any, configuration: Any = None) -> Any:
        if configuration.least == self.fails_at:
            raise ValueError(f"cannot count from {configuration.least} in {test_case.name}")
        (self.folder / f"asked-{os.getpid()}-{configuration.least}").touch()
        return [(sample, OfSample(sample.value >= configuration.least)) for sample, _, _ in inferences]

    def compute_test_case_metrics(
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
    ) -> OfCase:
        counted = zip(inferences, metrics, strict=True)
        return OfCase(test_case.name, sum(made.even for (_, _, made), metric in counted if metric.counts))

    def compute_test_case_plots(
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
    ) -> list[Plot]:
        values = [float(sample.value) for sample, _, _ in inferences]
        return [CurvePlot(test_case.name, "x", "y", [Curve(values, values)])]

    def compute_test_suite_metrics(self, test_suite: Any, metrics: Any, configuration: Any = None) -> OfSuite:
        return OfSuite(test_suite.name, len(metrics), len(test_suite.test_cases[0].load_test_samples()))


def halting(number: Number) -> Parity:
    os.write(1, f"{os.getpid()}\n".encode())
    while number.value == HALTS:
        time.sleep(60)
    return parity(number)


def main(folder: Path) -> None:
    localreg.use(localreg.open(folder))
    test(Model("tester", halting), Suite.load("numbers"), executor="processes:2")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
