"""What the doctor says of a registry on a network share: which one, what that means, and what its clock shows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from localreg.errors import LocalregError
from localreg.names import new_id
from localreg.session import Session
from localreg.storage import LocalStore
from localreg.storage.mounts import mount_of
from localreg.upkeep.report import Finding, shown_path

__all__ = ["check_share"]

WHAT: Final = "network share"

COARSEST_S: Final = 2.0
"""What some file systems round times to; a smaller difference is none."""

_LATE: Final = (
    (("nfs",), "the commits of others may show here late, by a minute at most unless it is mounted with actimeo"),
    (("cifs", "smb"), "the commits of others may show here late, by a second or what it was mounted with as actimeo"),
    (("",), "the commits of others show here as late as its client asks the server anew"),
)
"""By the beginning of the kind. Source: nfs(5), mount.cifs(8)."""


def check_share(session: Session) -> Iterator[Finding]:
    """That the folder lies on a network share, if it does; nothing else is told."""
    root = session.root
    mount = mount_of(root.uri) if isinstance(root, LocalStore) else None
    if mount is None or not mount.is_network:
        return
    late = next(told for kinds, told in _LATE if mount.kind.startswith(kinds))
    yield Finding(
        "note",
        WHAT,
        f"{mount.kind}, {shown_path(mount.source)} at {shown_path(mount.point)}: {late}; no commit is lost by that, as "
        "long as the commit mode holds",
    )
    ahead_s = None if session.read_only else _clock_ahead_s(session)
    if ahead_s is not None:
        yield Finding("note" if ahead_s else "ok", f"{WHAT}: clock", _told(ahead_s))


def _told(ahead_s: float) -> str:
    if not ahead_s:
        return "that of the server goes with that of this machine"
    way = "ahead of" if ahead_s > 0 else "behind"
    return (
        f"that of the server is {_readable_s(abs(ahead_s))} {way} that of this machine; the order of commits does not "
        "hang on clocks, only the times that are shown do: set the one that is wrong"
    )


def _readable_s(seconds: float) -> str:
    for name, length_s in (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:,.0f} {name}"
    return f"{seconds:.0f} seconds"


def _clock_ahead_s(session: Session) -> float | None:
    """By how much the server's clock is ahead of ours, by the time of a new file; 0 if no more than it rounds.

    None = it cannot be told.
    """
    store = session.root if session.root.writable() else session.store
    name = f".localreg-clock.{new_id()}"
    try:
        before = time.time()
        store.put_if_absent(name, b"what time is it?")
        stamped = os.stat(os.path.join(store.uri, name)).st_mtime
        after = time.time()
    except (LocalregError, OSError):
        return None
    finally:
        with suppress(LocalregError):
            store.delete(name)
    if stamped < before - COARSEST_S:
        return stamped - before
    return stamped - after if stamped > after + COARSEST_S else 0.0
