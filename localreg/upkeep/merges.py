"""What may be merged of each table, so that readers see what they saw: the plans of `compact`.

A part that is written anew comes last in the order of creation. Two things make that harmless:

- **Rows that go by sample** (inferences, what is said of samples): a part is merged only if each of its rows is the one
  that counts, or has been replaced by its own owner, who has said it anew; of the latter nothing is written. So no row
  that comes last had lost to another, and what shows when another owner is deleted is what would have shown.
- **Rows that go by place** (test samples): all parts from some place to the end are written anew, in their order.
- **Rows that stand for themselves** (events): none replaces another. Beside each is kept which commit brought it, by
  which it is ordered, and the new part says which segments of streams went into it, so that none counts twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, cast

from localreg.canonical import JsonObject
from localreg.errors import LocalregError
from localreg.events.rows import COMMIT, EVENTS
from localreg.log import Row, State
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session import Changes, Session
from localreg.tables import read_part, write_part, write_rows
from localreg.tables.streamed import named_segments, segment_details
from localreg.upkeep.merging import PART_ROWS, EventsPiece, Piece, joined
from localreg.workflow.inferences import inference_pointers, write_inferences
from localreg.workflow.samples import DIGEST, SAID, absolute_indices, files_of, sample_count, vectors_beside

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from localreg.progress import Progress

    Indices = npt.NDArray[np.int64]

__all__ = ["TABLES", "Merge", "MovedError", "candidates"]

LEAST_PARTS = 8
SMALL_ROWS = 100_000
SMALL_BYTES = 32 * 2**20


class MovedError(Exception):
    """Another commit has changed what a merge was planned on; nobody outside sees it."""


def _is_small(part: FilePointer, vectors: FilePointer | None = None) -> bool:
    """Whether it is worth to merge a part, with its vectors, with others."""
    size = part.bytes + (0 if vectors is None else vectors.bytes)
    return part.rows < SMALL_ROWS and size < SMALL_BYTES


class Merge(ABC):
    """Parts of one table of one owner, and what they become.

    Attributes:
        pieces: what is taken of the parts; all of these are set aside.
        made: the parts in their place, once they are written.
    """

    table: str

    def __init__(self, session: Session, state: State, owner: Row) -> None:
        self.owner = owner
        self._session = session
        self._state = state
        self.pieces: list[Piece] = []
        self.made: list[FilePointer] = []
        self._is_written = False

    @property
    def is_worth_it(self) -> bool:
        """Whether there are enough small parts, and half of them go at least."""
        small = sum(_is_small(piece.part, piece.vectors) for piece in self.pieces)
        return small >= LEAST_PARTS and 2 * self.parts_after <= len(self.pieces)

    @property
    def parts_after(self) -> int:
        """How many parts there will be, as far as can be told before they are written."""
        if self._is_written:
            return sum(pointer.table == self.table for pointer in self.made)
        return sum(-(-sum(piece.count for piece in some) // PART_ROWS) for some in self._stretches())

    @property
    def rows(self) -> int:
        """How many rows are written."""
        return sum(piece.count for piece in self.pieces)

    def write(self, shown: Progress) -> None:
        """Write the new parts, which nobody sees yet."""
        for some in self._stretches():
            for table in joined(self._session.store, some):
                self.made += self._written(table, some)
                shown.advance(table.num_rows)
        self._is_written = True

    def discard(self) -> None:
        """Take away what was written, and is not needed."""
        made, self.made = self.made, []
        for pointer in made:
            with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
                self._session.store.delete(pointer.path)

    def __call__(self, changes: Changes) -> None:
        """Name the new parts, and the old ones as belonging to nothing: an operation, which may be run again.

        Raises:
            MovedError: on this state, another merge would be due.
        """
        state = changes.draft
        owner = state.get(self.owner.kind, self.owner.id)
        old = [file for piece in self.pieces for file in piece.files]
        if owner is None or not all(self._owns(state, file) for file in old):
            raise MovedError
        files = *self._placed(state), *(_set_aside(file) for file in old)
        details: JsonObject = {
            "table": self.table,
            "parts_before": len(self.pieces),
            "parts_after": self.parts_after,
        }
        changes.note(owner, action="compact", files=files, details=details)

    def _owns(self, state: State, file: FilePointer) -> bool:
        row = state.get("file", file.path)
        return row is not None and row.parent == self.owner.id

    def _stretches(self) -> list[list[Piece]]:
        """The pieces, cut where a new part has to begin."""
        return [self.pieces]

    def _piece(self, part: FilePointer, rows: Indices | None = None, indices: Indices | None = None) -> Piece:
        return Piece(part, self._vectors.get(part.path), rows, indices)

    @cached_property
    def _vectors(self) -> dict[str, FilePointer]:
        return vectors_beside(self._state, [self.owner.id])

    @property
    def _workflow_id(self) -> str:
        """Whose samples the rows are of: all parts of one owner say the same."""
        return str(self.pieces[0].part.details["workflow"])

    @abstractmethod
    def _written(self, table: pa.Table, pieces: Sequence[Piece]) -> list[FilePointer]:
        """Write a part."""

    @abstractmethod
    def _placed(self, state: State) -> list[FilePointer]:
        """The new parts as they are to be named in a state; raises `MovedError` if they no longer serve."""


def _set_aside(file: FilePointer) -> FilePointer:
    return replace(file, owner="", details={**file.details, "former_owner": file.owner})


class _BySample(Merge):
    """Parts of which the newest row of a sample counts.

    Attributes:
        replaces: whether parts that stay have rows of the same samples.
    """

    def __init__(self, session: Session, state: State, owner: Row) -> None:
        super().__init__(session, state, owner)
        import numpy as np

        parts = self._rivals(state)
        self._known = {part.path for part in parts}
        indices = [self._indices(part) for part in parts]
        count = max((int(each.max()) + 1 for each in indices if len(each)), default=0)
        last, last_own = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
        for number, (part, own) in enumerate(zip(parts, indices, strict=True)):
            last[own] = number
            if part.owner == owner.id:
                last_own[own] = number
        self._mine, others = np.zeros(count, bool), np.zeros(count, bool)
        for number, (part, own) in enumerate(zip(parts, indices, strict=True)):
            kept = np.flatnonzero(last_own[own] == number)
            if self._may_merge(part) and (last[own[kept]] == number).all():
                self.pieces.append(self._piece(part, kept, own[kept]))
                self._mine[own[kept]] = True
            else:
                others[own] = True
        self.replaces = bool((self._mine & others).any())

    def _may_merge(self, part: FilePointer) -> bool:
        return part.owner == self.owner.id and _is_small(part, self._vectors.get(part.path))

    def _indices(self, part: FilePointer) -> Indices:
        column = read_part(self._session.store, part, ["sample_idx"])["sample_idx"]
        return absolute_indices(column.to_numpy(), part.details)

    @abstractmethod
    def _rivals(self, state: State) -> list[FilePointer]:
        """All parts of which one row of a sample counts, in order of commit."""

    def _placed(self, state: State) -> list[FilePointer]:
        for part in self._rivals(state):
            if part.path not in self._known:
                came = self._indices(part)
                if self._mine[came[came < len(self._mine)]].any():
                    raise MovedError  # its rows came after those that are merged here, and would come before them
        count = sample_count(state, self._workflow_id)
        place: JsonObject = {"first": count, "staged_first": count, **self._said()}
        return [replace(part, details={**part.details, **place}) for part in self.made]

    def _said(self) -> JsonObject:
        return {}


class _Inferences(_BySample):
    """Inferences of a test run, or those that a model version owns itself."""

    table = "inferences"

    def _rivals(self, state: State) -> list[FilePointer]:
        return inference_pointers(state, self.owner.parent if self.owner.kind == "test_run" else self.owner.id)

    def _may_merge(self, part: FilePointer) -> bool:
        return super()._may_merge(part) and part.details.get("generation", 1) == 1

    def _written(self, table: pa.Table, pieces: Sequence[Piece]) -> list[FilePointer]:
        return write_inferences(self._session, self._workflow_id, self.owner.id, [table])

    def _said(self) -> JsonObject:
        return {"replaces": self.replaces}


class _SampleMetadata(_BySample):
    """What was said of a workflow's samples after they came."""

    table = "sample_metadata"

    def _rivals(self, state: State) -> list[FilePointer]:
        return files_of(state, self.owner.id, self.table)

    def _written(self, table: pa.Table, pieces: Sequence[Piece]) -> list[FilePointer]:
        details: JsonObject = {"workflow": self._workflow_id}
        return [write_part(self._session.store, self.table, self.owner.id, table.sort_by("sample_idx"), details)]


class _TestSamples(Merge):
    """The samples of a workflow, whose numbers are their places: the last parts, all of them.

    A large part among them is written anew, too, if as many small ones come before it as make a merge of their own.
    """

    table = "test_samples"

    def __init__(self, session: Session, state: State, owner: Row) -> None:
        super().__init__(session, state, owner)
        parts = files_of(state, owner.id, self.table)
        self._begin = _worthy_end([_is_small(part, self._vectors.get(part.path)) for part in parts])
        self._name = new_id()
        self.pieces = [self._piece(part) for part in parts[self._begin :]]

    def _stretches(self) -> list[list[Piece]]:
        """Keys that were computed in different ways do not stand in one part."""
        return [list(some) for _, some in groupby(self.pieces, lambda piece: piece.part.details.get("hash_probe"))]

    def _written(self, table: pa.Table, pieces: Sequence[Piece]) -> list[FilePointer]:
        probe = pieces[0].part.details.get("hash_probe")
        details: JsonObject = {
            "workflow": self._workflow_id,
            "columns": [name for name in table.column_names if name in (*SAID, DIGEST)],
            **({} if probe is None else {"hash_probe": probe}),
        }
        number = sum(pointer.table == self.table for pointer in self.made)
        name = f"{self._name}-{number:06}"  # of one event the names say in which order parts stand
        return write_rows(self._session.store, self.table, self.owner.id, table, details, name=name)

    def _placed(self, state: State) -> list[FilePointer]:
        there = [part.path for part in files_of(state, self.owner.id, self.table)]
        if there[self._begin :] != [piece.part.path for piece in self.pieces]:
            raise MovedError  # what came since would stand before what is merged here
        first = cast(int, self.pieces[0].part.details["first"])
        placed = []
        for pointer in self.made:
            if pointer.table == self.table:
                begin, first = first, first + pointer.rows
            placed.append(replace(pointer, details={**pointer.details, "first": begin, "staged_first": begin}))
        return placed


class _Events(Merge):
    """Events of one record: each that was reported by itself is a part of one row."""

    table = EVENTS.name

    def __init__(self, session: Session, state: State, owner: Row) -> None:
        super().__init__(session, state, owner)
        rows = ((row, FilePointer.from_json(row.fields)) for row in state.children("file", owner.id))
        mine = [(row, part) for row, part in rows if part.table == self.table and _is_small(part)]
        self.pieces = [EventsPiece(part, None, commit=row.created[0]) for row, part in mine]

    def _written(self, table: pa.Table, pieces: Sequence[Piece]) -> list[FilePointer]:
        segments = () if self.made else named_segments(piece.part for piece in pieces)
        details: JsonObject = {"columns": [COMMIT], **(segment_details(segments) if segments else {})}
        return [write_part(self._session.store, self.table, self.owner.id, table, details)]

    def _placed(self, state: State) -> list[FilePointer]:
        return self.made


def _worthy_end(are_small: Sequence[bool]) -> int:
    """Where the longest end of the parts begins that is worth to be written anew."""
    begin, small, large = len(are_small), 0, 0
    for place in range(len(are_small) - 1, -1, -1):
        if not are_small[place]:
            large += 1
            continue
        small += 1
        if small >= LEAST_PARTS * (1 + large):
            begin = place
    return begin


TABLES: dict[str, type[Merge]] = {each.table: each for each in (_Inferences, _SampleMetadata, _TestSamples, _Events)}
"""The tables of which many small parts come together. The others get all their rows at once, in one commit."""


OWNERS = ("test_run", "model_version", "workflow", "model", "experiment", "checkpoint")
"""Kinds of records that have parts of these tables."""


def candidates(state: State) -> Iterator[tuple[Row, str]]:
    """Owners that are there, and tables of theirs, with enough small parts."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in state.rows("file"):
        if row.fields.get("table") in TABLES and _is_small(FilePointer.from_json(row.fields)):
            counts[row.parent, str(row.fields["table"])] += 1
    many = sorted(key for key, count in counts.items() if count >= LEAST_PARTS)
    for id, table in many:
        owner = _owner(state, id)
        if owner is not None:
            yield owner, table


def _owner(state: State, id: str) -> Row | None:
    rows = (state.get(kind, id) for kind in OWNERS)
    return next((row for row in rows if row is not None), None)
