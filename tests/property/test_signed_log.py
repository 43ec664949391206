"""Laws of signed logs: a log with void entries is the log without them, however it is read, cached or forged."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.canonical import JsonObject
from localreg.errors import IntegrityError
from localreg.log import Change, Head, Log, Provenance, State
from localreg.log.entry import compose, entry_path
from localreg.log.features import FEATURE
from localreg.log.signing import FEATURE_NAME
from localreg.storage import MemoryStore
from tests.signing import key_of, public_text

REGISTRY = "ab" * 16
NAMES = ("ana", "ben", "eve")
TIME = "2026-01-02T03:04:05.000006Z"


class Step(NamedTuple):
    """Something that is put at the next number, by somebody with a key, or without one."""

    what: Literal["model", "add", "remove", "garbage", "replay", "elsewhere", "snapshot"]
    by: str | None
    whom: str


STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(
            ["model", "model", "model", "add", "add", "remove", "garbage", "replay", "elsewhere", "snapshot"]
        ),
        by=st.sampled_from([*NAMES, *NAMES, None]),
        whom=st.sampled_from(NAMES),
    ),
    max_size=14,
)


class Oracle:
    """A signed log in memory, written by hand, beside a plain account of what should come of it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.log = Log(self.store, REGISTRY, "default")
        self.head = self.log.origin
        self.number = 1
        self.listed: set[str] = set()
        self.models: list[str] = []
        self.void: list[int] = []
        feature: JsonObject = {"id": "f" * 32, "name": FEATURE_NAME, "needed_by": "readers"}
        self._commit([Change(FEATURE, "create", "f" * 32, FEATURE_NAME, after=feature)], None)
        self._commit([self._signer("ana")], "ana")
        self.listed = {"ana"}

    def do(self, step: Step) -> None:
        """Take a step."""
        if step.what == "snapshot":
            reader = self.reader()
            reader.key = lambda: key_of(step.by or "eve")
            reader._with_snapshot(self.reader().load())
            return
        if step.what in ("garbage", "replay"):
            data = b"garbage" if step.what == "garbage" else self.store.get(entry_path(self.number - 1)) or b""
            self._put(data)
            self.void.append(self.number - 1)
            return
        if step.what == "elsewhere":
            self._commit([self._model("elsewhere")], step.by, origin="0" * 64)
            return
        counts = step.by in self.listed
        if step.what == "model":
            name = f"model {self.number}"
            self._commit([self._model(name)], step.by, counts=counts)
            self.models += [name] * counts
        elif step.what == "add" and step.whom not in self.listed:
            self._commit([self._signer(step.whom)], step.by, counts=counts)
            self.listed |= {step.whom} if counts else set()
        elif step.what == "remove" and step.whom in self.listed:
            counts = counts and len(self.listed) > 1
            id = self._id(step.whom)
            gone = Change("signer", "remove", id, step.whom, before={"id": id, "name": step.whom})
            self._commit([gone], step.by, counts=counts)
            self.listed -= {step.whom} if counts else set()

    def reader(self) -> Log:
        """Another process."""
        return Log(self.store, REGISTRY, "default")

    def check(self, state: State) -> None:
        """Whether a state is what it should be."""
        assert state.head == self.head
        assert {signer.name for signer in state.signers.values()} == self.listed
        assert [row.name for row in state.children("model")] == self.models
        assert {row.name for row in state.children("signer")} == self.listed

    def _model(self, name: str) -> Change:
        id = os.urandom(16).hex()
        return Change("model", "create", id, name, after={"id": id, "name": name})

    def _id(self, name: str) -> str:
        return key_of(name).public[:32]

    def _signer(self, name: str) -> Change:
        record: JsonObject = {"id": self._id(name), "name": name, "key": public_text(name)}
        return Change("signer", "add", self._id(name), name, after=record)

    def _commit(self, changes: list[Change], by: str | None, *, counts: bool | None = None, origin: str = "") -> None:
        entry, data = compose(
            self.head,
            changes,
            Provenance("x", "y"),
            os.urandom(16).hex(),
            TIME,
            number=self.number,
            key=None if by is None else key_of(by),
            origin=origin or self.log.origin.digest,
        )
        self._put(data)
        if (counts is None or counts) and not origin:
            self.head = entry.head
        else:
            self.void.append(entry.commit)

    def _put(self, data: bytes) -> None:
        assert self.store.put_if_absent(entry_path(self.number), data)
        self.number += 1


@given(STEPS)
def test_void_entries_change_nothing_for_any_reader(steps: list[Step]) -> None:
    oracle = Oracle()
    follower = oracle.log
    state = follower.load()
    for step in steps:
        oracle.do(step)
        state = follower.refresh(state)
        oracle.check(state)
        assert follower.next_number(state.head) == oracle.number
    oracle.check(oracle.reader().load())
    for log in (follower, oracle.reader()):
        newest = log.load()
        assert [void.commit for void in log.void_entries(oracle.number - 1)] == oracle.void
        assert [entry.commit for entry in log.past(log.origin, newest.head.commit)] == [
            number for number in range(1, newest.head.commit + 1) if number not in oracle.void
        ]


@given(STEPS, st.integers(0, 20))
def test_every_place_in_the_past_can_be_read_on_from(steps: list[Step], commit: int) -> None:
    oracle = Oracle()
    for step in steps:
        oracle.do(step)
    log = oracle.reader()
    newest = log.load()
    commit = min(commit, newest.head.commit)
    before = log.at(commit, newest)
    assert log.head_at(commit).commit == before.head.commit
    rest = [entry.commit for entry in log.past(log.head_at(commit), newest.head.commit)]
    assert rest == [entry.commit for entry in log.entries(before, upto=newest.head.commit)]
    assert rest == [each for each in range(commit + 1, newest.head.commit + 1) if each not in oracle.void]


@given(STEPS, st.data())
def test_no_signed_entry_before_another_can_be_taken_away(steps: list[Step], data: st.DataObject) -> None:
    oracle = Oracle()
    for step in [*steps, Step("model", next(iter(sorted(oracle.listed))), "ana")]:
        oracle.do(step if step.by is not None else step._replace(by="ana"))
    valid = [number for number in range(3, oracle.head.commit) if number not in oracle.void]
    if not valid:
        return
    number = data.draw(st.sampled_from(valid))
    spoiled = data.draw(st.sampled_from([b"", b"garbage", oracle.store.get(entry_path(1)) or b""]))
    oracle.store.put(entry_path(number), spoiled)
    with pytest.raises(IntegrityError):
        list(oracle.log.entries(Head(0, oracle.log.origin.digest, "")))
