"""Programs that write to a disk whose power is cut.

`python -m tests.crash.power_writers`: loads everything, says `ready`, and lives for each line (`forks.serve`).

`ACT, FOLDER, NAME`: writes without end, and says a line of JSON, `[what, …]`, for each thing that was acknowledged.
When it is refused it says `["refused", code]` and ends; any other error, `["foreign", error]`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import localreg
from localreg import Registry
from localreg.errors import LocalregError
from localreg.experiments import opening
from tests.crash.forks import say, serve
from tests.crash.scenarios import short_spans
from tests.pictures import Picture, TestCase, Truth

__all__ = ["ACTS", "content"]

Act: TypeAlias = Callable[[Registry, str], Iterator[list[object]]]


def write_records(registry: Registry, writer: str) -> Iterator[list[object]]:
    """Models, transactions, aliases, test cases with their parts: what is acknowledged is a name."""
    for number in count(1):
        name = f"{writer}-{number}"
        if number % 3 == 0:
            with localreg.use(registry):
                TestCase(name, test_samples=[(Picture(number), Truth(name)), (Picture(-number), Truth(writer))])
            yield ["case", name]
        elif number % 3 == 1:
            registry.create_model(name).create_version("1")
            yield ["model", name]
        else:
            names = [f"{name}-{part}-of-3" for part in "abc"]
            with registry.transaction(name):
                for each in names:
                    registry.create_model(each)
            for each in names:
                yield ["model", each]


def content(name: str) -> bytes:
    """The bytes of an artifact."""
    return sha256(name.encode()).digest() * 1_000


def write_files(registry: Registry, writer: str) -> Iterator[list[object]]:
    """Artifacts and events, which are merged now and then, and snapshots."""
    model = registry.create_model(writer)
    version = model.create_version("1")
    for number in count(1):
        name = f"{writer}-{number}"
        version.upload(content(name), name=name)
        yield ["artifact", writer, name]
        for part in range(2):
            model.event("seen", metadata={"n": 2 * number + part})
            yield ["event", writer, 2 * number + part]
        if number % 4 == 0:
            registry.compact()
        if number % 3 == 0:
            yield ["snapshot", registry.snapshot()]


POINTS = 5
"""Logged between two flushes."""


def train(registry: Registry, writer: str) -> Iterator[list[object]]:
    """Experiments: what is acknowledged is the last point that a flush, or the end, has made durable."""
    for number in count(1):
        name = f"{writer}-{number}"
        experiment = registry.experiment(name, flush_every=3_600.0, strict=True)
        yield ["points", name, 0]
        for step in range(1, 4 * POINTS + 1):
            experiment.log({"x": float(step)}, step=step)
            if step % POINTS == 0:
                experiment.flush()
                yield ["points", name, step]
        experiment.log({"x": 4 * POINTS + 1.0}, step=4 * POINTS + 1)
        experiment.finish()
        yield ["finished", name, 4 * POINTS + 1]


ACTS: dict[str, Act] = {"records": write_records, "files": write_files, "train": train}


def live(act: str, folder: str, writer: str) -> None:
    try:
        registry = localreg.open(folder, actor=writer)
        for told in ACTS[act](registry, writer):
            say(json.dumps(told))
    except LocalregError as error:
        say(json.dumps(["refused", error.code, str(error)]))
    except BaseException as error:
        say(json.dumps(["foreign", repr(error)]))
    os._exit(0)  # what is said at the end of a process is of no interest: its disk is gone


def rehearse() -> None:
    """Load all modules."""
    with TemporaryDirectory() as home:
        for act in ACTS.values():
            with localreg.open(Path(home, "registry")) as registry:
                for number, _ in enumerate(act(registry, act.__name__)):
                    if number == 9:
                        break


if __name__ == "__main__":
    vars(opening)["captured_code"] = lambda: None  # which code runs is no matter here, and it is much
    with short_spans():
        rehearse()
        say("ready")
        serve(live)
