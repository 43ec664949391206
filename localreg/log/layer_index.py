"""The index of a snapshot file: hashes by which the rows of a million records are found in microseconds.

Layout: the 64-bit hashes of all (kind, id), sorted; those of all (kind, parent, name), sorted; then, for the first and
for the second, the numbers of their rows in 32 bits; all little-endian. Only hashes are compared here: what they find
has still to be compared with the row.
"""

from __future__ import annotations

from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, NamedTuple

from localreg.log.caches import damaged_layer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Keys = npt.NDArray[np.uint64]
    Numbers = npt.NDArray[np.uint32]

__all__ = ["LayerIndex", "Matches", "id_key", "index_bytes", "name_key"]

BYTES_A_ROW = 24


def id_key(kind: str, id: str) -> int:
    """What the index knows a record by: 64 bits of BLAKE2b."""
    return _key(f"{kind}\0{id}")


def name_key(kind: str, parent: str, name: str) -> int:
    """What the index knows a name by."""
    return _key(f"{kind}\0{parent}\0{name}")


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


class Matches(NamedTuple):
    """Rows that a look-up of many found.

    Attributes:
        numbers: which rows of the layer, ascending.
        places: for each, the place of what it was looked up by.
    """

    numbers: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]


class LayerIndex:
    """The index, as it lies in the file; its digest is compared at the first look-up."""

    def __init__(self, path: str, view: memoryview, rows: int, digest: str) -> None:
        """Prepare; `view` begins with the index, and `path` is named when it is damaged."""
        self._path = path
        self._view = view[: BYTES_A_ROW * rows]
        self._rows = rows
        self._digest = digest
        self._checked = False

    def by_id(self, kind: str, id: str) -> Numbers:
        """Numbers of the rows that may be of this record.

        Raises:
            DamagedLayerError: as all that follows: the index is not what was written.
        """
        id_keys, _, id_rows, _ = self._parts()
        return _found(id_keys, id_rows, id_key(kind, id))

    def by_name(self, kind: str, parent: str, name: str) -> Numbers:
        """Numbers of the rows that may have this name."""
        _, name_keys, _, name_rows = self._parts()
        return _found(name_keys, name_rows, name_key(kind, parent, name))

    def holding(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Whether there may be a row for each of many (kind, id), given by their hashes."""
        import numpy as np

        held = self._parts()[0]
        return np.searchsorted(held, keys, side="right") > np.searchsorted(held, keys, side="left")

    def matches(self, keys: Keys) -> Matches:
        """Rows that may be of one of many (kind, id), given by their hashes."""
        import numpy as np

        id_keys, _, id_rows, _ = self._parts()
        begin = np.searchsorted(id_keys, keys, side="left")
        counts = np.searchsorted(id_keys, keys, side="right") - begin
        places = np.repeat(np.arange(len(keys)), counts)
        within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = id_rows[np.repeat(begin, counts) + within].astype(np.int64)
        order = np.argsort(rows, kind="stable")
        return Matches(rows[order], places[order])

    def keys(self) -> tuple[Keys, Keys]:
        """The hashes of (kind, id) and of (kind, parent, name), by row."""
        import numpy as np

        id_keys, name_keys, id_rows, name_rows = self._parts()
        by_row = np.empty(self._rows, np.uint64), np.empty(self._rows, np.uint64)
        by_row[0][id_rows] = id_keys
        by_row[1][name_rows] = name_keys
        return by_row

    def check(self) -> None:
        """Compare it with its digest.

        Raises:
            DamagedLayerError: it is not what was written.
        """
        if not self._checked:
            if sha256(self._view).hexdigest() != self._digest:
                raise damaged_layer(self._path, "its index does not fit its digest")
            self._checked = True

    def _parts(self) -> tuple[Keys, Keys, Numbers, Numbers]:
        import numpy as np

        self.check()
        count = self._rows
        keys = np.frombuffer(self._view, np.uint64, 2 * count)
        rows = np.frombuffer(self._view, np.uint32, 2 * count, offset=16 * count)
        return keys[:count], keys[count:], rows[:count], rows[count:]


def index_bytes(id_keys: Keys, name_keys: Keys) -> bytes:
    """The index of rows with these hashes, in the order of the rows."""
    import numpy as np

    orders = [np.argsort(keys, kind="stable") for keys in (id_keys, name_keys)]
    ordered = [keys[order].tobytes() for keys, order in zip((id_keys, name_keys), orders, strict=True)]
    return b"".join([*ordered, *(order.astype(np.uint32).tobytes() for order in orders)])


def _found(keys: Keys, rows: Numbers, key: int) -> Numbers:
    import numpy as np

    wanted = np.uint64(key)
    begin = end = int(np.searchsorted(keys, wanted))
    while end < len(keys) and keys[end] == wanted:
        end += 1
    return rows[begin:end]
