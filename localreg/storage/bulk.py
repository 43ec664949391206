"""Files of a folder that are written in pieces, under names of their own."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from localreg.errors import AlreadyExistsError, LocalregError
from localreg.storage.disk import discard, sync_folder, unwritable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from _typeshed import ReadableBuffer

__all__ = ["BulkFile"]


class BulkFile:
    """What `LocalStore.writer` gives: a file that is removed unless its block ends well.

    A class and not a generator, since a generator that is dropped halfway runs its clean-up: a crash that a test
    simulates by dropping it would tidy up after itself.
    """

    def __init__(self, final: str, create: Callable[[], int]) -> None:
        """Prepare; `create` makes the file, and its folder, and gives a descriptor."""
        self._final = final
        self._create = create

    def __enter__(self) -> BinaryIO:
        try:
            self._descriptor = self._create()
        except FileExistsError as error:
            raise AlreadyExistsError(f"{self._final} exists: a bulk file needs a new name") from error
        except OSError as error:
            raise unwritable(self._final, error) from error
        self._file = io.BufferedWriter(_TellingFile(self._descriptor, self._final))
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._abandon()
            return
        try:
            self._finish()
        except BaseException as failure:
            self._abandon()
            if isinstance(failure, OSError) and not isinstance(failure, LocalregError):
                raise unwritable(self._final, failure) from failure
            raise

    def _finish(self) -> None:
        self._file.close()
        os.fsync(self._descriptor)
        self._release()
        sync_folder(os.path.dirname(self._final))

    def _abandon(self) -> None:
        with suppress(Exception):
            self._file.close()
        with suppress(OSError):
            self._release()
        discard(self._final)

    def _release(self) -> None:
        # Forgotten before it is closed: closing a number twice would close whatever another thread opened since.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class _TellingFile(io.FileIO):
    """A raw file whose writes fail as `StorageError`, so that other `OSError`s in the same block stay their own.

    The descriptor is not its own: it must outlive a block that closes the file, to be synced.
    """

    def __init__(self, descriptor: int, where: str) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._where = where

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some of `data`, as `io.RawIOBase.write`."""
        try:
            return os.write(self.fileno(), data)
        except OSError as error:
            raise unwritable(self._where, error) from error
