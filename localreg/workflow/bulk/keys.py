"""Rows → samples, by some of the samples' fields: without a string compared twice, and none trusted unread.

Keys are hashed by DuckDB, found in a table of hashes, and then compared: a hash alone decides nothing. Tables in the
order of the samples need no hash at all.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, cast

from localreg.hashing import HashIndex
from localreg.query.shared import scratch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

__all__ = ["SampleKeys"]


class _Hasher(threading.local):
    """DuckDB's hash, by a connection of each thread: to make one takes longer than to hash a batch."""

    def __init__(self) -> None:
        self._connection = scratch(serial=True)

    def of(self, column: pa.Array) -> Hashes:
        """The hash of each value."""
        import pyarrow as pa

        self._connection.register("given", pa.table({"value": column}))
        found = self._connection.execute("SELECT hash(value) AS hash FROM given").to_arrow_table()
        self._connection.unregister("given")
        return cast("Hashes", found["hash"].to_numpy())


HASHED_ROWS = 2**18
JOINED_BYTES = 128 * 2**20
"""Keys that take no more are kept in one piece, from which rows are taken twice as fast; that needs the room twice."""


def _joined(pieces: list[pa.Array]) -> list[pa.Array]:
    import pyarrow as pa

    is_small = sum(piece.nbytes for piece in pieces) <= JOINED_BYTES
    return [pa.concat_arrays(pieces)] if is_small and len(pieces) > 1 else pieces


class SampleKeys:
    """The keys of samples, to look rows up by.

    Args:
        keys: of each sample, plain values of one type, piece by piece; null for one that has none.
        indices: its `sample_idx`, int64; None = its place.
        are_distinct: whether no two can be equal.
    """

    def __init__(self, keys: Sequence[pa.Array], indices: Indices | None, *, are_distinct: bool) -> None:
        import numpy as np

        self._keys = _joined([piece for piece in keys if len(piece)])
        self._begins = np.cumsum([0, *map(len, self._keys)])
        self._indices = indices
        self._are_distinct = are_distinct
        self._hasher = _Hasher()
        self._shift = 0
        self._lock = threading.Lock()

    def find(self, keys: pa.Array, first: int) -> tuple[Indices, Indices]:
        """The `sample_idx` of the sample with each key, -1 if there is none; and the rows whose key several have.

        Threads may look up batches at once.

        Args:
            keys: of a batch of rows.
            first: number of its first row.
        """
        import numpy as np

        if not self._keys:
            return np.full(len(keys), -1, np.int64), np.empty(0, np.int64)
        places = self._in_order(keys, first)
        if places is None:
            places = self._looked_up(keys)
            self._shift = int(places[-1]) - len(places) + 1 - first if len(places) else 0
        known = places >= 0
        ambiguous = np.empty(0, np.int64) if self._are_distinct else np.flatnonzero(known & self._shared[places])
        return places if self._indices is None else np.where(known, self._indices[places], -1), ambiguous

    def _in_order(self, keys: pa.Array, first: int) -> Indices | None:
        """Places, if rows stand in the order of the samples: then nothing has to be looked up."""
        import numpy as np

        begin = first + self._shift
        end = begin + len(keys)
        if keys.null_count or begin < 0 or end > self._begins[-1]:
            return None
        done = begin
        while done < end:
            piece = int(np.searchsorted(self._begins, done, side="right")) - 1
            upto = min(end, int(self._begins[piece + 1]))
            own = self._keys[piece].slice(done - int(self._begins[piece]), upto - done)
            if not own.equals(keys.slice(done - begin, upto - done)):
                return None
            done = upto
        return np.arange(begin, end)

    @cached_property
    def _hashed(self) -> tuple[Hashes, HashIndex]:
        import numpy as np

        own = np.empty(int(self._begins[-1]), np.uint64)

        def fill(begin: int, piece: pa.Array) -> None:
            own[begin : begin + len(piece)] = self._hasher.of(piece)

        slices = [
            (begin + start, piece.slice(start, HASHED_ROWS))
            for begin, piece in zip(self._begins.tolist(), self._keys, strict=False)
            for start in range(0, len(piece), HASHED_ROWS)
        ]
        with ThreadPoolExecutor(2, "localreg-keys") as pool:
            for _ in pool.map(fill, *zip(*slices, strict=True)):
                pass
        return own, HashIndex(own)

    @property
    def _index(self) -> HashIndex:
        with self._lock:  # made once, by whoever is first
            return self._hashed[1]

    @cached_property
    def _shared(self) -> npt.NDArray[np.bool_]:
        """Which keys another sample has, too."""
        import numpy as np

        shared = np.zeros(int(self._begins[-1]), bool)
        doubles, holders, same = self._doubles
        shared[doubles[same]] = shared[holders[same]] = True
        return shared

    @cached_property
    def _doubles(self) -> tuple[Indices, Indices, npt.NDArray[np.bool_]]:
        """Places that the index does not find, the ones that it finds for them, and whether both have one key."""
        doubles = self._index.doubles.astype("int64")
        holders = self._index.find(self._hashed[0][doubles])
        return doubles, holders, self._are_keys(holders, self._taken(doubles))

    def _taken(self, places: Indices) -> pa.Array:
        """The keys at some places."""
        import numpy as np
        import pyarrow as pa

        pieces = np.searchsorted(self._begins, places, side="right") - 1
        order = np.argsort(pieces, kind="stable")
        taken = [
            self._keys[piece].take(pa.array(places[pieces == piece] - self._begins[piece]))
            for piece in np.unique(pieces).tolist()
        ]
        if not taken:
            return self._keys[0].slice(0, 0)
        back = np.empty(len(places), np.int64)
        back[order] = np.arange(len(places))
        return pa.concat_arrays(taken).take(pa.array(back))

    def _are_keys(self, places: Indices, keys: pa.Array) -> npt.NDArray[np.bool_]:
        """Whether the keys at some places, of which -1 is none, are these."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        same = np.zeros(len(places), bool)
        for number, piece in enumerate(self._keys):
            begin, end = self._begins[number], self._begins[number + 1]
            rows = np.flatnonzero((places >= begin) & (places < end))
            if len(rows):
                mine = keys if len(rows) == len(keys) else keys.take(pa.array(rows))
                equal = pc.equal(piece.take(pa.array(places[rows] - begin)), mine)
                same[rows] = equal.fill_null(False).to_numpy(zero_copy_only=False)
        return same

    def _looked_up(self, keys: pa.Array) -> Indices:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        places = self._index.find(self._hasher.of(keys))
        places[~self._are_keys(places, keys)] = -1
        doubles, _, same = self._doubles
        collided = doubles[~same]  # of one hash, by chance
        if len(collided):
            rows = np.flatnonzero(places < 0)
            found = pc.index_in(keys.take(pa.array(rows)), self._taken(collided), skip_nulls=True)
            there = found.is_valid().to_numpy(zero_copy_only=False)
            places[rows[there]] = collided[found.drop_null().to_numpy()]
        return places
