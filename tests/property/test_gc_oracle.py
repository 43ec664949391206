"""Random histories of uploads, deletions, dead and sleeping writers, collections and clocks, beside plain sets.

Whatever happens: what a live record uses is there, whole; what was acknowledged is not taken back; and once nothing
happens any more for long enough, all else is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import localreg
from localreg import ConflictError, Registry
from localreg.artifacts.content import file_of
from localreg.artifacts.upload import Stored, described, store
from localreg.names import new_id
from localreg.records.artifacts import ArtifactRecord
from localreg.session import Changes
from tests.garbage import Clocks, lay, there

HOSTS = ("desk", "rack", "laptop")
CONTENTS = st.sampled_from([b"a", b"b", b"c", b"d"])
_numbers = count()


def expect_given_up(error: ConflictError) -> None:
    assert error.code == "file_condemned", str(error)


class Sleeper:
    """A writer that has stored a content, and has not committed yet."""

    def __init__(self, registry: Registry, content: bytes) -> None:
        self.registry = registry
        self.content = content
        said = described(content, name=f"slept {new_id()}")
        self.stored: Stored = store(registry._session, content, said)

    def wake(self) -> str | None:
        """Commit; the artifact's name, or None if it was refused."""
        owner = next(self.registry._session.state().rows("model"))
        try:
            self.registry._session.change(lambda changes: self._name(changes, owner.id))
        except ConflictError as error:
            expect_given_up(error)
            return None
        return str(self.stored.said["name"])

    def _name(self, changes: Changes, owner: str) -> None:
        self.stored.name_in(changes, owner, "model")


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.clocks = self.stack.enter_context(Clocks.set())
        folder = self.stack.enter_context(TemporaryDirectory())
        self.uri = str(Path(folder, "registry"))
        self.registry = localreg.open(self.uri)
        self.registry.create_model("m")
        self.live: dict[str, bytes] = {}
        self.deleted: list[tuple[int, str, bytes]] = []
        self.sleepers: list[Sleeper] = []

    def teardown(self) -> None:
        try:
            self.clocks.off.clear()
            self.sleepers.clear()
            for _ in range(4):
                self.clocks.pass_days(100)
                self.registry.retain(dry_run=False)
                self.registry.gc(dry_run=False)
            self.everything_live_is_there()
            named = {row.id for row in self.registry._session.state().rows("file")}
            assert there(self.registry) == named
            assert {self._content(path) for path in named} == {sha256(each).hexdigest() for each in self.live.values()}
            report = self.registry.verify()
            assert report.ok, str(report)
        finally:
            self.stack.close()

    @staticmethod
    def _content(path: str) -> str:
        return path.rpartition("/")[2].partition("-")[0]

    @rule(content=CONTENTS)
    def upload(self, content: bytes) -> None:
        name = f"n{next(_numbers)}"
        self.registry.get_model("m").upload(content, name=name)
        self.live[name] = content

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        self.registry.get_model("m").get_artifact(name).delete()
        self.deleted.append((self.registry.commit or 0, name, self.live.pop(name)))

    @precondition(lambda self: self.deleted)
    @rule(data=st.data())
    def undo(self, data: Any) -> None:
        commit, name, content = data.draw(st.sampled_from(self.deleted))
        try:
            self.registry.undo(commit)
        except ConflictError as error:
            expect_given_up(error)
        else:
            self.deleted.remove((commit, name, content))
            self.live[name] = content

    @rule(content=CONTENTS)
    def begin_to_store(self, content: bytes) -> None:
        self.sleepers.append(Sleeper(localreg.open(self.uri, actor="sleeper"), content))

    @precondition(lambda self: self.sleepers)
    @rule(data=st.data())
    def wake(self, data: Any) -> None:
        sleeper = self.sleepers.pop(data.draw(st.integers(0, len(self.sleepers) - 1)))
        name = sleeper.wake()
        if name is not None:
            self.live[name] = sleeper.content

    @rule()
    def die(self) -> None:
        lay(self.registry, f"artifacts/ab/{new_id()}{new_id()}-{new_id()}")

    @rule(days=st.sampled_from([1, 5, 8, 50, 100]), host=st.sampled_from(HOSTS))
    def time_goes_by(self, days: int, host: str) -> None:
        self.clocks.pass_days(days)
        self.clocks.host = host

    @rule(host=st.sampled_from(HOSTS), days=st.integers(-4000, 4000))
    def set_a_clock(self, host: str, days: int) -> None:
        self.clocks.off[host] = timedelta(days=days)

    @rule()
    def collect(self) -> None:
        self.registry.gc(dry_run=False)

    @rule()
    def retain(self) -> None:
        self.registry.retain(dry_run=False)

    @precondition(lambda self: self.sleepers)
    @rule(verb=st.sampled_from(["gc", "retain"]), data=st.data())
    def a_sleeper_wakes_within(self, verb: str, data: Any) -> None:
        """Another commits between what a collection sees and its commit."""
        session: Any = self.registry._session
        change: Callable[..., Any] = session.change

        def changed(*args: Any, **how: Any) -> Any:
            session.change = change
            if self.sleepers:
                self.wake(data)
            return change(*args, **how)

        session.change = changed
        try:
            getattr(self.registry, verb)(dry_run=False)
        finally:
            session.change = change

    @invariant()
    def everything_live_is_there(self) -> None:
        state, files = self.registry._session.state(), there(self.registry)
        artifacts = {row.name: str(row.fields["sha256"]) for row in state.rows(ArtifactRecord.kind)}
        assert artifacts == {name: sha256(content).hexdigest() for name, content in self.live.items()}
        for content in set(self.live.values()):
            pointer = file_of(state, sha256(content).hexdigest())
            assert pointer is not None
            assert pointer.path in files
            assert self.registry._session.store.get(pointer.path) == content


TestGarbage = Machine.TestCase
TestGarbage.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
