"""Histories that a seed decides, and products that are broken on purpose, which they must find."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from localreg import Registry
from localreg.errors import StorageError, UnknownOutcomeError
from localreg.log import Log, folding, publish, snapshot
from localreg.names import new_id
from localreg.session import Session, preconditions, session
from tests.histories.acts import Act, drawn
from tests.histories.history import Plan, play
from tests.histories.shrinking import failure, shrunk
from tests.histories.store import SimulatedStore
from tests.histories.world import Weather

SEEDS, STRETCH = 1_000, 100
ENOUGH = 300
"""Histories within which a broken product shows."""


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, STRETCH))
def test_no_history_breaks_a_promise(first: int) -> None:
    for seed in range(first, first + STRETCH):
        assert failure(seed) is None, f"python -m tests.histories --seed {seed}"


@pytest.mark.parametrize("seed", [3, 11, 72, 177])
def test_a_seed_always_tells_the_same_history(seed: int) -> None:
    one, other = ([*_told(seed)] for _ in range(2))
    assert one == other
    assert len(one) > 20


def _told(seed: int) -> list[str]:
    told: list[str] = []
    with play(seed, told=told).world.cleaned():
        return told


Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutant:
    """A product that breaks a promise.

    Attributes:
        name: which.
        breaks: breaks it.
        weather: in which it must show.
        often: whether snapshots are written all the time.
    """

    name: str
    breaks: Callable[[Patch], None]
    weather: Weather
    often: bool = False

    def __repr__(self) -> str:
        return self.name


def lost_without_a_look(patch: Patch) -> None:
    patch.setattr(publish, "_landed", lambda *_: False)


def won_without_a_look(patch: Patch) -> None:
    patch.setattr(publish, "_landed", lambda *_: True)


def silence_is_a_refusal(patch: Patch) -> None:
    patch.setattr(publish, "_unknown", lambda *_: StorageError("it failed"))


def hidden_is_absent(patch: Patch) -> None:
    """What the publishing did until a history found it."""

    def landed(store: Any, path: str, entry: Any, ours: bytes, failed: Any) -> bool | None:
        found = real(store, path, entry, ours, failed)
        if found is None and failed is None:
            raise StorageError("nothing is there; try again")
        return found

    real = publish._landed
    patch.setattr(publish, "_landed", landed)


def goes_on_while_it_does_not_know(patch: Patch) -> None:
    def published(*arguments: Any, **rest: Any) -> Any:
        try:
            return real(*arguments, **rest)
        except UnknownOutcomeError:
            return None

    real = publish.publish
    patch.setattr("localreg.log.log.publish", published)


def another_id_for_each_offer(patch: Patch) -> None:
    def published(store: Any, head: Any, changes: Any, provenance: Any, commit_id: str, **rest: Any) -> Any:
        return real(store, head, changes, provenance, new_id(), **rest)

    real = publish.publish
    patch.setattr("localreg.log.log.publish", published)


def offers_again_what_it_planned(patch: Patch) -> None:
    """A lost race does not make it look at what the winner left."""

    def changes_of(self: Session, operations: Sequence[Any], prepared: Any, state: Any, ids: Any) -> Any:
        if id(ids) not in planned:
            planned[id(ids)] = (ids, real(self, operations, prepared, state, ids))  # alive, so that no other has its id
        return planned[id(ids)][1]

    planned: dict[int, Any] = {}
    real = Session._changes_of
    patch.setattr(Session, "_changes_of", changes_of)


def believes_what_is_not_durable(patch: Patch) -> None:
    patch.setattr(SimulatedStore, "sync", lambda *_: None)


def folds_no_removals(patch: Patch) -> None:
    def apply(self: Any, event: Any, *rest: Any) -> None:
        if event.effect != "remove":
            real(self, event, *rest)

    real = folding.Draft.apply
    patch.setattr(folding.Draft, "apply", apply)


def snapshots_without_what_was_removed(patch: Patch) -> None:
    patch.setattr(snapshot, "_held", lambda layers, key: False)


def transactions_overlook_others(patch: Patch) -> None:
    patch.setattr(session, "refuse_overlap", lambda *_: None)
    patch.setattr(session, "refuse_other_outcome", lambda *_: None)
    offers_again_what_it_planned(patch)


def probes_only_at_first(patch: Patch) -> None:
    """Reads of an open handle do not look for what others did."""
    patch.setattr(Log, "refresh", lambda self, state: state)


STORM = Weather(lost=0.3)
MUTANTS = [
    Mutant("lost without a look", lost_without_a_look, Weather(lies=0.3)),
    Mutant("won without a look", won_without_a_look, Weather()),
    Mutant("silence is a refusal", silence_is_a_refusal, STORM),
    Mutant("hidden is absent", hidden_is_absent, Weather(lies=0.3, blind=0.5)),
    Mutant("goes on while it does not know", goes_on_while_it_does_not_know, STORM),
    Mutant("another id for each offer", another_id_for_each_offer, STORM),
    Mutant("offers again what it planned", offers_again_what_it_planned, Weather()),
    Mutant("believes what is not durable", believes_what_is_not_durable, Weather(lost=0.3, power_cut=0.03)),
    Mutant("folds no removals", folds_no_removals, Weather()),
    Mutant("snapshots without what was removed", snapshots_without_what_was_removed, Weather(), often=True),
    Mutant("transactions overlook others", transactions_overlook_others, Weather()),
    Mutant("probes only at first", probes_only_at_first, Weather()),
]


def _snapshot(act: Act) -> Act:
    return replace(act, verb="snapshot")


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_broken_product_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(seed: int) -> Plan:
        clients = Plan.of(seed).clients
        if mutant.often:
            clients = tuple(tuple(each for act in acts for each in (act, _snapshot(act))) for acts in clients)
        return Plan(mutant.weather, clients, 2 if mutant.often else 1_000)

    mutant.breaks(monkeypatch)
    found = next((seed for seed in range(ENOUGH) if failure(seed, plan(seed)) is not None), None)
    assert found is not None
    assert failure(found, shrunk(found, plan(found))) is not None
    monkeypatch.undo()
    assert failure(found, plan(found)) is None, "it is the mutant that fails, and not its weather"


@pytest.mark.skipif(not hasattr(Registry, "gc"), reason="there is no garbage collection yet")
def test_a_commit_of_what_was_given_up_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers that sleep in the middle of an upload, beside garbage collection with too short a grace period."""

    def plan(seed: int) -> Plan:
        chance = Random(seed)
        writers = tuple(
            (
                Act("create", "ab"[place], "", f"{name}0"),
                *(drawn(chance, f"{name}{number}", verbs=("upload", "upload", "look")) for number in range(1, 6)),
            )
            for place, name in enumerate("xy")
        )
        keeper = tuple(Act("collect", "", "", f"z{number}") for number in range(15))
        return Plan(Weather(killed=0.01, sleeps=0.04), (*writers, keeper), 1_000)

    kept = [each for each in preconditions if each.__name__ != "_refuse_condemned_files"]
    monkeypatch.setattr(session, "preconditions", kept)
    found = next((seed for seed in range(ENOUGH) if failure(seed, plan(seed)) is not None), None)
    assert found is not None
    monkeypatch.undo()
    assert failure(found, plan(found)) is None
