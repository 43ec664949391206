"""Rows → samples, by some of the samples' fields: without a string compared twice, and none trusted unread.

Keys are hashed by DuckDB, found in a table of hashes, and then compared: a hash alone decides nothing. Tables in the
order of the samples need no hash at all.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

__all__ = ["HashIndex", "SampleKeys"]

_MIX = 0x9E3779B97F4A7C15
"""An odd number whose bits are spread: each level of the index goes by other bits of the hash."""


class HashIndex:
    """The places of hashes, looked up for whole arrays at once.

    A hash goes to a slot of a table of twice as many; those whose slot was taken go to the next table, and so on. Of
    equal hashes the last place counts here; `doubles` has the others.

    Attributes:
        doubles: places whose hash stands elsewhere, too, and is not found there.
    """

    def __init__(self, values: Hashes) -> None:
        import numpy as np

        self._values = values
        self._levels: list[tuple[int, npt.NDArray[np.int32]]] = []
        doubles = [np.empty(0, np.int32)]
        places, own = np.arange(len(values), dtype=np.int32), values
        while len(places):
            bits = max(4, len(places).bit_length() + 1)
            table = np.full(1 << bits, -1, np.int32)
            slots = self._slots(own, bits, len(self._levels))
            table[slots] = places
            holders = table[slots]
            self._levels.append((bits, table))
            lost = holders != places
            places, holders, own = places[lost], holders[lost], own[lost]
            same = values[holders] == own
            doubles.append(places[same])
            places, own = places[~same], own[~same]
        self.doubles = np.concatenate(doubles)

    @staticmethod
    def _slots(values: Hashes, bits: int, level: int) -> Indices:
        import numpy as np

        if level:
            values = values * np.uint64((_MIX * (2 * level + 1)) % 2**64)
        return (values >> np.uint64(64 - bits)).astype(np.int64)

    def find(self, values: Hashes) -> Indices:
        """A place of each hash, -1 where there is none."""
        import numpy as np

        found = np.full(len(values), -1, np.int64)
        pending = np.arange(len(values))
        for level, (bits, table) in enumerate(self._levels):
            own = values[pending] if level else values
            places = table[self._slots(own, bits, level)]
            hit = (places >= 0) & (self._values[places] == own)
            found[pending[hit]] = places[hit]
            pending = pending[~hit]
            if not len(pending):
                break
        return found


class _Hasher(threading.local):
    """DuckDB's hash, by a connection of each thread: to make one takes longer than to hash a batch."""

    def __init__(self) -> None:
        import duckdb

        self._connection = duckdb.connect(":memory:", config={"threads": 1})

    def of(self, column: pa.Array) -> Hashes:
        """The hash of each value."""
        import pyarrow as pa

        self._connection.register("given", pa.table({"value": column}))
        found = self._connection.execute("SELECT hash(value) AS hash FROM given").to_arrow_table()
        self._connection.unregister("given")
        return cast("Hashes", found["hash"].to_numpy())


class SampleKeys:
    """The keys of samples, to look rows up by.

    Args:
        keys: of each sample, plain values of one type; null for one that has none.
        indices: its `sample_idx`, int64.
        are_distinct: whether no two can be equal.
    """

    def __init__(self, keys: pa.Array, indices: Indices, *, are_distinct: bool) -> None:
        self._keys = keys
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

        if not len(self._indices):
            return np.full(len(keys), -1, np.int64), np.empty(0, np.int64)
        places = self._in_order(keys, first)
        if places is None:
            places = self._looked_up(keys)
            self._shift = int(places[-1]) - len(places) + 1 - first if len(places) else 0
        known = places >= 0
        ambiguous = np.empty(0, np.int64) if self._are_distinct else np.flatnonzero(known & self._shared[places])
        return np.where(known, self._indices[places], -1), ambiguous

    def _in_order(self, keys: pa.Array, first: int) -> Indices | None:
        """Places, if rows stand in the order of the samples: then nothing has to be looked up."""
        import numpy as np

        begin = first + self._shift
        end = begin + len(keys)
        if keys.null_count or begin < 0 or end > len(self._keys):
            return None
        return np.arange(begin, end) if self._keys.slice(begin, len(keys)).equals(keys) else None

    @cached_property
    def _hashed(self) -> tuple[Hashes, HashIndex]:
        own = self._hasher.of(self._keys)
        return own, HashIndex(own)

    @property
    def _index(self) -> HashIndex:
        with self._lock:  # made once, by whoever is first
            return self._hashed[1]

    @cached_property
    def _shared(self) -> npt.NDArray[np.bool_]:
        """Which keys another sample has, too."""
        import numpy as np

        shared = np.zeros(len(self._keys), bool)
        doubles, holders, same = self._doubles
        shared[doubles[same]] = shared[holders[same]] = True
        return shared

    @cached_property
    def _doubles(self) -> tuple[Indices, Indices, npt.NDArray[np.bool_]]:
        """Places that the index does not find, the ones that it finds for them, and whether both have one key."""
        import pyarrow as pa
        import pyarrow.compute as pc

        doubles = self._index.doubles.astype("int64")
        holders = self._index.find(self._hashed[0][doubles])
        same = pc.equal(self._keys.take(pa.array(doubles)), self._keys.take(pa.array(holders)))
        return doubles, holders, same.fill_null(False).to_numpy(zero_copy_only=False)

    def _looked_up(self, keys: pa.Array) -> Indices:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        places = self._index.find(self._hasher.of(keys))
        hit = pc.equal(self._keys.take(pa.array(places, mask=places < 0)), keys)
        places[~hit.fill_null(False).to_numpy(zero_copy_only=False)] = -1
        doubles, _, same = self._doubles
        collided = doubles[~same]  # of one hash, by chance
        if len(collided):
            candidates = self._keys.take(pa.array(collided))
            rows = np.flatnonzero(places < 0)
            found = pc.index_in(keys.take(pa.array(rows)), candidates, skip_nulls=True)
            there = found.is_valid().to_numpy(zero_copy_only=False)
            places[rows[there]] = collided[found.drop_null().to_numpy()]
        return places
