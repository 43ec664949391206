"""Garbage collection that is killed, or fails, at each storage call: what is named is there, and the rest goes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

import localreg
from localreg import Registry
from localreg.errors import LocalregError
from localreg.names import new_id
from localreg.session.location import root_store
from localreg.testing import CrashedError, FaultyStore
from tests.crash.scenarios import open_at, short_spans
from tests.crash.strikes import Strikes
from tests.garbage import Clocks, lay, there

When = Literal["before", "after"]


@pytest.fixture(autouse=True)
def clocks() -> Iterator[Clocks]:
    with Clocks.set() as clocks, short_spans():
        yield clocks


class Made(NamedTuple):
    """A registry with something for each step of a collection.

    Attributes:
        folder: where.
        named: what live records use.
    """

    folder: Path
    named: set[str]


@pytest.fixture
def made(tmp_path: Path, clocks: Clocks) -> Made:
    folder = tmp_path / "made"
    registry = localreg.open(folder)
    model = registry.create_model("m")
    model.upload(b"kept", name="kept")
    named = there(registry)
    model.upload(b"deleted", name="w").delete()
    lay(registry)
    registry.gc(dry_run=False)
    clocks.pass_days(8)
    lay(registry)
    registry.gc(dry_run=False)  # condemns the first, sees the second
    clocks.pass_days(100)
    lay(registry, f"artifacts/ab/{'ab' * 32}-{new_id()}")
    left = folder / "namespaces/default/tmp/.left.0011.tmp"
    left.write_bytes(b"on its way")
    for _ in range(4):
        registry.create_model(new_id())
    return Made(folder, named)


def act(registry: Registry, verb: str) -> None:
    if verb == "retain":
        registry.retain(dry_run=False)
    elif verb == "repair":
        assert not registry.doctor(repair=True).problems
    else:
        registry.gc(dry_run=False)


@pytest.mark.parametrize("dead", [True, False], ids=["killed", "fails"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", ["gc", "retain", "repair"])
def test_upkeep_that_ends_at_any_storage_call_loses_nothing_and_goes_on_the_next_time(
    made: Made, clocks: Clocks, tmp_path: Path, verb: str, when: When, dead: bool
) -> None:
    today = clocks.true
    for k in (strikes := Strikes()):
        clocks.true = today
        folder = tmp_path / str(k)
        shutil.copytree(made.folder, folder)
        if verb == "repair":
            (folder / "namespaces/default/snapshots/latest.json").unlink()
        store = FaultyStore(root_store(str(folder)), fail_at=k, when=when, then_dead=dead)
        with suppress(AssertionError, LocalregError, CrashedError):
            act(Registry(open_at(store)), verb)
        registry = localreg.open(folder)
        strikes.called(store.calls)
        assert len(store.calls) > 10 or k, "hardly a call was made: nothing is tested"
        told = f"{when} call {k}: {' '.join(store.calls[k - 1])}" if k else "no fault"
        assert registry.verify().ok, told
        assert made.named <= there(registry), told
        for _ in range(0 if verb == "repair" else 5):
            registry.retain(dry_run=False)
            registry.gc(dry_run=False)
            clocks.pass_days(8)
        assert verb == "repair" or there(registry) == made.named, told
        assert b"".join(registry.get_model("m").get_artifact("kept").stream()) == b"kept"
        assert registry.verify().ok, told
        shutil.rmtree(folder)
