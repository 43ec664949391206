"""What is done to a registry while the system fails: in acts, after each of which one thing is acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import localreg
from localreg import Registry
from localreg.errors import NotFoundError
from localreg.names import new_id
from tests.crash.scenarios import SCENARIOS, Scenario, view

__all__ = ["DEEDS", "Deed"]


@dataclass(frozen=True)
class Deed:
    """Something that takes a few acts.

    Attributes:
        name: what it is.
        prepare: is done before, undisturbed.
        acts: does one thing before each time that it yields: it is acknowledged then.
        look: what is to be seen of it, the same after equal deeds, and as JSON can hold it.
        settle: does what is done about a process that is gone; nothing that was seen may be lost by it.
    """

    name: str
    prepare: Callable[[Registry], object]
    acts: Callable[[Registry], Iterator[None]]
    look: Callable[[Registry], Any]
    settle: Callable[[Registry], object] = lambda _: None

    def __repr__(self) -> str:
        return self.name


def records(registry: Registry) -> list[str]:
    """All of them, and the files that are named."""
    return view(registry._session.state())


def nothing(registry: Registry) -> None:
    """To be done before."""


def _scenario(scenario: Scenario) -> Deed:
    def prepare(registry: Registry) -> None:
        for step in scenario.before:
            step(registry)

    def acts(registry: Registry) -> Iterator[None]:
        for step in scenario.steps:
            step(registry)
            yield

    return Deed(scenario.name, prepare, acts, records)


def _model(registry: Registry) -> None:
    registry.create_model("old").create_version("1")


def _artifacts(registry: Registry) -> Iterator[None]:
    version = registry.get_version("old@1")
    version.upload(b"weights" * 100, name="weights.bin")
    yield
    version.upload(b"the same" * 100, name="one")
    yield
    version.upload(b"the same" * 100, name="two")
    yield


def contents(registry: Registry) -> list[Any]:
    """The records, and the bytes of the artifacts."""
    version = registry.get_version("old@1")
    names = [row["name"] for row in version.artifacts()]
    return [records(registry), {name: b"".join(version.get_artifact(name).stream()).decode() for name in names}]


LATE_S = 3_600.0
"""Nothing is flushed by itself."""


def _train(registry: Registry) -> Iterator[None]:
    experiment = registry.experiment("e", strict=True, flush_every=LATE_S)
    yield
    experiment.log({"x": 1.0}, step=1)
    yield
    experiment.flush()
    yield
    experiment.event("y", metadata={"n": 2})
    yield
    experiment.log({"x": 3.0}, step=2)
    yield
    experiment.finish()
    yield


def reported(registry: Registry) -> list[Any]:
    """What an experiment has reported, wherever it lies."""
    try:
        experiment = registry.get_experiment("e")
    except NotFoundError:
        return []
    points = [row["value"] for row in experiment.points("x", live=True)]
    return [experiment.info.status, points, [row["metadata"]["n"] for row in experiment.events(live=True)]]


def _close(registry: Registry) -> None:
    """Close what a dead process left, whose rows a committed look then has."""
    before = reported(registry)
    registry.recover_experiments()
    if before:
        experiment = registry.get_experiment("e")
        assert experiment.info.status in ("finished", "killed")
        points = [row["value"] for row in experiment.points("x", live=False)]
        assert [points, [row["metadata"]["n"] for row in experiment.events(live=False)]] == before[1:]


def _many_events(registry: Registry) -> None:
    model = registry.create_model("old")
    for number in range(8):
        model.event("seen", metadata={"n": number})


def _compact(registry: Registry) -> Iterator[None]:
    assert registry.compact().parts_before == 8
    yield


def events(registry: Registry) -> list[Any]:
    """The records, and the events."""
    rows = registry.sql("SELECT metadata FROM events ORDER BY wallclock").dicts()
    return [records(registry), [row["metadata"] for row in rows]]


def _snapshot(registry: Registry) -> Iterator[None]:
    registry.snapshot()
    yield


def _event(registry: Registry) -> Iterator[None]:
    registry.get_model("old").event("seen", metadata={"n": 8})
    yield


def _found(registry: Registry) -> Iterator[None]:
    with localreg.open(_beside(registry), actor="founder") as made:
        yield
        made.create_model("new")
        yield
        made.namespace("vision/plates").create_model("new")
        yield


def _beside(registry: Registry) -> Path:
    return Path(registry.uri).parent / "beside" / "made"


def founded(registry: Registry) -> list[Any]:
    """What is in a registry beside."""
    try:
        with localreg.open(_beside(registry), read_only=True) as made:
            spaces = [made, *([made.namespace("vision/plates")] if "vision/plates" in made.namespaces() else [])]
            assert all(each.verify().ok for each in spaces)
            return [records(each) for each in spaces]
    except NotFoundError:
        return []


def _orphans(registry: Registry) -> None:
    """What writers left that died before their commits, beside what is named."""
    _model(registry)
    store = registry._session.store
    for number in range(3):
        with store.writer(f"data/events/{new_id()}/{new_id()}.parquet") as file:
            file.write(b"left" * (number + 1))


def _collect(registry: Registry) -> Iterator[None]:
    """Noted, condemned, deleted: each a call, which may be tried again when it was refused."""
    collect: Any = getattr(registry, "gc")  # noqa: B009
    for _ in range(3):
        collect(grace="0s", dry_run=False)
    yield
    registry.get_model("old").rename("kept")
    yield


def kept(registry: Registry) -> Any:
    """Whatever a collection has come to, its own entries aside: what was named before."""
    models = registry.sql("SELECT name FROM models ORDER BY name").dicts()
    return [[row["name"] for row in models], registry.verify().ok]


GARBAGE = [Deed("garbage", _orphans, _collect, kept)] if hasattr(Registry, "gc") else []

DEEDS = [
    Deed("the making of a registry", nothing, _found, founded),
    *map(_scenario, SCENARIOS),
    Deed("artifacts", _model, _artifacts, contents),
    Deed("an event", _many_events, _event, events),
    Deed("an experiment", nothing, _train, reported, _close),
    Deed("compact", _many_events, _compact, events),
    Deed("a snapshot", _many_events, _snapshot, records),
    *GARBAGE,
]
