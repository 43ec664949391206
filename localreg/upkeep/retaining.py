"""How long the bytes of the past are kept: those of deleted records, and of parts that `compact` has set aside.

The log goes on to say what was there. Only the files are given up, by a commit, and `gc` deletes them later. What a
live record speaks for is never among them (`spoken_for.py`), and that is looked at once more in the state that the
commit stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from localreg.artifacts.content import TABLE
from localreg.log import Row, State
from localreg.log.entry import Event
from localreg.records.access import OWNER
from localreg.records.comparisons import ComparisonRecord
from localreg.records.files import FilePointer
from localreg.upkeep.age import Ages, look_now
from localreg.upkeep.condemning import condemn, refuse_transaction
from localreg.upkeep.garbage_report import Due, Garbage, GarbageReport, Step, span_text, tallied
from localreg.upkeep.notes import noted
from localreg.upkeep.spoken_for import FILES, compared_files, contents_listed, contents_of, mentioned

if TYPE_CHECKING:
    from localreg.session import Session

__all__ = ["retain"]

DELETED, MERGED = "deleted records", "merged parts"


def retain(session: Session, *, deleted_s: float, dry_run: bool, message: str | None) -> GarbageReport:
    """See `Registry.retain`."""
    refuse_transaction(session, "retain")
    if not dry_run:
        session.refuse_without(OWNER)
    plan = _Plan(session, deleted_s)
    if not dry_run:
        plan.condemn(message)
    return GarbageReport(plan.told(), dry_run)


@dataclass(frozen=True, slots=True)
class _Unused:
    """A file that no live record needs.

    Attributes:
        row: of it.
        what: as in `Garbage.what`.
        since: the commit after which nothing needed it.
        kind: of the record that it belonged to; "" = of none.
    """

    row: Row
    what: str
    since: int
    kind: str = ""

    @property
    def pointer(self) -> FilePointer:
        """What the log says of it."""
        return FilePointer.from_json(self.row.fields)


class _Plan:
    """What is due in a namespace.

    Args:
        session: where.
        deleted_s: for how many seconds bytes are kept.
    """

    def __init__(self, session: Session, deleted_s: float) -> None:
        self._session = session
        self._deleted_s = deleted_s
        self._state = state = session.committed()
        self._as_of: Callable[[int], State] = cache(lambda commit: session.log.at(commit, state))
        kept = compared_files(state.rows(ComparisonRecord.kind), self._as_of)
        self._unused = {each.row.id: each for each in self._found() if each.row.id not in kept}
        self._left = self._waits()

    def _found(self) -> Iterator[_Unused]:
        state = self._state
        owners = {row.id for row in state.rows() if row.kind not in FILES}
        files = [row for row in state.rows("file") if row.parent not in owners]
        parts = [row for row in files if row.fields.get("table") != TABLE]
        yield from (_Unused(row, MERGED, row.updated[0]) for row in parts if not row.parent)
        contents = [row for row in files if row.fields.get("table") == TABLE]
        if contents:
            spoken_for = self._spoken_for(state)
            contents = [row for row in contents if spoken_for is not None and row.parent not in spoken_for]
        past = _Past(self._events() if parts or contents else (), {row.parent for row in contents})
        for row in parts:
            if row.parent in past.removed:  # else it is of something that this release does not know
                commit, kind = past.removed[row.parent]
                yield _Unused(row, DELETED, max(commit, row.updated[0]), kind)
        for row in contents:
            for listed in contents_listed(self._session, state, row.parent):
                past.mentioned[listed] = max(past.mentioned.get(listed, 0), past.since(row.parent))
        yield from (_Unused(row, DELETED, max(past.since(row.parent), row.updated[0])) for row in contents)

    def _spoken_for(self, state: State) -> set[str] | None:
        """The contents that a record needs; None = what one of them says was redacted, so that nobody can tell."""
        if any(row.record is None for row in state.rows() if row.kind not in FILES):
            return None
        return contents_of(self._session, state, state.rows())

    def _events(self) -> Iterator[Event]:
        log = self._session.log
        for entry in log.past(log.origin, self._state.head.commit):
            yield from entry.events

    def _waits(self) -> Mapping[int, float]:
        """By commit, how many seconds what nothing needs since then has to wait."""
        commits = {each.since for each in self._unused.values()}
        if not commits:
            return {}
        log, last = self._session.log, self._state.head.commit
        entries = log.past(log.head_at(min(commits) - 1), last)
        ages = Ages(entries, noted(self._session.store).looks, look_now(last))
        return {commit: max(0.0, self._deleted_s - ages.of_commit(commit)) for commit in commits}

    def condemn(self, message: str | None) -> None:
        """Give up what is due, as far as nothing has come to need it."""
        due = [each.pointer for each in self._unused.values() if not self._left[each.since]]
        if due:
            condemn(self._session, due, self._still, why="needed by no record", message=message)

    def _still(self, state: State, files: Sequence[FilePointer]) -> list[FilePointer]:
        news = list(self._news(state))
        if any(row.record is None for row in news):
            return []  # what it speaks for nobody can tell
        contents, compared = contents_of(self._session, state, news), compared_files(news, self._as_of)
        free = (file for file in files if file.path not in compared and file.owner not in contents)
        return [file for file in free if self._is_as_was(state, file)]

    def _is_as_was(self, state: State, file: FilePointer) -> bool:
        """Whether nothing has named a file anew, and its owner has not come back."""
        unused, row = self._unused[file.path], state.get("file", file.path)
        is_gone = not unused.kind or state.outline(unused.kind, file.owner) is None
        return row is not None and row.updated == unused.row.updated and is_gone

    def _news(self, state: State) -> Iterator[Row]:
        """The records that were put since the plan was made."""
        planned = self._state.head.commit
        rows = (row for _, row in state.overlay()) if state.base.commit <= planned else state.rows()
        return (row for row in rows if row is not None and row.updated[0] > planned and row.kind not in FILES)

    def told(self) -> tuple[Garbage, ...]:
        """A line for each kind and step."""
        waits = ((each, self._left[each.since]) for each in self._unused.values())
        return tallied(
            (Due(each.what, "wait" if left else "condemn", each.pointer.bytes, left) for each, left in waits), _after
        )


def _after(_: str, step: Step, wait_s: float) -> str:
    return "condemned; `gc` deletes them later" if step == "condemn" else f"kept; all are due in {span_text(wait_s)}"


class _Past:
    """When things were last needed, as the log says it.

    Attributes:
        removed: the commit that removed a record last, and its kind, by id.
        mentioned: the last commit that mentioned a content.
    """

    def __init__(self, events: Iterable[Event], contents: set[str]) -> None:
        self.removed: dict[str, tuple[int, str]] = {}
        self.mentioned: dict[str, int] = {}
        self._emptied = 0
        for event in events:
            if event.effect == "remove":
                self.removed[event.id] = event.commit, event.kind
            if event.redacted:
                self._emptied = event.commit  # what it mentioned nobody can tell
            if contents:
                told = (event.before, event.after, event.details, [file.to_json() for file in event.files])
                for content in contents & set().union(*map(mentioned, told)):
                    self.mentioned[content] = event.commit

    def since(self, content: str) -> int:
        """The last commit after which nothing needed a content."""
        return max(self.mentioned.get(content, 0), self._emptied)
