"""What the crash tests do to a registry, and how they look at what is left of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import localreg
from localreg import Registry
from localreg.canonical import canonical
from localreg.log import State, log
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.storage import Store
from localreg.workflow import test
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel

__all__ = ["SCENARIOS", "SPAN", "Scenario", "Step", "open_at", "short_spans", "upload_and_run", "view"]

Step: TypeAlias = Callable[[Registry], object]
"""One call of the public API: one commit."""


@dataclass(frozen=True)
class Scenario:
    """Steps that are taken before the fault may strike, and those that it may strike."""

    name: str
    before: tuple[Step, ...]
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        return self.name


def _create(name: str) -> Step:
    return lambda registry: registry.create_model(name, metadata={"made": name})


def _update(registry: Registry) -> None:
    registry.get_model("old").update(metadata={"note": "x", "made": "twice"})


def _three_at_once(registry: Registry) -> None:
    with registry.transaction("three"):
        registry.create_model("one", metadata={"of": 3})
        registry.get_model("old").rename("two")
        registry.create_model("three").create_version("1")


def _test_case(registry: Registry) -> None:
    with localreg.use(registry):
        TestCase("case", test_samples=[(Picture(number), Truth(str(number))) for number in range(5)])


def _test_suite(registry: Registry) -> None:
    with localreg.use(registry):
        TestSuite("suite", test_cases=[TestCase("case")])


def _typed_model(registry: Registry) -> None:
    with localreg.use(registry):
        TypedModel("typed")


def _test_run(registry: Registry) -> None:
    with localreg.use(registry):
        test(TypedModel("typed", lambda sample: Guess(str(sample.number))), TestSuite("suite"))


def upload_and_run() -> tuple[Step, ...]:
    """Everything that brings bulk files: four commits."""
    return (_test_case, _test_suite, _typed_model, _test_run)


SPAN = 8
"""Commits from one snapshot to the next while scenarios run: what a snapshot does is the same after the usual 64."""


@contextmanager
def short_spans() -> Iterator[None]:
    """Write a snapshot every `SPAN` commits."""
    usual, log.SNAPSHOT_EVERY = log.SNAPSHOT_EVERY, SPAN
    try:
        yield
    finally:
        log.SNAPSHOT_EVERY = usual


SCENARIOS = [
    Scenario("the first commit of a registry", (), (_create("new"),)),
    Scenario("one model", (_create("old"),), (_create("new"),)),
    Scenario("an update", (_create("old"),), (_update,)),
    Scenario("a transaction of three", (_create("old"),), (_three_at_once,)),
    Scenario("a test run with its suite", (_create("old"),), upload_and_run()),
    Scenario(
        "the commit that writes a snapshot",
        tuple(_create(f"model {number}") for number in range(SPAN - 1)),
        (_create("new"),),
    ),
]


def open_at(root: Store, *, actor: str = "ana") -> Session:
    """A session on a root store as it is, such as a faulty one."""
    file, _ = open_or_make(root, make=True)
    return Session(root, file, "default", actor=actor)


def view(state: State) -> list[str]:
    """All records of a state, the same for equal deeds: ids are replaced by what they stand for."""
    rows = list(state.rows())
    labels = {row.id: f"<{row.kind} {row.name}>" for row in rows if row.kind not in ("file", "registry", "namespace")}

    def plain(text: str) -> str:
        return re.sub("[0-9a-f]{32,64}", lambda found: labels.get(found[0], "*"), text)

    # Which packages a process has loaded is not a matter of what it did.
    fields = [{key: value for key, value in row.fields.items() if key != "fingerprint"} for row in rows]
    return sorted(
        f"{row.kind} {plain(canonical(said))} in {plain(row.parent)}" for row, said in zip(rows, fields, strict=True)
    )
