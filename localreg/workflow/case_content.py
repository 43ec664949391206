"""The content of test cases on its way from Python objects into the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import InvalidInputError, LocalregError
from localreg.log import State
from localreg.names import shown_value
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.tables import unpacked, write_part, write_rows
from localreg.workflow.samples import (
    DIGEST,
    SAID,
    LookUp,
    absolute_indices,
    as_rows,
    files_of,
    look_up,
    read_typed,
    sample_count,
    sample_rows,
    samples_at,
    vectors_beside,
)
from localreg.workflow.workflow import Types, Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["CaseContent", "Staging", "VersionRows", "first_difference", "version_rows"]


@dataclass(frozen=True, eq=False)
class CaseContent:
    """What is given for one test case.

    Attributes:
        samples: rows as `sample_rows` makes them.
        truths: `ground_truth`, `metadata`, `extra`: one row for each sample.
        added: of an edit, whether each sample is added or removed; of one sample the last row counts. None = this is
            all that the case will hold, each sample once.
        onto: of an edit, id of the version that it begins with; None = with nothing.
    """

    samples: pa.Table
    truths: pa.Table
    added: npt.NDArray[np.bool_] | None = None
    onto: str | None = None

    @classmethod
    def of(cls, types: Types, pairs: Iterable[tuple[object, object]]) -> CaseContent:
        """Check objects, and turn them into columns.

        Raises:
            InvalidInputError: one of them is of another type, or cannot be stored; it is named.
        """
        return cls(*_columns(types, *_unzipped(types, pairs)))

    @classmethod
    def of_edit(cls, types: Types, steps: Sequence[tuple[object, object]], *, onto: str | None) -> CaseContent:
        """The same of an edit: steps are (test sample, ground truth), where None removes the sample.

        Raises:
            InvalidInputError: one of them is of another type, or cannot be stored; it is named.
        """
        import numpy as np

        samples = [types.test_sample.of(sample, "the edit") for sample, _ in steps]
        truths = [None if truth is None else types.ground_truth.of(truth, "the edit") for _, truth in steps]
        added = np.array([truth is not None for truth in truths], bool)
        return cls(*_columns(types, samples, truths), added, onto)


def _columns(types: Types, samples: Sequence[object], truths: Sequence[object]) -> tuple[pa.Table, pa.Table]:
    def named(number: int) -> str:
        return f"the ground truth of test_samples[{number}], {samples[number]!r}"

    rows = as_rows(types.ground_truth.table(truths, named), "ground_truth", types.ground_truth)
    return sample_rows(types.test_sample, samples), rows


@dataclass(eq=False)
class VersionRows:
    """The rows of one version of a test case.

    Attributes:
        indices: `sample_idx` of each, int64.
        truths: `ground_truth`, `metadata`, `extra` of each.
    """

    indices: Indices
    truths: pa.Table

    def same_as(self, other: VersionRows) -> bool:
        """Whether both hold the same, in the same order."""
        import numpy as np

        return np.array_equal(self.indices, other.indices) and first_difference(self.truths, other.truths) is None

    def table(self) -> pa.Table:
        """As a part."""
        import pyarrow as pa

        columns = {name: self.truths[name] for name in self.truths.column_names}
        for name in SAID:
            if columns[name].null_count == len(columns[name]):
                del columns[name]
        return pa.table({"sample_idx": pa.array(self.indices, pa.int64()), **columns})


def first_difference(one: pa.Table, other: pa.Table) -> int | None:
    """The first row that differs between two tables of one type and length; None if they are the same, NaN like NaN."""
    import duckdb
    import pyarrow as pa

    if not one.num_rows or _combined(one).equals(_combined(other)):
        return None
    one, other = (pa.table({name: unpacked(each[name]) for name in each.column_names}) for each in (one, other))
    with duckdb.connect(":memory:") as connection:  # Arrow takes each NaN for another
        connection.register("one", one.append_column("row", pa.array(range(one.num_rows), pa.int64())))
        connection.register("other", other)
        differs = " OR ".join(f'one."{name}" IS DISTINCT FROM other."{name}"' for name in one.column_names)
        found = connection.execute(f"SELECT min(row) FROM one POSITIONAL JOIN other WHERE {differs}").fetchone()
    return None if found is None or found[0] is None else int(found[0])


def _combined(table: pa.Table) -> pa.Table:
    return table.unify_dictionaries().combine_chunks()


def version_rows(session: Session, state: State, types: Types, version_id: str, *, vectors: bool = True) -> VersionRows:
    """What a version of a test case holds; without the vectors of ground truths, if nobody will look at them."""
    import numpy as np
    import pyarrow as pa

    indices: list[Any] = [np.empty(0, np.int64)]
    column = types.ground_truth
    beside = vectors_beside(state, [version_id]) if vectors and column.vectors is not None else {}
    truths = [column.table([], str)]
    for pointer in files_of(state, version_id, "ground_truths"):
        part = read_typed(session, pointer, beside)
        indices.append(absolute_indices(part["sample_idx"].to_numpy(), pointer.details))
        truths.append(part)
    conformed = [as_rows(each, "ground_truth", column, vectors=vectors) for each in truths]
    return VersionRows(np.concatenate(indices), pa.concat_tables(conformed))


@dataclass(eq=False)
class _Staged:
    """Parts that were written, and what they hold."""

    workflow: str
    staged_first: int
    contents: list[int]
    rows: list[VersionRows]
    parts: list[tuple[FilePointer, int | None]] = field(default_factory=list)
    """Each with the number of the content that it belongs to; None = the workflow."""


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
            places.append(rows)
        return np.concatenate(places)

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
                part,
                owner=workflow_id if number is None else owners[number],
                details={**part.details, "workflow": workflow_id, "first": first},
            )
            for part, number in self._staged.parts
        )

    def _still_serve(self, workflow_id: str, first: int, contents: list[int], rows: list[VersionRows]) -> bool:
        """Whether parts are staged, and each sample is still known, or new, as it was then.

        A sample that was known in a transaction of ours may have moved, too: then the indices are written again.
        """
        staged = self._staged
        if staged is None or staged.workflow != workflow_id or staged.contents != contents:
            return False
        if any(part.table == "sample_metadata" for part, _ in staged.parts):
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
        import pyarrow as pa

        first, store = known.count, self._session.store
        staged = self._staged = _Staged(workflow_id, first, list(owners), rows)
        place: JsonObject = {"workflow": workflow_id, "first": first, "staged_first": first}
        details: JsonObject
        places = self._places(known, accepted)
        new, samples = known.new(places), pa.concat_tables([content.samples for content in self.contents])
        said = self._said(state, workflow_id, known, places, samples)
        if len(new):
            made = samples.take(pa.array(new)).append_column("key", pa.array(known.key[new], pa.uint64()))
            columns = [name for name in made.column_names if name in (*SAID, DIGEST)]
            details = {**place, "hash_probe": known.probe, "columns": columns}
            staged.parts += [(each, None) for each in write_rows(store, "test_samples", workflow_id, made, details)]
        if said is not None:
            staged.parts.append((write_part(store, "sample_metadata", workflow_id, said, place), None))
        for (number, owner), each in zip(owners.items(), rows, strict=True):
            if len(each.indices):
                part = each.table()
                details = {**place, "columns": [name for name in part.column_names if name in SAID]}
                staged.parts += [(each, number) for each in write_rows(store, "ground_truths", owner, part, details)]

    def _said(
        self, state: State, workflow_id: str, known: LookUp, places: Indices, samples: pa.Table
    ) -> pa.Table | None:
        """What is said of samples beyond what is recorded of them, or of new ones beyond their first row: merged."""
        import numpy as np
        import pyarrow as pa

        indices = known.indices(places)
        rows = samples.take(pa.array(places))
        again = (known.known[places] >= 0) | (known.first[places] != places)
        merged: dict[str, dict[int, JsonObject]] = {}
        new = samples.take(pa.array(known.new(places)))
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

        values, counts = np.unique(indices, return_counts=True)
        if (counts > 1).any():
            double = int(np.flatnonzero(indices == values[counts > 1][0])[0])
            sample = content.samples["sample"][double].as_py()
            raise InvalidInputError(f"the test sample {sample} stands in the test case twice; leave one out")

    def _discard(self) -> None:
        for pointer, _ in self._staged.parts if self._staged is not None else ():
            try:
                self._session.store.delete(pointer.path)
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


def _unzipped(types: Types, pairs: Iterable[tuple[object, object]]) -> tuple[list[object], list[object]]:
    samples, truths = [], []
    if not isinstance(pairs, Iterable):
        raise InvalidInputError(
            f"test_samples is {shown_value(pairs)}; it must be a list of (test sample, ground truth)"
        )
    for number, pair in enumerate(pairs):
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise InvalidInputError(f"test_samples[{number}] is {pair!r}; it must be a (test sample, ground truth)")
        samples.append(types.test_sample.of(pair[0], f"test_samples[{number}]"))
        truths.append(types.ground_truth.of(pair[1], f"test_samples[{number}]"))
    return samples, truths
