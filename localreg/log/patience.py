"""How long to wait for an entry that is there, as somebody said, and that a share does not show yet."""

from __future__ import annotations

import time

from localreg.storage import Store
from localreg.storage.mounts import is_on_network

__all__ = ["PAUSES_S", "get_late", "pause"]

PAUSES_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0)
"""At most so long before each further look: clients of shares know for a second, and more, that nothing was there."""


def pause(number: int) -> None:
    """Leave a share the time to show what it holds; not all clients look at once."""
    from random import uniform

    time.sleep(uniform(PAUSES_S[number] / 2, PAUSES_S[number]))


def get_late(store: Store, path: str) -> bytes | None:
    """A file that must be there: on a network share it is waited for, elsewhere it is looked at once."""
    data = store.get(path, fresh=True)
    if data is None and not store.remote and is_on_network(store.uri):
        for number in range(len(PAUSES_S)):
            pause(number)
            data = store.get(path, fresh=True)
            if data is not None:
                break
    return data
