"""Bulk files on their way to a place behind a network: written on this machine, and sent whole."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from localreg.errors import AlreadyExistsError, NotFoundError, StorageError
from localreg.storage.asking import ATTEMPTS, Asking
from localreg.storage.cache import FileCache, is_immutable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["StagedFile"]


class StagedFile:
    """What `RemoteStore.writer` gives: a file of this machine that is sent when its block has ended well."""

    def __init__(self, path: str, key: str, asking: Asking, cache: FileCache) -> None:
        """Prepare.

        Args:
            path: what it is called in messages.
            key: what it is called in the place.
            asking: the place.
            cache: where it is staged, and kept if it is of a kind that never changes.
        """
        self._path = path
        self._key = key
        self._asking = asking
        self._cache = cache

    def __enter__(self) -> BinaryIO:
        if self._asking.ask("read", self._path, lambda: self._asking.link.size(self._key), absent=None) is not None:
            raise self._exists()
        self._staged = self._cache.incoming()
        try:
            self._file = _TellingFile(self._staged)
        except OSError as error:
            raise self._cache.unusable(error) from error
        return cast(BinaryIO, self._file)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if error is None:
                self._send()
        finally:
            with suppress(OSError):
                self._staged.unlink()

    def _send(self) -> None:
        """Create the file. The name is ours alone, so after a silence it can be offered again.

        "Exists" may then be our own success, whose answer got lost.
        """
        doubt: StorageError | None = None
        created = False
        for _ in range(ATTEMPTS):
            try:
                created = self._asking.create(
                    self._path, lambda: self._asking.link.create_from(self._key, self._staged)
                )
                break
            except StorageError as error:
                if error.code != "doubtful":
                    raise
                doubt = error
        if not created and not self._landed():
            raise doubt or self._exists()
        if is_immutable(self._path):
            with suppress(StorageError):
                self._cache.adopt(self._key, self._staged)

    def _landed(self) -> bool:
        there = self._cache.incoming()
        try:
            self._asking.ask("read", self._path, lambda: self._asking.link.fetch(self._key, there))
            return _same_content(there, self._staged)
        except NotFoundError:
            return False
        finally:
            with suppress(OSError):
                there.unlink()

    def _exists(self) -> AlreadyExistsError:
        return AlreadyExistsError(f"{self._path!r} exists in {self._asking.uri}: a bulk file needs a new name")


class _TellingFile(io.FileIO):
    """A raw file whose writes fail as `StorageError`, so that other `OSError`s in the same block stay their own."""

    def __init__(self, where: Path) -> None:
        super().__init__(os.open(where, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb")
        self._where = where

    def write(self, data: Any, /) -> int:
        """Write all of `data`, as a buffered file does."""
        rest = memoryview(data).cast("B")
        whole = len(rest)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            raise StorageError(
                f"no room to stage {self._where} ({error.strerror}): nothing was changed; free space, or set "
                "LOCALREG_CACHE to a folder that has it",
                code="disk_full",
            ) from error
        return whole


def _same_content(one: Path, other: Path) -> bool:
    import filecmp

    return filecmp.cmp(one, other, shallow=False)
