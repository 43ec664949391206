"""The files of a look into the past: where one is gone because it was given up, that is said, and by which commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from localreg.errors import ConflictError, LocalregError, NotFoundError
from localreg.log.state import CONDEMNED

if TYPE_CHECKING:
    from localreg.log import Log
    from localreg.storage import Store

__all__ = ["past_store"]


def past_store(store: Store, log: Log) -> Store:
    """A store that says of a missing file which commit has given it up, if one has.

    Args:
        store: the namespace's.
        log: of the namespace, to ask for the newest state.
    """
    return cast("Store", _PastStore(store, log))


class _PastStore:
    """See `past_store`; all but the reading of immutable files is the other store's."""

    def __init__(self, store: Store, log: Log) -> None:
        self._store = store
        self._log = log

    def __getattr__(self, name: str) -> Any:
        if name == "_store":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self._store, name)

    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        """See `Store.local_file`.

        Raises:
            ConflictError: of code `"file_condemned"`; it was given up.
        """
        try:
            return self._store.local_file(path, fresh=fresh)
        except NotFoundError:
            self._refuse_given_up([path])
            raise

    def local_files(self, paths: Sequence[str]) -> list[Path]:
        """See `Store.local_files`.

        Raises:
            ConflictError: as `local_file`.
        """
        try:
            return self._store.local_files(paths)
        except NotFoundError:
            self._refuse_given_up(paths)
            raise

    def _refuse_given_up(self, paths: Sequence[str]) -> None:
        try:
            newest = self._log.load()
        except LocalregError:
            return  # what is wrong with the newest state is no matter of this look
        rows = sorted(newest.get_many((CONDEMNED, path) for path in paths), key=lambda row: row.created)
        if rows:
            number, by, at = rows[0].created[0], rows[0].created_by, rows[0].created_at
            raise ConflictError(
                f"{rows[0].name} is not there any more: commit {number} ({by}, {at}) gave it up, since no "
                "record needed it; look at a commit after that, or restore the file from a copy",
                code="file_condemned",
            )
