"""A commit through a wire that fails at each request in turn: the old state or the new one, never between, never twice.

What is expected of an error: none was raised, then the commit is there; a definite one, then it is not; or
`UnknownOutcomeError`, then either, and `resolve` tells which.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

import localreg
from localreg import LocalregError, Registry, UnknownOutcomeError
from localreg.storage import asking
from tests.crash.strikes import firsts, look
from tests.crash.wire import Fault, Wire
from tests.pictures import Picture, TestCase, Truth
from tests.remote import Server, options

PATIENCE_S = 60
"""Of the client: what takes longer is a lost answer."""
SHORT_PATIENCE_S = 1
"""Where answers are withheld, so that somebody has to lose patience. A slow machine only makes for more of them."""
FOR_EVER = 100_000


class Place:
    """A registry in a bucket, seen through a wire and past it."""

    def __init__(self, s3: Server) -> None:
        self.s3 = s3
        self.uri = f"s3://{s3.bucket()}/registry"
        self._past: Registry | None = None

    def through(self, wire: Wire, *, patience_s: float = PATIENCE_S) -> Registry:
        own = {**options(wire.endpoint), "config_kwargs": {"read_timeout": patience_s}}
        return localreg.open(self.uri, storage_options=own)

    def past(self) -> Registry:
        """A healthy handle; its cache is another, since its endpoint is."""
        if self._past is None:
            self._past = localreg.open(self.uri, storage_options=options(self.s3.endpoint))
        return self._past


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked again is asked at once."""
    monkeypatch.setattr(asking, "FIRST_PAUSE_S", 0.0)


def settle(place: Place, name: str, before: int, error: LocalregError | None) -> None:
    """Check what is there after one attempt to create the model `name`."""
    healthy = place.past()
    landed = int(healthy.find_model(name) is not None)
    assert healthy.commit == before + landed
    if error is None:
        assert landed == 1
    elif isinstance(error, UnknownOutcomeError):
        assert healthy.resolve(error.commit_id) == (healthy.commit if landed else None)
    else:
        assert landed == 0, error
    assert healthy.verify().ok
    healthy.create_model(f"after {name}")
    assert healthy.commit == before + landed + 1


def attempt(act: Callable[[], object]) -> LocalregError | None:
    """Any other error than ours fails the test."""
    try:
        act()
    except LocalregError as error:
        return error
    return None


@pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "from then on"])
@pytest.mark.parametrize("fault", list(Fault))
def test_a_commit_through_an_open_handle(s3: Server, fault: Fault, times: int) -> None:
    place = Place(s3)
    place.past().create_model("first")
    with Wire(s3.endpoint) as wire:
        withheld = fault is Fault.SWALLOW
        registry = place.through(wire, patience_s=SHORT_PATIENCE_S if withheld else PATIENCE_S)
        for name in ("second", "third"):
            wire.spoil(None, at=0)
            error = attempt(lambda name=name: registry.create_model(name))  # type: ignore[misc]
            assert error is None or withheld
        requests = 2  # a probe of the tail, and the put: nothing else
        assert len(wire.requests) == requests or withheld
        for at in range(1, requests + 2):
            name, before = f"{fault.name} at {at}", place.past().commit
            wire.spoil(fault, at=at, times=times)
            error = attempt(lambda name=name: registry.create_model(name))  # type: ignore[misc]
            wire.spoil(None, at=0)
            settle(place, name, before, error)


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.DOUBLE, Fault.FORBIDDEN, Fault.BUSY_AFTER])
def test_one_fault_of_the_wire_costs_no_commit_that_could_be_made(s3: Server, fault: Fault) -> None:
    """But for a refusal, which is believed, each single fault is got over."""
    place = Place(s3)
    with Wire(s3.endpoint) as wire:
        registry = place.through(wire)
        registry.create_model("first")
        for at in (1, 2):
            wire.spoil(fault, at=at)
            error = attempt(lambda at=at: registry.create_model(f"model {at}"))  # type: ignore[misc]
            assert (error is not None) == (fault is Fault.FORBIDDEN)


@pytest.mark.slow
def test_making_a_registry_and_its_first_commit(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        healthy = Place(s3)
        healthy.through(wire).create_model("first")
        requests = [*enumerate(map(str, wire.requests), 1)]
        for at, _ in firsts(requests, lambda request: look(request[1])):
            place = Place(s3)
            wire.spoil(Fault.CUT_AFTER, at=at)
            error = attempt(lambda place=place: place.through(wire).create_model("first"))  # type: ignore[misc]
            wire.spoil(None, at=0)
            settle(place, "first", 0, error)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.CUT_DURING])
def test_bulk_rows_arrive_whole_or_not_at_all(s3: Server, fault: Fault) -> None:
    rows = [(Picture(number), Truth("cat")) for number in range(10)]

    def make(registry: Registry) -> None:
        with localreg.use(registry):
            TestCase(f"case {uuid4().hex}", test_samples=rows, reset=True)

    place = Place(s3)
    place.past().create_model("first")
    with Wire(s3.endpoint) as wire:
        registry = place.through(wire)
        make(registry)
        wire.spoil(None, at=0)
        make(registry)
        requests = len(wire.requests)
        for at in range(1, requests + 1):
            before = place.past().commit
            wire.spoil(fault, at=at)
            error = attempt(lambda: make(registry))
            wire.spoil(None, at=0)
            assert place.past().commit == before + (error is None)
        assert place.past().verify().ok
        counts = place.past().sql("SELECT test_case, count(*) AS n FROM ground_truths GROUP BY ALL").dicts()
        assert {row["n"] for row in counts} == {10}
