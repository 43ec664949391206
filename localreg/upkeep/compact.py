"""Many small parts become few, and nobody sees a difference but in the time that reading takes.

A merge is one commit for each owner and table: an event `compact` names the new parts, and names the old ones again as
belonging to nothing, as those of deleted owners do. The files stay: earlier commits show them, and who is in the middle
of reading them goes on. What may be merged is told in `localreg.upkeep.merges`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.errors import ConflictError, InvalidInputError
from localreg.handles.words import readable_bytes, told
from localreg.log import Row
from localreg.progress import progress
from localreg.records.access import WRITER
from localreg.upkeep.merges import TABLES, Merge, MovedError, candidates

if TYPE_CHECKING:
    from localreg.session import Session

__all__ = ["CompactReport", "Compacted", "compact"]

ATTEMPTS = 5
"""How often a merge is planned anew because of what others commit."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """Parts of one table and owner that were merged, or would be."""

    table: str
    """Of bulk rows: `inferences`, `test_samples`, `sample_metadata`, `events`."""

    owner: str
    """What they belong to, in words, such as `test run 'plates@1' of 'yolor@1'`."""

    parts_before: int
    """How many parts are set aside."""

    parts_after: int
    """How many stand in their place; of a dry run, the least."""

    rows: int
    """How many rows are written: those that count."""

    bytes_before: int
    """Length of the files that are set aside. They stay until garbage collection takes them."""

    bytes_after: int | None
    """Length of the new files; None = not known, in a dry run."""

    def __str__(self) -> str:
        after = "" if self.bytes_after is None else f" ({readable_bytes(self.bytes_after)})"
        before = f"{self.parts_before:,} parts ({readable_bytes(self.bytes_before)})"
        return f"{self.table} of {self.owner}: {before} → {self.parts_after:,}{after}, {self.rows:,} rows"


@dataclass(frozen=True, slots=True, repr=False)
class CompactReport:
    """What `compact` did, or would do."""

    merges: tuple[Compacted, ...]
    """A line for each table and owner."""

    dry_run: bool
    """Nothing was written."""

    @property
    def parts_before(self) -> int:
        """How many parts are set aside."""
        return sum(each.parts_before for each in self.merges)

    @property
    def parts_after(self) -> int:
        """How many stand in their place."""
        return sum(each.parts_after for each in self.merges)

    def __str__(self) -> str:
        return "\n".join(map(str, self.merges)) or "nothing to merge"

    def __repr__(self) -> str:
        return f"<CompactReport: {self.parts_before:,} → {self.parts_after:,} parts{', dry run' * self.dry_run}>"


def compact(session: Session, *, dry_run: bool, message: str | None) -> CompactReport:
    """See `Registry.compact`."""
    if session.transaction_here() is not None:
        raise InvalidInputError("compact() commits by itself, and a transaction is open; call it after the block")
    if not dry_run:
        session.refuse_without(WRITER)
    done = [
        merged
        for owner, table in candidates(session.committed())
        if (merged := _merged(session, owner, table, dry_run, message)) is not None
    ]
    return CompactReport(tuple(done), dry_run)


def _merged(session: Session, owner: Row, table: str, dry_run: bool, message: str | None) -> Compacted | None:
    """Merge parts, planned anew if another writer came in between; None = it is not worth it, or not any more."""
    whose = told(owner.kind, owner.name, owner.parent, session.committed().outline)
    for _ in range(ATTEMPTS):
        state = session.committed()
        if state.get(owner.kind, owner.id) is None:
            return None
        merge = TABLES[table](session, state, owner)
        if not merge.is_worth_it:
            return None
        if dry_run:
            return _told(merge, whose, None)
        _write(merge, f"{table} of {whose}")
        try:
            session.change(merge, message=message)
        except MovedError:
            merge.discard()  # after no other error: who does not know whether it landed must not delete
        else:
            return _told(merge, whose, sum(pointer.bytes for pointer in merge.made))
    raise ConflictError(f"others go on to write {table} of {whose}: call compact again when they are done")


def _write(merge: Merge, what: str) -> None:
    try:
        with progress(what, merge.rows) as shown:
            merge.write(shown)
    except BaseException:
        merge.discard()
        raise


def _told(merge: Merge, whose: str, bytes_after: int | None) -> Compacted:
    before = sum(piece.bytes for piece in merge.pieces)
    return Compacted(merge.table, whose, len(merge.pieces), merge.parts_after, merge.rows, before, bytes_after)
