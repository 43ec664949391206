"""What a place must show before a first commit goes there."""

from __future__ import annotations

import threading

from localreg.errors import ReadOnlyError
from localreg.storage import Store

__all__ = ["Proof"]


class Proof:
    """That a place creates files exclusively; shown once for all sessions of one opening.

    A registry may have been copied to a place where its commit mode cannot be kept: nothing on disk tells.

    Attributes:
        made: whether this opening made the registry: then its file is durable.
    """

    def __init__(self, root: Store, *, made: bool) -> None:
        """Nothing is asked yet.

        Args:
            root: the place.
            made: whether the registry was made a moment ago, which is proof enough.
        """
        self._root = root
        self.made = made
        self._shown = made or not root.remote
        self._found = ""
        self._lock = threading.Lock()

    def require(self) -> None:
        """Return if commits are safe here.

        Raises:
            ReadOnlyError: the place ignores conditions. Nothing was written.
            StorageError: the place did not answer.
        """
        if self._shown:
            return
        from localreg.storage.probe import probe

        with self._lock:
            if not self._shown and not self._found:
                self._found = probe(self._root)
                self._shown = not self._found
        if self._found:
            raise ReadOnlyError(
                f"cannot change {self._root.uri}: {self._found}, so that two writers could overwrite each other's "
                "commits; it can be read here; to change it, copy it to a place that creates files exclusively",
                code="no_conditional_put",
            )

    def renew_lock(self) -> None:
        """After a fork: a lock that another thread held would never be released."""
        self._lock = threading.Lock()
