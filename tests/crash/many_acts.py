"""What each of many processes does: mixed operations, each told before and after."""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import localreg
from localreg import Registry
from localreg.errors import ConflictError, LocalregError, NotFoundError, UnknownOutcomeError
from localreg.log import Change, Entry, Head, Provenance
from localreg.records.models import ModelRecord
from localreg.session import Changes
from localreg.workflow import running, test
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel

__all__ = ["GIVEN", "POINTS", "SAMPLES", "Worker", "hot", "keep", "prepare"]

HOT, SAMPLES, POINTS = 5, 12, 6
KEPT_S = 0.2
"""Between two rounds of upkeep."""


def hot(number: int) -> str:
    """A model that all work on."""
    return f"hot {number % HOT}"


def prepare(folder: Path) -> None:
    """Make the registry, and load all modules before the first fork."""
    registry = localreg.open(folder, actor="first")
    with localreg.use(registry):
        case = TestCase("case", test_samples=[(Picture(number), Truth("odd")) for number in range(SAMPLES)])
        TestSuite("suite", test_cases=[case])
    for number in range(HOT):
        registry.create_model(hot(number))
    with tempfile.TemporaryDirectory(prefix="localreg-rehearsal-") as elsewhere:
        _rehearse(Path(elsewhere))


def _rehearse(folder: Path) -> None:
    worker = Worker(localreg.open(folder), random.Random(0), os.open(os.devnull, os.O_WRONLY))
    with localreg.use(worker.registry):
        TestSuite("suite", test_cases=[TestCase("case", test_samples=[(Picture(1), Truth("odd"))])])
        for number in range(HOT):
            worker.registry.create_model(hot(number))
        for act in GIVEN:
            worker.attempt(act)
    worker.registry.compact()


class Worker:
    """One life: acts one after the other, on a registry of its own.

    Attributes:
        registry: its actor is the name of this life.
        refusals: errors that an act may end with, having changed nothing.
        token: of the act that it is at.
    """

    refusals: tuple[type[LocalregError], ...] = (ConflictError, NotFoundError)

    def __init__(self, registry: Registry, chance: random.Random, pipe: int) -> None:
        self.registry = registry
        self.life = registry.actor
        self.chance = chance
        self._pipe = pipe
        self._number = 0
        self._seen = 0
        self.token = ""
        log = self.registry._session.log
        real = log.publish

        def noting(
            head: Head, changes: Sequence[Change], provenance: Provenance, commit_id: str, **rest: Any
        ) -> Entry | None:
            self.say("offer", commit_id)
            self.offered = head.commit + 1
            return real(head, changes, provenance, commit_id, **rest)

        log.publish = noting  # type: ignore[method-assign]

    def say(self, what: str, more: str = "") -> None:
        """One write to the pipe: whole, and not in any buffer of ours when a kill comes."""
        line = {"life": self.life, "token": self.token, "what": what, "more": more}
        os.write(self._pipe, f"{json.dumps(line)}\n".encode())

    def work(self, operations: int, until: float | None, acts: Sequence[str] = ()) -> None:
        """Act so often, or until then."""
        names = acts or [*GIVEN]
        weights = [GIVEN[name][1] for name in names]
        running.FLUSHED_S = 0.0
        with localreg.use(self.registry):
            for _ in range(operations):
                if until is not None and time.monotonic() > until:
                    return
                self.attempt(self.chance.choices(names, weights)[0])

    def attempt(self, act: str) -> None:
        """Do one, and say how it went."""
        self._number += 1
        self.token = f"{self.life}-{self._number}"
        self.say("begin", act)
        try:
            GIVEN[act][0](self)
        except UnknownOutcomeError as error:
            self.say("unknown", error.commit_id)
        except self.refusals as error:
            self.say("refused", type(error).__name__)
        else:
            self.say("done")
        self._look()

    def _look(self) -> None:
        commit = self.registry.commit
        assert commit >= self._seen, f"{self.life} saw commit {commit} after {self._seen}"
        self._seen = commit

    def expect(self, name: str, *, there: bool) -> None:
        """Who writes sees what was written."""
        assert (self.registry.find_model(name) is not None) == there

    @property
    def hot(self) -> localreg.Model:
        """Any of the models that all work on."""
        return self.registry.get_model(hot(self.chance.randrange(HOT)))


def create(worker: Worker) -> None:
    worker.registry.create_model(worker.token, metadata={"token": worker.token})
    worker.expect(worker.token, there=True)


def rename(worker: Worker) -> None:
    model = worker.registry.create_model(f"{worker.token} first", metadata={"token": worker.token})
    model.rename(worker.token)


def delete(worker: Worker) -> None:
    worker.registry.create_model(worker.token).delete()


def count(worker: Worker) -> None:
    """Reads and writes: what a lost update would show."""
    id = worker.hot._id

    def operation(changes: Changes) -> None:
        row = changes.draft.get("model", id)
        assert row is not None
        record = row.load(ModelRecord)
        number = record.metadata.get("count", 0)
        assert isinstance(number, int)
        changes.update(row, record.replaced(metadata={**record.metadata, "count": number + 1}))

    worker.registry._session.change(operation)


def tag(worker: Worker) -> None:
    worker.hot.tag(worker.token)


def version(worker: Worker) -> None:
    model = worker.hot
    with worker.registry.transaction(worker.token):
        model.create_version(worker.token)
        model.set_alias("newest", worker.token)


def three(worker: Worker) -> None:
    with worker.registry.transaction(worker.token):
        for part in "abc":
            worker.registry.create_model(f"{worker.token} {part} of 3")


def undo(worker: Worker) -> None:
    worker.registry.create_model(worker.token)
    worker.registry.undo(worker.offered)
    worker.expect(worker.token, there=False)


def artifact(worker: Worker) -> None:
    worker.hot.upload(worker.token.encode() * 100, name=worker.token)


def event(worker: Worker) -> None:
    worker.hot.event(worker.token)


def look(worker: Worker) -> None:
    rows = worker.registry.models(f"name = '{hot(0)}'")
    assert len(rows) == 1


def experiment(worker: Worker) -> None:
    with worker.registry.experiment(worker.token, code=False) as run:
        for step in range(POINTS):
            run.log({"loss": float(step)}, step=step)
            worker.say("point", str(step))


def tested(worker: Worker) -> None:
    test(TypedModel(worker.token, lambda sample: Guess(str(sample.number))), TestSuite.load("suite"))


GIVEN: dict[str, tuple[Callable[[Worker], None], int]] = {
    "create": (create, 10),
    "rename": (rename, 5),
    "delete": (delete, 5),
    "count": (count, 20),
    "tag": (tag, 10),
    "version": (version, 10),
    "three": (three, 10),
    "undo": (undo, 5),
    "artifact": (artifact, 5),
    "event": (event, 5),
    "look": (look, 2),
    "experiment": (experiment, 2),
    "tested": (tested, 2),
}
"""Acts, and how likely each is."""


def keep(registry: Registry, pipe: int) -> None:
    """Upkeep without end: parts are merged, caches written, garbage collected."""
    collect = getattr(registry, "gc", None)
    while True:
        try:
            registry.compact()
            registry.snapshot()
            registry.recover_experiments()
            if collect is not None:
                collect(grace="1h", dry_run=False)
        except (ConflictError, NotFoundError):
            pass  # others were faster
        except LocalregError as error:
            raise AssertionError(f"upkeep failed: {error!r}") from error
        os.write(pipe, b".")
        time.sleep(KEPT_S)
