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
CHUNK = 2**16
"""Places that are worked on at once: what comes of them on the way stays near the processor."""
ROOMY = 2**22
"""Up to so many hashes have a table of twice the size, where fewer meet."""


class HashIndex:
    """The places of hashes, looked up for whole arrays at once.

    A hash goes to a slot of a table; those whose slot was taken go to the next table, and so on. Of equal hashes one
    place is found; `doubles` has the others.

    Attributes:
        doubles: places whose hash stands elsewhere, too, and is not found here.
    """

    def __init__(self, values: Hashes) -> None:
        import numpy as np

        self._values = values
        self._levels: list[tuple[int, npt.NDArray[np.int32]]] = []
        doubles: list[npt.NDArray[np.int32]] = [np.empty(0, np.int32)]
        places = np.arange(len(values), dtype=np.int32)
        while len(places):
            places, same = self._add_level(places)
            doubles += same
        self.doubles = np.concatenate(doubles)

    def _add_level(self, places: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], list[npt.NDArray[np.int32]]]:
        """Make the next table; the places that found no slot in it, and those that stand for a hash that did."""
        import numpy as np

        level, bits = len(self._levels), max(4, len(places).bit_length() + (len(places) <= ROOMY))
        table = np.full(1 << bits, -1, np.int32)
        self._levels.append((bits, table))
        pieces = [places[begin : begin + CHUNK] for begin in range(0, len(places), CHUNK)]
        for piece in pieces:
            table[self._slots(self._values[piece], bits, level)] = piece
        lost, same = [], []
        for piece in pieces:
            own = self._values[piece]
            holders = table[self._slots(own, bits, level)]
            is_same = (holders != piece) & (self._values[holders] == own)
            same.append(piece[is_same])
            lost.append(piece[(holders != piece) & ~is_same])
        return np.concatenate(lost), same

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
