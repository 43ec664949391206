"""The content of test cases on its way into the log: which samples are new, and the parts that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import InvalidInputError, LocalregError, UnknownOutcomeError
from localreg.log import State
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.storage import Store
from localreg.tables import write_rows
from localreg.workflow.case_content import CaseContent, VersionRows, taken, version_rows
from localreg.workflow.look_up import LookUp, look_up
from localreg.workflow.samples import DIGEST, SAID, absolute_indices, sample_count, samples_at
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Staging"]

PART_ROWS = 1_000_000
LARGE_ROWS = 100_000


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows that are to become a part.

    Attributes:
        table: of bulk rows.
        folder: id of what they hang on.
        rows: with all columns.
        details: what a reader must know.
        number: of the content that they belong to; None = the workflow.
        offset: of their first row, where a table is cut into several parts that are read by place.
        name: of the file; of one event the names say in which order parts stand.
    """

    table: str
    folder: str
    name: str
    rows: pa.Table
    details: JsonObject
    number: int | None
    offset: int


def _parts(table: str, folder: str, rows: pa.Table, details: JsonObject, number: int | None) -> list[_Part]:
    columns = [name for name in rows.column_names if name in (*SAID, DIGEST)]
    if table != "sample_metadata":
        details = {**details, "columns": columns}
    name = new_id()
    if rows.num_rows <= PART_ROWS:
        return [_Part(table, folder, name, rows, details, number, 0)]
    is_by_place = table == "test_samples"
    return [
        _Part(
            table,
            folder,
            f"{name}-{begin // PART_ROWS:06}",
            rows.slice(begin, PART_ROWS),
            details,
            number,
            begin if is_by_place else 0,
        )
        for begin in range(0, rows.num_rows, PART_ROWS)
    ]


def _written(store: Store, part: _Part) -> list[FilePointer]:
    return write_rows(store, part.table, part.folder, part.rows, part.details, name=part.name)


@dataclass(frozen=True)
class _StagedPart:
    """A part that was written; see `_Part`."""

    pointer: FilePointer
    number: int | None
    offset: int


@dataclass(eq=False)
class _Staged:
    """Parts that were written, and what they hold."""

    workflow: str
    staged_first: int
    contents: list[int]
    rows: list[VersionRows]
    parts: list[_StagedPart] = field(default_factory=list)


class Staging:
    """Contents on their way into one commit.

    They are staged against the samples known at that moment. If another commit lands first, the staged files still
    serve as long as it brought no sample that we bring, too: new indices just begin later.
    """

    def __init__(self, session: Session, workflow: Workflow, contents: Sequence[CaseContent]) -> None:
        self._session = session
        self._workflow = workflow
        self.contents = contents
        self._begins = list(accumulate((content.samples.num_rows for content in contents), initial=0))
        self._staged: _Staged | None = None

    def look_up(self, state: State, workflow_id: str) -> LookUp:
        """All samples of all contents, one after the other."""
        import pyarrow as pa

        known = self.contents[0].known if len(self.contents) == 1 else None
        if known is not None and known.count == sample_count(state, workflow_id):
            return known
        rows = pa.concat_tables([content.samples for content in self.contents])
        return look_up(self._session, state, workflow_id, rows)

    def indices(self, known: LookUp, among: Sequence[int]) -> Indices:
        """The `sample_idx` of each row of the look-up that some contents bring, where their new samples are counted."""
        import numpy as np

        places = self._places(known, among)
        indices = np.full(len(known.known), -1, np.int64)
        indices[places] = known.indices(places)
        return indices

    def rows(self, state: State, known: LookUp, number: int, numbered: Indices) -> VersionRows:
        """What the case will hold by content `number`, by the `indices` of contents with this one among them."""
        import numpy as np

        content, begin = self.contents[number], self._begins[number]
        places = self._places(known, [number])
        indices = numbered[places]
        if content.added is None:
            self._refuse_doubles(content, indices)
            return VersionRows(indices, content.truths)
        mine = VersionRows(indices, content.truths.take(places - begin))
        if content.onto is None:
            return mine
        base = version_rows(self._session, state, self._workflow.types(state), content.onto)
        touched = known.known[begin : begin + content.samples.num_rows]
        touched = touched if content.told is None else touched[~content.told]
        return _joined(base, np.flatnonzero(~np.isin(base.indices, touched)), mine)

    def _places(self, known: LookUp, among: Sequence[int]) -> Indices:
        """The rows of the look-up that some contents put into their cases."""
        import numpy as np

        places: list[Indices] = [np.empty(0, np.int64)]
        for number in among:
            content, begin = self.contents[number], self._begins[number]
            rows = np.arange(begin, begin + content.samples.num_rows)
            if content.added is not None:
                _, last = np.unique(known.first[rows][::-1], return_index=True)
                rows = rows[np.sort(len(rows) - 1 - last)]
                rows = rows[content.added[rows - begin]]
                rows = rows if content.told is None else rows[~content.told[rows - begin]]
            places.append(rows)
        return np.concatenate(places)

    def _telling(self, among: Sequence[int]) -> Indices:
        """The rows of the look-up that say something of samples that some contents leave as they are."""
        import numpy as np

        rows = [
            self._begins[number] + np.flatnonzero(told)
            for number in among
            if (told := self.contents[number].told) is not None
        ]
        return np.concatenate([np.empty(0, np.int64), *rows])

    def files(
        self,
        state: State,
        workflow_id: str,
        known: LookUp,
        owners: dict[int, str],
        rows: list[VersionRows],
        accepted: list[int],
    ) -> tuple[FilePointer, ...]:
        """The parts of some contents: staged now, or those of an earlier attempt if they still serve.

        Args:
            state: that they are folded into.
            workflow_id: whose samples they bring.
            known: the look-up of this state.
            owners: by number of the content, id of the version that will hold it.
            rows: of each version, in the order of `owners`.
            accepted: numbers of the contents that count: those, and such as bring nothing but metadata.
        """
        first = sample_count(state, workflow_id)
        if not self._still_serve(workflow_id, first, list(owners), rows):
            self._discard()
            self._stage(state, workflow_id, known, owners, rows, accepted)
        assert self._staged is not None
        return tuple(
            replace(
                part.pointer,
                owner=workflow_id if part.number is None else owners[part.number],
                details={**part.pointer.details, "workflow": workflow_id, "first": first + part.offset},
            )
            for part in self._staged.parts
        )

    def _still_serve(self, workflow_id: str, first: int, contents: list[int], rows: list[VersionRows]) -> bool:
        """Whether parts are staged, and each sample is still known, or new, as it was then.

        A sample that was known in a transaction of ours may have moved, too: then the indices are written again.
        """
        staged = self._staged
        if staged is None or staged.workflow != workflow_id or staged.contents != contents:
            return False
        if any(part.pointer.table == "sample_metadata" for part in staged.parts):
            return False  # others may have said something of these samples
        place: JsonObject = {"staged_first": staged.staged_first, "first": first}
        return all(
            VersionRows(absolute_indices(old.indices, place), old.truths).same_as(new)
            for old, new in zip(staged.rows, rows, strict=True)
        )

    def _stage(
        self,
        state: State,
        workflow_id: str,
        known: LookUp,
        owners: dict[int, str],
        rows: list[VersionRows],
        accepted: list[int],
    ) -> None:
        import numpy as np
        import pyarrow as pa

        first = known.count
        self._staged = _Staged(workflow_id, first, list(owners), rows)
        place: JsonObject = {"workflow": workflow_id, "first": first, "staged_first": first}
        places = self._places(known, accepted)
        new, samples = known.new(places), pa.concat_tables([content.samples for content in self.contents])
        said = self._said(state, workflow_id, known, np.concatenate([places, self._telling(accepted)]), samples)
        parts: list[_Part] = []
        if len(new):
            made = taken(samples, new).append_column("key", pa.array(known.key[new], pa.uint64()))
            parts += _parts("test_samples", workflow_id, made, {**place, "hash_probe": known.probe}, None)
        if said is not None:
            parts += _parts("sample_metadata", workflow_id, said, place, None)
        for (number, owner), each in zip(owners.items(), rows, strict=True):
            if len(each.indices):
                parts += _parts("ground_truths", owner, each.table(), place, number)
        self._write(parts)

    def _write(self, parts: list[_Part]) -> None:
        """Write parts, two at once if they are large: to encode rows takes longer than to store them."""
        staged = self._staged
        assert staged is not None, "it was made just now"
        is_large = sum(part.rows.num_rows for part in parts) > LARGE_ROWS
        failed: list[LocalregError] = []

        def written(part: _Part) -> list[FilePointer]:
            try:
                return [] if failed else _written(self._session.store, part)
            except LocalregError as error:
                failed.append(error)
                return []

        with ThreadPoolExecutor(2 if is_large else 1, "localreg-parts") as pool:
            for part, pointers in zip(parts, pool.map(written, parts), strict=True):
                staged.parts += [_StagedPart(pointer, part.number, part.offset) for pointer in pointers]
        if failed:
            raise failed[0]

    def _said(
        self, state: State, workflow_id: str, known: LookUp, places: Indices, samples: pa.Table
    ) -> pa.Table | None:
        """What is said of samples beyond what is recorded of them, or of new ones beyond their first row: merged."""
        import numpy as np
        import pyarrow as pa

        indices = known.indices(places)
        rows = taken(samples, places)
        again = (known.known[places] >= 0) | (known.first[places] != places)
        merged: dict[str, dict[int, JsonObject]] = {}
        if not again.any():
            return None
        new = taken(samples, known.new(places))
        for name in SAID:
            given = np.flatnonzero(again & rows[name].is_valid().to_numpy(zero_copy_only=False))
            recorded = self._recorded(state, workflow_id, indices[given], new, name)
            texts = rows[name].take(pa.array(given)).to_pylist()
            for index, text in zip(indices[given].tolist(), texts, strict=True):
                old = merged.get(name, {}).get(index, recorded[index])
                newer = {**old, **_object(text)}
                if newer != old:
                    merged.setdefault(name, {})[index] = newer
        told = sorted({index for each in merged.values() for index in each})
        if not told:
            return None
        columns: dict[str, Any] = {"sample_idx": pa.array(told, pa.int64())}
        for name in SAID:
            recorded = self._recorded(state, workflow_id, np.array(told), new, name)
            values = [merged.get(name, {}).get(index, recorded[index]) for index in told]
            columns[name] = pa.array([canonical(value) if value else None for value in values], pa.string())
        return pa.table(columns)

    def _recorded(
        self, state: State, workflow_id: str, indices: Indices, new: pa.Table, name: str
    ) -> dict[int, JsonObject]:
        """What is said of samples by now: in the registry, or by the first rows that bring new ones."""
        import numpy as np

        count = sample_count(state, workflow_id)
        old, fresh = np.unique(indices[indices < count]), np.unique(indices[indices >= count])
        texts = []
        if len(old):
            column = self._workflow.types(state).test_sample
            texts = samples_at(self._session, state, workflow_id, column, old)[name].to_pylist()
        texts += new[name].take(fresh - count).to_pylist()
        return {index: _object(text) for index, text in zip([*old.tolist(), *fresh.tolist()], texts, strict=True)}

    def _refuse_doubles(self, content: CaseContent, indices: Indices) -> None:
        import numpy as np

        ordered = indices if (np.diff(indices) > 0).all() else np.sort(indices)
        shared = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(shared):
            double = int(np.flatnonzero(indices == shared[0])[0])
            sample = content.samples["sample"][double].as_py()
            raise InvalidInputError(f"the test sample {sample} stands in the test case twice; leave one out")

    @contextmanager
    def discarded_if_refused(self) -> Iterator[None]:
        """Around a commit: what was staged goes if it is refused, but not if nobody knows whether an entry names it."""
        try:
            yield
        except UnknownOutcomeError:
            raise
        except LocalregError:
            self._discard()
            raise

    def _discard(self) -> None:
        for part in self._staged.parts if self._staged is not None else ():
            try:
                self._session.store.delete(part.pointer.path)
            except LocalregError:
                break  # an invisible orphan: garbage collection finds it
        self._staged = None


def _joined(base: VersionRows, kept: Indices, added: VersionRows) -> VersionRows:
    import numpy as np
    import pyarrow as pa

    truths = pa.concat_tables([base.truths.take(pa.array(kept)), added.truths])
    return VersionRows(np.concatenate([base.indices[kept], added.indices]), truths)


def _object(text: str | None) -> JsonObject:
    value = {} if text is None else parse(text)
    return value if isinstance(value, dict) else {}
