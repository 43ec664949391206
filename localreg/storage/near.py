"""What stores on this machine have in common: there is no way to them on which anything would be kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from localreg.storage.disk import new_spool
from localreg.storage.store import check_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["NearStore"]


class NearStore(ABC):
    """The part of `Store` that is about caches, for one that needs none."""

    @property
    def remote(self) -> bool:
        """See `Store.remote`; no."""
        return False

    @property
    def exclusive(self) -> bool:
        """See `Store.exclusive`; yes."""
        return True

    @abstractmethod
    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        """See `Store.local_file`."""

    def local_files(self, paths: Sequence[str]) -> list[Path]:
        """See `Store.local_files`."""
        return [self.local_file(path) for path in paths]

    def new_spool(self, path: Path) -> int:
        """See `Store.new_spool`."""
        return new_spool(path)

    def forget(self, path: str) -> None:
        """See `Store.forget`; nothing is kept."""
        check_path(path)

    def recall(self, name: str) -> bytes | None:
        """See `Store.recall`; nothing is kept, since asking again costs nothing."""
        check_path(name)
        return None

    def remember(self, name: str, data: bytes) -> None:
        """See `Store.remember`; not kept."""
        check_path(name)
