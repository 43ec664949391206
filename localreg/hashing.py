"""Hashes, looked up for whole arrays at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

__all__ = ["HashIndex"]

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
