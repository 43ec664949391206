"""Mounted shares that lie: folders behind a file system of our own, with faults that tests switch on and off.

Each mount is one client with a view of its own. No kernel that tests run on has the client of NFS or CIFS; so their
faults are made here, one by one, by the answers that they give. Nothing hangs on time: what is stale is so for the
next n looks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast

import pytest

__all__ = ["Share", "mounted_share"]

PROJECT = Path(__file__).parents[1]
PATIENCE_S = 60

Mode = Literal["before", "after", "last", "skip", "short", "hang"]


class Share:
    """One client's mount of a folder.

    Attributes:
        path: where it is mounted.
        behind: the folder itself, as the server sees it.
    """

    def __init__(self, path: Path, behind: Path, **told: object) -> None:
        self.path = path
        self.behind = behind
        self._told = {
            "case_insensitive": False,
            "names": r"[\s\S]*",
            "clock_s": 0,
            "silly_rename": False,
            "kept_s": 0,
            "subtype": "sshfs",
            "use_ino": True,
            **told,
        }
        self._server: subprocess.Popen[str] | None = None

    def mount(self) -> None:
        """Start the server; skip the test where there is none."""
        self.path.mkdir(exist_ok=True, parents=True)
        command = [sys.executable, "-m", "tests.fuse_server", str(self.behind), str(self.path), json.dumps(self._told)]
        environment = {**os.environ, "FUSE_LIBRARY_NAME": "fuse3"}
        environment.pop("LD_PRELOAD", None)
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env=environment,
        )
        assert self._server.stdout is not None
        if self._server.stdout.readline() != '"mounted"\n':
            assert self._server.stderr is not None
            self._server.kill()
            pytest.skip(f"nothing can be mounted here: {self._server.stderr.read().strip()[-200:]}")

    def vanish(self) -> None:
        """Lose the server: whatever is asked then is answered with ENOTCONN."""
        assert self._server is not None
        self._server.kill()
        self._wait()

    def unmount(self) -> None:
        """Take the mount away, whether the server lives or not."""
        subprocess.run(["umount", "-l", str(self.path)], check=False, capture_output=True, timeout=PATIENCE_S)
        if self._server is not None:
            self._server.kill()
            self._wait()

    def _wait(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        server.wait(PATIENCE_S)
        for pipe in (server.stdin, server.stdout, server.stderr):
            assert pipe is not None
            pipe.close()

    def _tell(self, **command: object) -> object:
        assert self._server is not None
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(command) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def fault(
        self,
        ops: str,
        error: str = "",
        *,
        path: str = "*",
        times: int | None = None,
        skip: int = 0,
        mode: Mode = "before",
    ) -> None:
        """Have calls fail.

        Args:
            ops: which, with blanks between: `getattr access readdir listed mkdir rmdir unlink rename rename_noreplace
                link chmod create open read write close close_read fsync fsyncdir flock`, or `*`. `close` is of what
                was written; `listed` is a name in a listing.
            error: the errno's name. The kernel asks no more for what once failed with `ENOSYS`.
            path: of which files, as a pattern over the whole path, `/` before it.
            times: how often; None = until `clear`.
            skip: how many of them go well before.
            mode: fail instead of the act, or after it; `last`: after it, as does all that follows; `skip`: say that
                it was done, and do nothing; `short`: write half, or tell half a size; `hang`: until `clear`.
        """
        rule = {"ops": ops.split(), "error": error, "path": path, "times": times, "skip": skip, "mode": mode}
        self._tell(do="fault", rule=rule)

    def hide(self, path: str, *, looks: int | None = None, listings: int | None = None) -> None:
        """Have a client not see files that are there: for the next so many looks by name, and so many listings."""
        if looks != 0:
            self.fault("getattr", "ENOENT", path=path, times=looks)
        if listings != 0:
            self.fault("listed", path=path, times=listings)

    def ghost(self, path: str) -> None:
        """Go on to list a file that is deleted."""
        self._tell(do="ghost", path=path)

    def clear(self) -> None:
        """End all faults."""
        self._tell(do="clear")

    def hits(self) -> list[int]:
        """How often each fault was met."""
        return cast(list[int], self._tell(do="hits"))

    def names(self) -> list[str]:
        """Every path that was ever made on it."""
        return cast(list[str], self._tell(do="seen"))


@contextmanager
def mounted_share(folder: Path, *, clients: int = 1, **told: object) -> Iterator[list[Share]]:
    """Mounts of one folder, one for each client; skips the test, with its reason, where there can be none."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no /dev/fuse that may be used")
    if find_library("fuse3") is None or find_spec("mfusepy") is None:
        pytest.skip("libfuse3 or mfusepy is not installed")
    behind = folder / "behind"
    behind.mkdir()
    shares = [Share(folder / f"client{number}", behind, **told) for number in range(1, clients + 1)]
    mounted = []
    try:
        for share in shares:
            mounted.append(share)
            share.mount()
        yield shares
    finally:
        for share in mounted:
            share.unmount()
