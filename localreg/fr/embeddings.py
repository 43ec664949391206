"""Embeddings by image: what a model version extracted, and how it is kept.

They stand in parts of table `embeddings`, owned by the test runs that made them: a locator, and a list of 32-bit
floats, all of one length in a part; null = the image failed to enrol. Read in order of commit, a newer row for a
locator takes the place of an older one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError, LocalregError
from localreg.log import State
from localreg.records.files import FilePointer
from localreg.session import Changes, Session
from localreg.tables import read_part, write_part

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Vector: TypeAlias = npt.NDArray[np.float32]

__all__ = ["SPLIT", "TABLE", "EmbeddingUpload", "embedding_rows", "stored_embeddings", "vectors_of"]

TABLE = "embeddings"
SPLIT = ("embedding.list.element",)
"""How the numbers are written: no two of them are likely to be equal."""

ROWS_OF_A_PART = 100_000


def embedding_rows(vectors: Mapping[str, Vector | None]) -> pa.Table:
    """Embeddings of one length as rows: `locator`, `embedding`."""
    import numpy as np
    import pyarrow as pa

    there = [vector for vector in vectors.values() if vector is not None]
    size = len(there[0]) if there else 1
    filled = np.zeros((len(vectors), size), np.float32)
    failed = np.array([vector is None for vector in vectors.values()], bool)
    if there:
        filled[~failed] = np.stack(there)
    values = pa.array(filled.reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(values, size, mask=pa.array(failed))
    return pa.table({"locator": pa.array(list(vectors), pa.string()), "embedding": column})


def vectors_of(rows: pa.Table) -> Iterator[tuple[str, Vector | None]]:
    """Locator and embedding of each row: numpy arrays, float32, read-only; None = failed to enrol."""
    for batch in rows.to_batches():
        column = batch.column("embedding")
        numbers = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        is_there = column.is_valid().to_pylist()
        found = iter(numbers.reshape(sum(is_there), -1) if any(is_there) else ())
        for locator, there in zip(batch.column("locator").to_pylist(), is_there, strict=True):
            yield locator, next(found) if there else None


def stored_embeddings(
    session: Session, state: State, version_id: str, wanted: Callable[[str], bool]
) -> dict[str, Vector | None]:
    """What a model version extracted from some images, as of a state.

    Args:
        session: whose store holds it.
        state: what is committed.
        version_id: the model version.
        wanted: tells by its locator whether an image is meant.
    """
    found: dict[str, Vector | None] = {}
    for pointer in _pointers(state, version_id):
        locators = read_part(session.store, pointer, ["locator"])["locator"].to_pylist()
        if any(map(wanted, locators)):
            rows = read_part(session.store, pointer)
            found |= {locator: vector for locator, vector in vectors_of(rows) if wanted(locator)}
    return found


def _pointers(state: State, version_id: str) -> list[FilePointer]:
    rows = [file for run in state.children("test_run", version_id) for file in state.children("file", run.id)]
    pointers = [FilePointer.from_json(row.fields) for row in sorted(rows, key=lambda row: row.created)]
    return [pointer for pointer in pointers if pointer.table == TABLE]


class EmbeddingUpload:
    """An operation that puts embeddings into the log; may be run again on a newer state.

    Those that another writer has stored meanwhile are left out.

    Args:
        session: the namespace.
        vectors: by locator.
        replaces: whether they take the place of what is stored.
        ensure: makes what they belong to; ids of workflow, model version and test run.
    """

    def __init__(
        self,
        session: Session,
        vectors: Mapping[str, Vector | None],
        *,
        replaces: bool,
        ensure: Callable[[Changes], tuple[str, str, str]],
    ) -> None:
        self._session = session
        self._vectors = vectors
        self._replaces = replaces
        self._ensure = ensure
        self._staged: tuple[list[str], list[FilePointer]] = [], []

    def __call__(self, changes: Changes) -> None:
        """Put the rows into the draft."""
        workflow_id, version_id, run_id = self._ensure(changes)
        known = {
            locator
            for pointer in _pointers(changes.draft, version_id)
            for locator in read_part(self._session.store, pointer, ["locator"])["locator"].to_pylist()
        }
        new = [locator for locator in self._vectors if self._replaces or locator not in known]
        if not new:
            return
        details: JsonObject = {"workflow": workflow_id, "replaces": self._replaces}
        run = changes.draft.get("test_run", run_id)
        assert run is not None, "it was ensured"
        changes.note(run, action="upload", files=tuple(self._parts(run_id, new, details)))

    def _parts(self, run_id: str, locators: list[str], details: JsonObject) -> Sequence[FilePointer]:
        if self._staged[0] != [run_id, *locators]:
            for pointer in self._staged[1]:
                with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
                    self._session.store.delete(pointer.path)
            pointers = []
            for begin in range(0, len(locators), ROWS_OF_A_PART):
                some = {locator: self._vectors[locator] for locator in locators[begin : begin + ROWS_OF_A_PART]}
                refuse_other_lengths(some)
                rows = embedding_rows(some)
                pointers.append(write_part(self._session.store, TABLE, run_id, rows, details, split=SPLIT))
            self._staged = [run_id, *locators], pointers
        return self._staged[1]


def refuse_other_lengths(vectors: Mapping[str, Vector | None]) -> None:
    """Refuse embeddings of several lengths, as two processes make them that run different models as one.

    Raises:
        InvalidInputError: two of them are named.
    """
    lengths: dict[int, str] = {}
    for locator, vector in vectors.items():
        if vector is not None:
            lengths.setdefault(len(vector), locator)
    if len(lengths) > 1:
        (first, a), (second, b) = list(lengths.items())[:2]
        raise InvalidInputError(
            f"the embeddings of one model version are of one length, and that of {a!r} has {first} numbers, that of "
            f"{b!r} {second}; make a new version for another model"
        )
