"""What lies about in a namespace and may be garbage: files that nothing names, and that nobody alive is at.

Only what localreg itself would have written is looked at: what else lies there is not ours to delete.

- **Parts and contents** that no commit names: of an upload under way, or of one that was killed.
- **Open parts of experiments**: only those whose segments a part in the log names, or whose experiment is gone. What
  a killed process logged waits until somebody closes the experiment, however long that takes.
- **Open parts of test runs**: the next run would take them over. They are left alone while any run is under way.
- **Leftovers**: temporary files, spools by the same rule as open parts, claims and signs of life of writers that are
  dead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from localreg.errors import FormatError
from localreg.experiments.recorder import STREAMED
from localreg.log import State
from localreg.session.presence import Presence
from localreg.storage import Store
from localreg.storage.store import is_temporary
from localreg.tables.streamed import named_segments
from localreg.tables.streams import Segment
from localreg.upkeep.notes import NOTES
from localreg.workflow.samples import files_of

__all__ = ["Kind", "Lying", "lying_about"]

Kind = Literal["uploads", "open parts", "leftovers"]

_NUMBERS = "[0-9a-f]{32}"
_PART = rf"data/[a-z_-]+/{_NUMBERS}/{_NUMBERS}(-[0-9]+)?\.parquet"
_BULK = re.compile(rf"{_PART}|artifacts/[0-9a-f]{{2}}/[0-9a-f]{{64}}-{_NUMBERS}")
_SEGMENT = rf"(?P<writer>{_NUMBERS})-(?P<number>[0-9]{{8}})"
_OPEN = re.compile(rf"data/(?P<table>[a-z_-]+)/(?P<owner>{_NUMBERS})/open-{_SEGMENT}(-{_NUMBERS})?\.parquet")
_SPOOL = re.compile(rf"tmp/spool/(?P<owner>{_NUMBERS})/(?P<table>[a-z_-]+)/{_SEGMENT}\.jsonl")
_WRITERS = "tmp/actions|tmp/(experiments|test_runs)/[^/]+/writers"
_PRESENCE = re.compile(rf"(?P<folder>{_WRITERS})/(?P<writer>{_NUMBERS})\.json")
_KEPT = (NOTES, "tmp/queue.lock")

Stale = Callable[[str, str], bool]
"""Whether a file has had a mark for so long that its writer would have changed it."""


class Lying(NamedTuple):
    """A file that may be garbage.

    Attributes:
        path: of it.
        kind: what it is.
        bytes: its length.
        mark: what would tell that it is still written.
    """

    path: str
    kind: Kind
    bytes: int
    mark: str

    @property
    def is_nameable(self) -> bool:
        """Whether a commit could name it, so that it has to be condemned first."""
        return not (self.path.startswith("tmp/") or is_temporary(self.path.rpartition("/")[2]))


def lying_about(
    store: Store, files: Mapping[str, int], state: State, known: Container[str], stale: Stale
) -> Iterator[Lying]:
    """What of a listing may be garbage.

    Args:
        store: the namespace's.
        files: all that is there, with their lengths, listed before the state was read.
        state: the newest.
        known: what the log names or has condemned.
        stale: tells of the writers of other machines whether they are dead.
    """
    look = _Look(store, files, state, stale)
    for path, size in files.items():
        found = None if path in known else look.kind_of(path)
        if found is not None:
            yield Lying(path, found, size, look.marks.get(path, str(size)))


class _Look:
    """One look at a namespace.

    Attributes:
        marks: of files that are known by what they say.
    """

    def __init__(self, store: Store, files: Iterable[str], state: State, stale: Stale) -> None:
        self._store = store
        self._state = state
        self._stale = stale
        self._segments: dict[tuple[str, str], set[Segment]] = {}
        self.marks: dict[str, str] = {}
        self._busy: set[str] = set()  # folders of writers that are alive, as far as can be told
        self._alive: set[str] = set()  # signs of life of which that is sure
        for path in files:
            found = _PRESENCE.fullmatch(path)
            if found is not None:
                self._look_at_writer(path, found["folder"], found["writer"])

    def _look_at_writer(self, path: str, folder: str, writer: str) -> None:
        data = self._store.get(path, fresh=True)
        self.marks[path] = mark = (data or b"").decode(errors="replace")
        presence = Presence(self._store, folder, writer)
        try:
            is_alive, is_here = presence.is_alive(writer), presence.is_here(writer)
        except (FormatError, KeyError, TypeError):  # torn
            is_alive, is_here = True, False
        if is_alive and is_here:
            self._alive.add(path)
        if is_alive and (is_here or not self._stale(path, mark)):
            self._busy.add(folder)

    def kind_of(self, path: str) -> Kind | None:
        """What a file is that may be garbage; None = it is none, or nobody can tell."""
        if is_temporary(path.rpartition("/")[2]):
            return "leftovers"
        if path.startswith("tmp/"):
            return "leftovers" if self._is_left(path) else None
        found = _OPEN.fullmatch(path)
        if found is None:
            return "uploads" if _BULK.fullmatch(path) else None
        is_spent = self._is_spent(found) if found["table"] in _STREAMED else not self._runs
        return "open parts" if is_spent else None

    def _is_left(self, path: str) -> bool:
        """Whether a staged file is of nobody; a sign of life from elsewhere is noted as one, to see if it changes."""
        if path in _KEPT or path in self._alive:
            return False
        spool = _SPOOL.fullmatch(path)
        if spool is not None:
            return self._is_spent(spool)
        if path in self.marks:
            return True
        _, area, *rest = path.split("/")
        if area == "test_runs" and rest:
            return f"tmp/test_runs/{rest[0]}/writers" not in self._busy
        return area not in ("spool", "experiments")

    @property
    def _runs(self) -> bool:
        """Whether any test run is under way."""
        return any(folder.startswith("tmp/test_runs/") for folder in self._busy)

    def _is_spent(self, found: re.Match[str]) -> bool:
        """Whether what a process reported of an experiment is in the log, or can never come there."""
        owner, segment = found["owner"], Segment(found["writer"], int(found["number"]))
        row = self._state.get("experiment", owner)
        if row is None:
            return f"tmp/experiments/{owner}/writers" not in self._busy
        if row.fields.get("status") == "running":
            return False
        return segment in self._named_segments(owner, found["table"])

    def _named_segments(self, owner: str, table: str) -> set[Segment]:
        key = owner, table
        if key not in self._segments:
            self._segments[key] = named_segments(files_of(self._state, owner, table))
        return self._segments[key]


_STREAMED = frozenset(each.name for each in STREAMED)
