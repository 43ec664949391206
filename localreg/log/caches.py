"""What snapshots and history segments share: they are made from one another, beside writers who do the same."""

from __future__ import annotations

from localreg.errors import FormatError, StorageError

__all__ = ["GIVEN_UP", "DamagedLayerError", "damaged_layer", "given_up"]

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
