"""One history: clients at work in a world, and what they were told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from localreg import Registry
from localreg.errors import FormatError, IntegrityError, LocalregError, StorageError, UnknownOutcomeError
from localreg.log import Change, Entry, Head, Provenance, entry, log
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.session.proof import Proof
from localreg.storage import probe
from tests.histories.acts import Act, Book, drawn, shown
from tests.histories.world import Machine, Weather, World

__all__ = ["Deed", "History", "Plan", "Sight", "play"]

SPAN = 6
"""Commits from one snapshot to the next."""

PLAIN = ("create", "create", "count", "count", "set", "tag", "rename", "delete", "version", "alias", "move", "look")
RARE = ("reopen", "upload", "upload", "collect", "snapshot")
"""They cost milliseconds: only some histories have them."""


@dataclass(frozen=True)
class Plan:
    """What a seed stands for, before it is played."""

    weather: Weather
    clients: tuple[tuple[Act, ...], ...]
    span: int

    @classmethod
    def of(cls, seed: int) -> Plan:
        """The plan of a seed."""
        chance = Random(f"plan {seed}")
        rare = chance.random() < 0.2
        verbs = PLAIN + RARE * 2 if rare else PLAIN
        clients = tuple(
            (
                Act("create", "abc"[place % 3], "", f"{name}0"),
                *(drawn(chance, f"{name}{number}", verbs=verbs) for number in range(1, chance.randint(2, 5))),
            )
            for place, name in enumerate("xyzw"[: chance.choice([2, 2, 3, 3, 4])])
        )
        return cls(_weather(chance), clients, SPAN if rare else 1_000)

    def __str__(self) -> str:
        lines = [f"weather: {self.weather}; a snapshot every {self.span} commits"]
        return "\n".join([*lines, *("  ".join(map(str, acts)) for acts in self.clients)])


def _weather(chance: Random) -> Weather:
    def some(likelihood: float, of: float = 0.35) -> float:
        return likelihood if chance.random() < of else 0.0

    remote = chance.random() < 0.15
    return Weather(
        refused=some(0.03),
        lost=some(0.2),
        lies=some(0.15),
        blind=some(0.2, 0.2),
        killed=some(0.01),
        power_cut=0.0 if remote else some(0.015, 0.3),
        jumps=some(0.05),
        sleeps=some(0.02),
        remote=remote,
    )


@dataclass
class Deed:
    """One attempt at an act, and what came of it.

    Attributes:
        act: what was attempted.
        client: by whom.
        least: the newest commit that it had to know of when it began.
        most: of the newest that there was when it ended.
        ids: of the commits that it offered, and under which number last.
        error: what it raised; None if it was acknowledged.
        ended: whether it came to an end: its client was not killed.
        power_cuts: that had been when it ended.
    """

    act: Act
    client: str
    least: int
    most: int = 0
    ids: dict[str, int] = field(default_factory=dict)
    error: LocalregError | None = None
    ended: bool = False
    power_cuts: int = 0
    resolved: int | None = None


@dataclass(frozen=True)
class Sight:
    """What a client saw at one moment."""

    client: str
    head: Head
    book: Book
    power_cuts: int


@dataclass
class History:
    """What happened.

    Attributes:
        world: where, as it was left.
        deeds: all attempts, in the order of their beginnings.
        sights: in their order.
        acknowledged: the newest commit of which anybody was told that it is there.
    """

    world: World
    plan: Plan
    deeds: list[Deed] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    acknowledged: int = 0


def play(seed: int, plan: Plan | None = None, *, told: list[str] | None = None) -> History:
    """Play the history of a seed, or another plan under the same chance."""
    plan = plan or Plan.of(seed)
    world = World(seed, plan.weather, told=told)
    history = History(world, plan)
    names = [f"{acts[0].token[0]}" for acts in plan.clients if acts]
    left = dict(zip(names, (list(acts) for acts in plan.clients if acts), strict=True))
    with _set_for(world, plan.span):
        world.run({name: Client(history, name, acts).live for name, acts in left.items()})
    return history


class Client:
    """Does its acts one after the other; born again, it goes on with the next one."""

    def __init__(self, history: History, name: str, acts: list[Act]) -> None:
        self.history = history
        self.world = history.world
        self.name = name
        self.acts = acts
        self.seen = 0
        self._deed: Deed | None = None

    def live(self, machine: Machine) -> None:
        self.seen, self._deed = 0, None
        registry = self._opened(machine)
        while self.acts and registry is not None:
            act = self.acts.pop(0)
            if act.verb == "reopen":
                registry = self._opened(machine)
                self.seen = 0 if self.world.weather.blind else self.seen
            if registry is not None:
                self._attempt(registry, act)

    def _opened(self, machine: Machine) -> Registry | None:
        """A fresh handle; None if the place does not let it come about."""
        for _ in range(20):
            store = self.world.store(machine)
            try:
                file, made = open_or_make(store, make=True)
                opened = Session(store, file, "default", actor=self.name, proof=Proof(store, made=made))
            except (StorageError, IntegrityError, FormatError) as error:
                self._expect(error)
                continue
            opened._turns._sleep = lambda _: self.world.pause(machine)
            real = opened.log.publish
            opened.log.publish = self._noting(real)  # type: ignore[method-assign]
            return Registry(opened)
        return None

    def _noting(self, real: Callable[..., Entry | None]) -> Callable[..., Entry | None]:
        """Publishes, and notes under which id and number."""

        def noting(
            head: Head, changes: Sequence[Change], provenance: Provenance, commit_id: str, **rest: Any
        ) -> Entry | None:
            if self._deed is not None:
                self._deed.ids[commit_id] = head.commit + 1
            return real(head, changes, provenance, commit_id, **rest)

        return noting

    def _attempt(self, registry: Registry, act: Act) -> None:
        # Of what others were told, one who sees nothing new knows nothing.
        least = self.seen if self.world.weather.blind else max(self.seen, self.history.acknowledged)
        self._deed = deed = Deed(act, self.name, least)
        self.history.deeds.append(deed)
        self._tell(f"begins: {act}")
        try:
            act.do(registry)
        except LocalregError as error:
            deed.error = error
            self._expect(error)
            if isinstance(error, UnknownOutcomeError):
                self._resolve(registry, deed, error)
        deed.most, deed.ended, deed.power_cuts = self._newest(), True, self.world.power_cuts
        if deed.error is None and deed.ids:
            number = [*deed.ids.values()][-1]
            self.seen, self.history.acknowledged = number, max(self.history.acknowledged, number)
        self._tell(f"ends: {act}: {type(deed.error).__name__ if deed.error else 'done'} {deed.error or ''}")
        self._look(registry)

    def _resolve(self, registry: Registry, deed: Deed, error: UnknownOutcomeError) -> None:
        try:
            deed.resolved = registry.resolve(error.commit_id, commit=error.commit)
        except LocalregError as failed:
            self._expect(failed)

    def _look(self, registry: Registry) -> None:
        try:
            state = registry._session.state()
        except LocalregError as error:
            self._expect(error)
            return
        assert state.head.commit >= self.seen, f"{self.name} sees commit {state.head.commit} after {self.seen}"
        self.seen = state.head.commit
        self.history.sights.append(Sight(self.name, state.head, shown(state), self.world.power_cuts))

    def _expect(self, error: LocalregError) -> None:
        """Of damage nobody may speak where none is, but for one who does not see what is there."""
        damage = isinstance(error, IntegrityError | FormatError)
        assert not damage or self.world.weather.blind, f"{self.name} was told of damage: {error}"

    def _newest(self) -> int:
        return sum(path.startswith("namespaces/default/log/") for path in self.world.files)

    def _tell(self, what: str) -> None:
        self.world.tell(self.world.current, what)


class _Inline:
    """Stands in for a pool of threads, which no seed could order."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> _Inline:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, act: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [act(item) for item in items]


class _Clock:
    """Stands in for the class that is asked for the time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self, _: object) -> datetime:
        return self._world.now()


@contextmanager
def _set_for(world: World, span: int) -> Iterator[None]:
    """Clocks, chance and the distance of snapshots are the world's; what no seed could order is left out."""
    with ExitStack() as stack:

        def put(module: Any, name: str, value: object) -> None:
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)

        put(entry, "datetime", _Clock(world))
        put(log, "SNAPSHOT_EVERY", span)
        put(os, "urandom", world.chance.randbytes)
        put(futures, "ThreadPoolExecutor", _Inline)
        put(probe, "probe", lambda store: "")  # many threads at once
        yield
