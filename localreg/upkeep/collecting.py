"""Garbage collection: what no commit names goes, in steps that are days apart, beside writers that may sleep so long.

1. *See*: files that may be garbage are noted, with the moment (`notes.py`). They are listed first, and the state is
   read after, so that what is committed in between is no garbage.
2. *Condemn*: what was seen a grace period ago, and is still there as it was, is given up by a commit, which looks at
   the state that it stands on. A writer that wakes up with such a file is refused (`session/preconditions.py`), and
   does its upload again; one that has committed before keeps it.
3. *Delete*: what was given up a grace period ago goes: readers of the past that were at it have ended. Nobody can
   name it again, however long this takes, so that a collection may die anywhere. What no commit can name, such as a
   temporary file, goes at once when it was seen a grace period ago.

One call does of each step what is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.log import State
from localreg.log.state import CONDEMNED
from localreg.records.access import OWNER
from localreg.records.files import BULK_FOLDERS, FilePointer
from localreg.session.presence import STALE_S
from localreg.storage.lengths import lengths
from localreg.upkeep.age import Ages, look_now
from localreg.upkeep.condemning import condemn, refuse_transaction
from localreg.upkeep.garbage_report import Due, Garbage, GarbageReport, Step, span_text, tallied
from localreg.upkeep.lying import Lying, lying_about
from localreg.upkeep.notes import NOTES, Notes, noted

if TYPE_CHECKING:
    from localreg.session import Session

__all__ = ["collect"]

FOLDERS_OF_FILES = ("data", "artifacts", "tmp")
"""Where garbage may lie."""


def collect(session: Session, *, grace_s: float, dry_run: bool, message: str | None) -> GarbageReport:
    """See `Registry.gc`."""
    refuse_transaction(session, "gc")
    if not dry_run:
        session.refuse_without(OWNER)
    files = lengths(session.store, one_by_one=FOLDERS_OF_FILES)
    plan = _Plan(session.live(session.namespace), files, grace_s)
    if not dry_run:
        plan.delete()
        plan.condemn(message)
        plan.note()
    return GarbageReport(plan.told(), dry_run)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file and what is to be done with it.

    Attributes:
        path: of it.
        what: it is, as in `Garbage.what`.
        bytes: its length.
        step: what is due.
        wait_s: seconds until something else is.
        lying: what was found; None = it is condemned already.
    """

    path: str
    what: str
    bytes: int
    step: Step
    wait_s: float = 0.0
    lying: Lying | None = None


class _Plan:
    """What is due in a namespace.

    Args:
        session: the namespace as it is now.
        files: that lie there, listed before.
        grace_s: seconds.
    """

    def __init__(self, session: Session, files: dict[str, int], grace_s: float) -> None:
        self._session = session
        self._store = session.store
        self._grace_s = grace_s
        self._state = session.committed()
        self._now = look_now(self._state.head.commit)
        self._notes = noted(self._store)
        self._condemned = {row.id: row.created[0] for row in self._state.rows(CONDEMNED)}
        self._pending = {
            path: files[path] for path in files.keys() & self._condemned.keys() if path.startswith(BULK_FOLDERS)
        }
        known = {row.id for row in self._state.rows("file")} | self._condemned.keys()
        lying = lying_about(self._store, files, self._state, known, self._is_stale)
        self._due = [*map(self._of_condemned, sorted(self._pending)), *map(self._of_lying, lying)]

    @cached_property
    def _ages(self) -> Ages:
        """Read only when something waits: most collections find nothing."""
        first = min(
            [self._condemned[path] for path in self._pending] + [look.commit + 1 for look in self._notes.looks],
            default=self._now.commit + 1,
        )
        log = self._session.log
        entries = log.past(log.head_at(first - 1), self._now.commit) if first <= self._now.commit else ()
        return Ages(entries, self._notes.looks, self._now)

    def _is_stale(self, path: str, mark: str) -> bool:
        return self._waited(path, mark) >= max(self._grace_s, STALE_S)

    def _waited(self, path: str, mark: str) -> float:
        """Seconds since a file was first seen as it is; -1 = never before."""
        sighting = self._notes.seen.get(path)
        if sighting is None or sighting.mark != mark:
            return -1
        return self._ages.of_look(sighting.place)

    def _of_condemned(self, path: str) -> _Found:
        left = self._grace_s - self._ages.of_commit(self._condemned[path])
        return _Found(path, "condemned", self._pending[path], "delete" if left <= 0 else "wait", max(0, left))

    def _of_lying(self, lying: Lying) -> _Found:
        waited = self._waited(lying.path, lying.mark)
        left = self._grace_s - max(0, waited)
        step: Step = "see" if waited < 0 else "wait" if left > 0 else "condemn" if lying.is_nameable else "delete"
        return _Found(lying.path, lying.kind, lying.bytes, step, max(0, left), lying)

    # --- doing --------------------------------------------------------------------------------------------------------

    def delete(self) -> None:
        """Delete what is due, unless the log names it after all: then another program has broken its word."""
        state = self._session.committed()
        for each in self._at("delete"):
            if state.outline("file", each.path) is None:
                self._store.delete(each.path)
                if each.lying is None:
                    self._store.forget(each.path)

    def condemn(self, message: str | None) -> None:
        """Give up what is due and still named by nobody."""
        files = [_orphan(each.path, each.bytes) for each in self._at("condemn")]
        if files and self._now.commit:  # where nothing was committed, a first commit would be made for this
            condemn(self._session, files, _unnamed, why="named by no commit", message=message)

    def note(self) -> None:
        """Note what waits, and when this was."""
        waiting = {each.path: each.lying.mark for each in self._at("see", "wait") if each.lying is not None}
        deleted = {each.path for each in self._at("delete")}
        state = self._session.committed()
        given_up = [self._condemned[path] for path in self._pending if path not in deleted]
        given_up += [state.head.commit] * any(True for _ in self._at("condemn"))
        notes = self._notes.after(
            look_now(state.head.commit), waiting, pending=min(given_up, default=state.head.commit + 1)
        )
        if notes != Notes():
            notes.write(self._store)
        elif self._notes != notes:
            self._store.delete(NOTES)

    def _at(self, *steps: Step) -> Iterable[_Found]:
        return (each for each in self._due if each.step in steps)

    # --- telling ------------------------------------------------------------------------------------------------------

    def told(self) -> tuple[Garbage, ...]:
        """A line for each kind and step."""
        return tallied((Due(each.what, each.step, each.bytes, each.wait_s) for each in self._due), self._after)

    def _after(self, what: str, step: Step, wait_s: float) -> str:
        grace, wait = span_text(self._grace_s), span_text(wait_s)
        goes = "condemned" if what in ("uploads", "open parts") else "deleted"
        later = f", and deleted {grace} later" if goes == "condemned" else ""
        return {
            "see": f"seen for the first time; {goes} in {grace} if they stay as they are{later}",
            "wait": f"waiting; {goes} in {wait}{later}",
            "condemn": f"condemned; deleted in {grace}",
            "delete": "deleted",
        }[step]


def _orphan(path: str, size: int) -> FilePointer:
    """A file that no event ever named: what it holds nobody has vouched for."""
    table = path.split("/")[1] if path.startswith("data/") else "artifacts"
    return FilePointer(path, table, "", 0, size, "", {})


def _unnamed(state: State, files: Sequence[FilePointer]) -> list[FilePointer]:
    return [file for file in files if state.outline("file", file.path) is None]
