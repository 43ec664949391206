"""Processes that are killed, or told of a fault, at each system call by which they have to do with the registry."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import localreg
from tests.crash.deeds import DEEDS, Deed
from tests.crash.doers import plain
from tests.crash.forks import Program, forking
from tests.crash.scenarios import short_spans
from tests.crash.strikes import firsts, look
from tests.crash.tracing import CHANGING, MAKING, READING, SAYING, Call, calls_of, kill_at, strace, unsynced, watched
from tests.thorough import THOROUGH

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kills by signal"),
    pytest.mark.usefixtures("_attachable"),
]

BEGINS = ("write", "link", "rename")
"""Calls, one of each step of what is done, at which a disk begins to fail for good unless all are disturbed."""

UNKNOWN = [["UnknownOutcomeError", "unknown_outcome"], ["StorageError", "doubtful"]]
"""Errors after which the act may have been done."""


@pytest.fixture(autouse=True)
def _short_spans() -> Iterator[None]:
    with short_spans():
        yield


@pytest.fixture(scope="module")
def doers() -> Iterator[Program]:
    with forking("tests.crash.doers") as program:
        yield program


@dataclass
class Story:
    """What became of a deed.

    Attributes:
        folder: of the registry.
        code: how its process ended.
        did: how many acts were acknowledged.
        refused: by which of our errors the next one was; "" = it was not.
        told: all that the process said, for who reads a failure.
    """

    folder: Path
    code: int | None
    did: int
    refused: str
    told: list[str]


class Stage:
    """A deed that can be done again and again, each time as if it were the first.

    Attributes:
        looks: what is to be seen before, and after each act.
        calls: by which it has to do with the registry, in their order.
        unsynced: what was not on the disk when an act was acknowledged.
    """

    def __init__(self, deed: Deed, home: Path, doers: Program) -> None:
        self.deed, self._home, self._doers = deed, home, doers
        self._looks_file = home / "looks.json"
        self._numbers = itertools.count(1)
        with localreg.open(home / "template" / "registry", actor="ana") as registry:
            deed.prepare(registry)
        shutil.copytree(home / "template", home / "undisturbed")
        with localreg.open(home / "undisturbed" / "registry", actor="ana") as registry:
            self.looks = [plain(deed.look(registry)), *(plain(deed.look(registry)) for _ in deed.acts(registry))]
        self._looks_file.write_text(json.dumps(self.looks))
        log = home / "calls"
        every = watched((*CHANGING, *READING, *SAYING))
        story = self.done("rehearsal", "-y", "-s", "0", "-o", str(log), "-e", f"trace={every}")
        assert (story.code, story.did, story.refused) == (0, len(self.looks) - 1, ""), story
        self.calls = calls_of(log, story.folder)
        self.unsynced = unsynced(log, story.folder)

    def done(self, name: str, *how: str) -> Story:
        """Do it while strace disturbs."""
        folder = self._home / f"{name} {next(self._numbers)}"  # a place where nothing was seen before
        shutil.copytree(self._home / "template", folder)
        told: list[str] = []
        with self._doers.child(str(folder / "registry"), self.deed.name, str(self._looks_file)) as child:
            assert child.line() == "ready"
            with strace(child.pid, *how):
                child.tell()
                while (line := child.line()) is not None:
                    told.append(line)
                    if line == "over":
                        break
            if child.code is None:
                child.tell()
                told += child.rest()
        refused = next((line for line in told if line.startswith("refused ")), "")
        return Story(folder, child.code, told.count("did"), refused, told)

    def check(self, story: Story) -> None:
        """The old state or the new; what was acknowledged is there, and another process goes on."""
        assert not any(line.startswith("foreign") for line in story.told), story
        assert story.code in (0, -signal.SIGKILL), story
        allowed = self.looks[story.did : story.did + 2]
        if story.refused and story.refused.split()[1:3] not in UNKNOWN:
            allowed = self.looks[story.did : story.did + 1]
        if story.code == 0:
            assert story.told[-1] == "went on", story
            (seen,) = [line for line in story.told if line.startswith("sees ")]
            assert self.looks[int(seen.removeprefix("sees "))] in allowed, story
        with localreg.open(story.folder / "registry", actor="bob") as registry:
            models = len(registry.models())
            if story.code != 0:
                assert plain(self.deed.look(registry)) in allowed, story
            assert registry.verify().ok, (story, str(registry.verify()))
            self.deed.settle(registry)
            registry.create_model("next")
            assert len(registry.models()) == models + 1
            assert registry.verify().ok, (story, str(registry.verify()))


@pytest.fixture(scope="module", params=DEEDS, ids=str)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, doers: Program) -> Stage:
    deed: Deed = request.param
    with short_spans():
        return Stage(deed, tmp_path_factory.mktemp("stage"), doers)


def chosen(calls: Iterable[Call]) -> list[Call]:
    """One of each kind: what differs in digits alone, such as commits and random names, is alike."""
    return firsts(calls, lambda call: (call.name, look(call.text)))


def each(stage: Stage, calls: list[Call], done: Callable[[Call], Story], *, every: int = 1) -> None:
    """Do and check it for each call; all that is wrong is told at the end.

    Args:
        stage: what is done.
        calls: that may be disturbed.
        done: does it, disturbed at one.
        every: of how many one is, unless all are; which one, differs by the deed, and deeds have most calls in common.
    """
    wrong = []
    some = chosen(calls)
    for call in some if THOROUGH else some[DEEDS.index(stage.deed) % every :: every]:
        story = done(call)
        try:
            stage.check(story)
        except Exception as error:
            wrong.append(f"{call}\n{error!r}\n" + "\n".join(story.told))
        finally:
            shutil.rmtree(story.folder)
    assert not wrong, "\n\n".join([f"{len(wrong)} calls", *wrong[:4]])


def test_all_that_an_act_has_made_is_synced_when_it_is_acknowledged(stage: Stage) -> None:
    """By the calls alone: journals write more than they were asked to, and hide what is lacking."""
    assert stage.unsynced == []


def test_a_kill_at_any_change_of_the_disk_leaves_the_old_state_or_the_new(stage: Stage) -> None:
    def killed(call: Call) -> Story:
        story = stage.done("killed", *kill_at(call.name, call.number))
        assert story.code == -signal.SIGKILL, call
        return story

    each(stage, [call for call in stage.calls if call.is_change], killed)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_fault_at_any_call_leaves_the_old_state_or_the_new(stage: Stage, error: str) -> None:
    def failed(call: Call) -> Story:
        how = f"inject={call.name}:error={error}:when={call.number}"
        return stage.done("failed", "-o", os.devnull, "-e", f"trace={call.name}", "-e", how)

    full = [
        call for call in stage.calls if call.name in (*MAKING, "close") or (call.name == "openat" and call.is_change)
    ]
    each(stage, stage.calls if error == "EIO" else full, failed, every=3)


@pytest.mark.parametrize(("error", "names"), [("EIO", CHANGING), ("ENOSPC", MAKING)], ids=["EIO", "ENOSPC"])
def test_a_disk_that_fails_from_any_change_on_leaves_the_old_state_or_the_new(
    stage: Stage, error: str, names: tuple[str, ...]
) -> None:
    def failed(call: Call) -> Story:
        hows = [f"inject=?{name}:error={error}:when={call.before[name] + 1}+" for name in names]
        options = [word for how in hows for word in ("-e", how)]
        return stage.done("failed", "-o", os.devnull, "-e", f"trace={watched(names)}", *options)

    begins = [call for call in stage.calls if call.is_change and (THOROUGH or call.name in BEGINS)]
    each(stage, begins, failed)
