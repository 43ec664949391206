"""When and where versions are used: `consume` events, at most one for each process and version.

A model is loaded once and serves for weeks, or is loaded for each request: either is one use to whoever asks where a
version runs. So what this process has told already is kept in its memory; a forked child is a process of its own.
"""

from __future__ import annotations

import os
import threading
import warnings
from typing import TYPE_CHECKING, NamedTuple

from localreg.canonical import JsonObject
from localreg.errors import LocalregError, NotFoundError, UnknownOutcomeError
from localreg.handles.handle import Handle, RecordT
from localreg.records.models import ModelVersionRecord
from localreg.session import Session, Transaction

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["HasConsumers", "tell_consumed"]


class _Use(NamedTuple):
    """A version of a registry at its place: a copy of the registry elsewhere has a log of its own."""

    place: str
    registry: str
    version: str


_told: dict[_Use, Transaction | None] = {}
"""What this process has told, or is telling: by the transaction that it goes with, if that is not known to be there."""
_lock = threading.Lock()


class HasConsumers(Handle[RecordT]):
    """A model or a version, of which it is known who used it."""

    def consumers(self) -> Result:
        """Who used it, and when: `time`, `actor`, `host`, `process`, `version`, `via` (an alias, or null).

        A row for each process and version, in order of commit: see `ModelVersion.consume`. The past is as it was told:
        also of aliases that have moved since, and versions that were deleted.
        """
        column = "id" if self._record_class is ModelVersionRecord else "parent"
        return self._session.engine().sql(
            f"""SELECT time, actor, host, TRY_CAST(details->>'process' AS BIGINT) AS process, name AS version,
                details->>'via' AS via
            FROM audit_events WHERE kind = 'model_version' AND action = 'consume' AND {column} = ?
            ORDER BY commit, event""",
            [self._id],
        )


def tell_consumed(version: Handle[ModelVersionRecord], *, via: str | None, stacklevel: int) -> None:
    """Note in the audit log that this process uses a version, unless it did already; warn if that cannot be written.

    Args:
        version: which one.
        via: the alias by which it was asked for.
        stacklevel: of the warning, as seen from here.

    Raises:
        NotFoundError: it has been deleted.
    """
    session = version._session
    use = _Use(session.root.uri, session.file.registry, version.id)
    if not _claimed(use, session):
        return
    details: JsonObject = {"via": via, "process": os.getpid()}
    try:
        session.change(lambda changes: changes.note(version._row(changes.draft), action="consume", details=details))
    except BaseException as error:
        if not isinstance(error, UnknownOutcomeError):  # which may have landed, and there shall not be two
            with _lock:
                _told.pop(use, None)
        if isinstance(error, NotFoundError) or not isinstance(error, LocalregError):
            raise
        warnings.warn(
            f"that version {_label(version)} is used is not in the audit log: {error}", stacklevel=stacklevel + 1
        )


def _claimed(use: _Use, session: Session) -> bool:
    """Whether it is for this call to tell of the use: nobody did, or a transaction that came to nothing."""
    joined = session.transaction_here()
    with _lock:
        if use in _told:
            within = _told[use]
            if within is None or within.commit is not None:
                _told[use] = None  # the transaction holds all that it changed
                return False
            if within.is_open_here:
                return False
        _told[use] = joined
        return True


def _label(version: Handle[ModelVersionRecord]) -> str:
    try:
        return repr(version._label())
    except LocalregError:  # the store does not answer
        return version.id


def _after_fork() -> None:
    """A child is a process of its own; and a lock that was held at the fork would never be released in it."""
    global _lock
    _lock = threading.Lock()
    _told.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
