"""An SFTP server for tests: OpenSSH's own, on loopback, with keys made up for the run."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SSHD = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
PRIVILEGE_SEPARATION = Path("/run/sshd")
"""A folder that sshd asks for when root starts it; packages leave it to the service, which does not run here."""


class SftpServer:
    """OpenSSH, one process for each connection, each on a socket that is ours: so it can be cut.

    Attributes:
        options: storage options by which it lets us in.
    """

    def __init__(self, keys: Path) -> None:
        self._config = _configured(keys)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.options: dict[str, Any] = {
            "username": getpass.getuser(),
            "key_filename": str(keys / "user"),
            "look_for_keys": False,
            "allow_agent": False,
        }

    def uri(self, folder: Path) -> str:
        """The address of a folder of this machine."""
        return f"sftp://127.0.0.1:{self._listener.getsockname()[1]}{folder}"

    def cut(self) -> None:
        """End all connections, without a word."""
        for connection in self._connections:
            _cut(connection)

    def stop(self) -> None:
        """End all connections, and take no more."""
        _cut(self._listener)
        self._listener.close()
        self._thread.join()
        self.cut()
        for connection, process in zip(self._connections, self._processes, strict=True):
            process.wait()
            connection.close()

    def _serve(self) -> None:
        command = [str(SSHD), "-i", "-e", "-f", str(self._config)]
        with suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self._listener.accept()
                ends = {"stdin": connection, "stdout": connection, "stderr": subprocess.DEVNULL}
                self._connections.append(connection)
                self._processes.append(subprocess.Popen(command, **ends))  # type: ignore[call-overload]


def _cut(end: socket.socket) -> None:
    with suppress(OSError):  # the other side may have been first
        end.shutdown(socket.SHUT_RDWR)


def _configured(keys: Path) -> Path:
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    config = keys / "config"
    config.write_text(
        f"HostKey {keys / 'host'}\nAuthorizedKeysFile {keys / 'user.pub'}\nPidFile none\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    )
    return config


def why_not() -> str:
    """Why there can be no such server here; "" if there can."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        return "no sshd here (Debian: openssh-server)"
    if find_spec("paramiko") is None:
        return "no paramiko here: pip install 'localreg-registry[sftp]'"
    return ""


@contextmanager
def sftp_served(keys: Path) -> Iterator[SftpServer]:
    """A server for a block; `keys` is an empty folder for its keys."""
    made = os.geteuid() == 0 and not PRIVILEGE_SEPARATION.exists()
    if made:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    server = SftpServer(keys)
    try:
        yield server
    finally:
        server.stop()
        if made:
            with suppress(OSError):
                PRIVILEGE_SEPARATION.rmdir()
