"""Which files lie in a place and how long they are, also where its listings do not tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localreg.errors import StorageError
from localreg.storage.store import STAGING

if TYPE_CHECKING:
    from localreg.storage.store import Store

__all__ = ["lengths"]


def lengths(
    store: Store, folders: Sequence[str] = ("",), *, one_by_one: Sequence[str] = ("", STAGING)
) -> dict[str, int]:
    """The length of each file in some folders, by path: what is staged and temporary, too, where listings tell lengths.

    Args:
        store: the place.
        folders: which; "" = all.
        one_by_one: those to go by where listings tell none, and each file is asked for.

    Raises:
        StorageError: it cannot be listed.
    """
    try:
        return dict(each for folder in folders for each in store.sizes(folder))
    except StorageError as error:
        if error.code != "no_sizes":
            raise
    found = {path: store.size(path) for folder in one_by_one for path in store.list(folder)}
    return {path: size for path, size in found.items() if size is not None}
