"""Other users, for what permissions bind: root is bound by none."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own lie in one that is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def without_privileges(act: Callable[[], None]) -> None:
    """Run `act` as one whom permission bits bind: as root, in a forked child that has become nobody."""
    if os.geteuid() != 0:
        act()
        return
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def as_user(uid: int, groups: list[int], act: Callable[[], None], *, umask: int = 0o077) -> None:
    """Run `act` in a forked child that has become a user; only as root. What it imports must be loaded already.

    Args:
        uid: of the user, who needs no entry in any list of users; the primary group has the same number.
        groups: the others that the user is a member of.
        act: raises if something is not as it should be.
        umask: for the files that it makes.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
            os.umask(umask)
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
