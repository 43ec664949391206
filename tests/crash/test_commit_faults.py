"""A fault before and after every storage call of a commit, one after the other."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pytest

from localreg import Registry
from localreg.errors import LocalregError, UnknownOutcomeError
from localreg.log.entry import entry_path
from localreg.session.location import root_store
from localreg.storage import MemoryStore, Store
from localreg.testing import CrashedError, FaultyStore
from tests.crash.scenarios import SCENARIOS, Scenario, open_at, short_spans, view
from tests.crash.strikes import Strikes
from tests.thorough import THOROUGH

When = Literal["before", "after"]


class Place(Protocol):
    """Somewhere to have registries."""

    def empty(self) -> Store:
        """A root with nothing in it."""

    def copy(self, store: Store) -> Store:
        """Another root with the same files."""


class Memory:
    def empty(self) -> Store:
        return MemoryStore()

    def copy(self, store: Store) -> Store:
        twin = MemoryStore()
        for path in store.list(""):
            twin.put(path, store.get(path) or b"")
        return twin


class Disk:
    def __init__(self, folder: Path) -> None:
        self._folders = (folder / str(number) for number in itertools.count())

    def empty(self) -> Store:
        return root_store(str(next(self._folders)))

    def copy(self, store: Store) -> Store:
        folder = next(self._folders)
        if Path(store.uri).exists():
            shutil.copytree(store.uri, folder)
        return root_store(str(folder))


@pytest.fixture(autouse=True)
def _short_spans() -> Iterator[None]:
    with short_spans():
        yield


@pytest.fixture(params=["memory", "disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Memory() if request.param == "memory" else Disk(tmp_path)


@dataclass
class Fault:
    """One run of a scenario with a fault in it.

    Attributes:
        told: which call failed, for messages.
        root: what is left.
        done: how many steps returned.
        error: what the next one raised; None if all returned.
        registry: the handle that met the fault; None if not even opening came through.
        expected: what is to be seen after 0, 1, 2… steps.
    """

    told: str
    root: Store
    expected: list[list[str]]
    done: int = 0
    error: BaseException | None = None
    registry: Registry | None = field(default=None, repr=False)

    @property
    def allowed(self) -> list[list[str]]:
        """The step that raised may have happened or not; never half."""
        return self.expected[self.done : self.done + 1 + (self.error is not None)]


def prepared(place: Place, scenario: Scenario) -> tuple[Store, list[list[str]]]:
    """A root as it is before the fault, and what is to be seen after each step."""
    before = place.empty()
    if scenario.before:
        registry = Registry(open_at(before))
        for step in scenario.before:
            step(registry)
    undisturbed = open_at(place.copy(before))
    expected = [view(undisturbed.state())]
    for number, step in enumerate(scenario.steps, len(scenario.before) + 1):
        step(Registry(undisturbed))
        expected.append(view(undisturbed.state()))
        assert undisturbed.state().head.commit == number
    return before, expected


def faults(place: Place, scenario: Scenario, when: When, *, dead: bool) -> Iterator[Fault]:
    """The scenario once for each storage call, with a fault at that call."""
    before, expected = prepared(place, scenario)
    for k in (strikes := Strikes()):
        root = place.copy(before)
        store = FaultyStore(root, fail_at=k, when=when, then_dead=dead)
        fault = Fault("", root, expected)
        try:
            fault.registry = Registry(open_at(store))
            for step in scenario.steps:
                step(fault.registry)
                fault.done += 1
        except (LocalregError, CrashedError) as error:
            fault.error = error
        strikes.called(store.calls)
        if k == 0:
            assert fault.error is None
            assert len(store.calls) > len(scenario.steps) * 2, "it made hardly a call: nothing is tested"
            continue
        fault.told = f"{when} call {k}, {' '.join(store.calls[k - 1])}: {fault.error!r}"
        yield fault


def check_whole(fault: Fault, *, commits: int) -> None:
    """A stranger opens what is left: nothing is half, nothing is damaged, and the next commit works."""
    session = open_at(fault.root, actor="bob")
    assert view(session.state()) in fault.allowed, fault.told
    report = session.verify()
    assert report.ok, f"{fault.told}\n{report}"
    commit = session.state().head.commit
    assert commit == commits + fault.expected.index(view(session.state())), fault.told
    Registry(session).create_model("next")
    entries = list(session.entries())
    assert [entry.commit for entry in entries] == list(range(1, commit + 2)), fault.told
    assert len({entry.commit_id for entry in entries}) == commit + 1, fault.told
    assert list(session.store.list("log")) == [entry_path(number) for number in range(1, commit + 2)], fault.told
    assert open_at(fault.root).verify().ok, fault.told


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=repr)
def test_a_crash_at_any_storage_call_leaves_the_old_state_or_the_new(
    place: Place, scenario: Scenario, when: When
) -> None:
    for fault in faults(place, scenario, when, dead=True):
        assert fault.error is not None, f"the fault was lost: {fault.told}"
        check_whole(fault, commits=len(scenario.before))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=repr)
def test_a_failure_of_any_storage_call_leaves_the_old_state_or_the_new_and_what_raised_was_not_done(
    place: Place, scenario: Scenario, when: When
) -> None:
    landed = []
    for fault in faults(place, scenario, when, dead=False):
        if fault.error is not None and not isinstance(fault.error, UnknownOutcomeError):
            seen = view(open_at(fault.root).state())
            if seen != fault.expected[fault.done]:
                landed.append(fault.told)
        check_whole(fault, commits=len(scenario.before))
    assert landed == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=repr)
def test_a_handle_that_met_a_failure_goes_on(place: Place, scenario: Scenario, when: When) -> None:
    for fault in faults(place, scenario, when, dead=False):
        if fault.registry is None:
            continue
        for step in scenario.steps[fault.done :]:
            if view(open_at(fault.root).state()) == fault.expected[fault.done]:
                step(fault.registry)
            fault.done += 1
        fault.error = None
        fault.registry.create_model("goes on")
        assert open_at(fault.root).state().find("model", "goes on") is not None, fault.told
        fault.registry.get_model("goes on").delete()
        assert view(open_at(fault.root).state()) == fault.expected[-1], fault.told
        check_whole(fault, commits=len(scenario.before) + 2)


def test_the_faults_strike_the_commit_itself(place: Place) -> None:
    """Guards the tests above: had the handle looked past the faulty store, they would all pass."""
    for scenario in SCENARIOS:
        told = [fault.told for fault in faults(place, scenario, "after", dead=True)]
        commits = sum("put_if_absent namespaces/default/log/" in call for call in told)
        assert commits == len(scenario.steps) if THOROUGH else commits in (1, 2)
        if "snapshot" in scenario.name:
            assert any("put namespaces/default/snapshots/" in call for call in told)
        if "test run" in scenario.name:
            # Samples, ground truths, what the run wrote as it came, and what that was merged to.
            assert sum("writer_close namespaces/default/data/" in call for call in told) >= 4
