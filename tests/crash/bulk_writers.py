"""Programs that take tables in, for tests that kill them.

`python -m tests.crash.bulk_writers`: loads what it needs, says `ready`, and lives for each line (`forks.serve`).

`ACT, FOLDER`: opens the registry, says `ready`, waits for a line, and adds samples, or records inferences, from an
iterator of batches, several parts of them. Before each batch it says its number and, with `slowly`, waits for a line.
At the end it says `done`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

import localreg
import localreg.workflow.bulk.spool as spool
import localreg.workflow.bulk.staged as staged
import localreg.workflow.staging as staging
from localreg.workflow import GroundTruth, Inference, TestSample, Vector, define_workflow
from localreg.workflow.bulk.report import BulkReport
from tests.crash.forks import hear, say, serve

__all__ = ["ACTS", "BATCHES", "ROWS", "Model", "Suite", "batches", "prepare", "table"]

ROWS, BATCHES = 20, 5


@dataclass(frozen=True)
class Picture(TestSample):
    locator: str


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: str
    embedding: Vector[2] | None = None


_, Case, Suite, Model = define_workflow("pictures in bulk", Picture, Truth, Guess)


def table() -> pa.Table:
    """All rows."""
    names = [f"{number:02}.png" for number in range(ROWS)]
    vectors = [[float(number), 0.5] for number in range(ROWS)]
    return pa.table({"locator": names, "label": [f"label {name}" for name in names], "embedding": vectors})


def batches(before_each: Callable[[int], None] = lambda _: None) -> Iterator[pa.Table]:
    """The rows, in a few batches; tells the number of each before it comes."""
    size = ROWS // BATCHES
    for number in range(BATCHES):
        before_each(number)
        yield table().slice(number * size, size)


def add(tables: Iterable[pa.Table]) -> BulkReport:
    return Suite("suite").add(each.drop_columns("embedding") for each in tables)


def record(tables: Iterable[pa.Table]) -> BulkReport:
    return Model("model").record(tables, on="locator")


ACTS: dict[str, Callable[[Iterable[pa.Table]], BulkReport]] = {"add": add, "record": record}


def prepare(act: str) -> None:
    """What must be there before."""
    suite = Suite("suite")
    if act == "record":
        suite.add(table().drop_columns("embedding"))
        Model("model")


def small_parts() -> None:
    """A part for each few rows, and a file for the rows on their way."""
    staged.PART_ROWS = staging.PART_ROWS = 6
    spool.KEPT_BYTES = 0


def live(act: str, folder: str, speed: str = "") -> None:
    def before_each(number: int) -> None:
        say(str(number))
        if speed == "slowly":
            hear()

    localreg.use(localreg.open(folder, actor="killed"))
    say("ready")
    hear()
    ACTS[act](batches(before_each))
    say("done")


def rehearse() -> None:
    """Load all modules: their files shall not be counted."""
    for act in ACTS:
        with localreg.use(localreg.open(f"memory://rehearsal of {act}")):
            prepare(act)
            ACTS[act](batches())


if __name__ == "__main__":
    small_parts()
    rehearse()
    say("ready")
    serve(live)
