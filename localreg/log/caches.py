"""What snapshots and history segments share: they are made from one another, beside writers who do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from localreg.errors import FormatError, StorageError
from localreg.log.telling import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from localreg.storage import Store

__all__ = ["GIVEN_UP", "DamagedLayerError", "damaged_layer", "given_up", "unless_unreadable"]

_T = TypeVar("_T")

REFUSALS = frozenset({"forbidden", "unsupported"})
"""Codes of what a place far away will say again however often it is asked."""

GIVEN_UP = "cache_given_up"
"""Code of the error that nobody needs to hear of: another writer was faster, or a redaction came in between."""


def given_up(path: str) -> StorageError:
    """The error of a cache that was made from files which are there no more: it may show what these must not."""
    return StorageError(
        f"{path} was given up: what it was made from was deleted meanwhile; nothing depends on it", code=GIVEN_UP
    )


class DamagedLayerError(FormatError):
    """A snapshot file is not what was written. Caught within this package: a cache is made again."""


def damaged_layer(path: str, why: object) -> DamagedLayerError:
    """That error, of one file."""
    return DamagedLayerError(
        f"{path} is damaged ({why}); delete it: it is made again from the log", code="snapshot_damaged"
    )


def unless_unreadable(store: Store, look: Callable[[], _T], otherwise: _T) -> _T:
    """What a look at a cache finds; `otherwise` where it may or can not be read: the log has it all.

    Raises:
        StorageError: a place far away did not answer. To read a long log from there instead would help nobody.
    """
    try:
        return look()
    except StorageError as error:
        if store.remote and error.code not in REFUSALS:
            raise
        told = f"{error}; it is a cache: {store.uri} is read without it, which may take longer"
        warn_once(told, about=store.uri)  # whoever reads there meets the same obstacle each time
        return otherwise
