"""Starting the page: a free port of this machine, one line with the address, and the browser."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError, StorageError

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["FACETS", "serve"]

LOCAL = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost", "[::1]")
EVERYWHERE = ("0.0.0.0", "::")  # compared with, not bound to
USUAL_PORT = 8642
FACETS = ("tags", "owner", "workflow", "metadata.framework")
"""Of the table of models, where the address names none."""
WAITING = 2048
"""Connections that may wait."""


def serve(
    registry: Registry,
    *,
    host: str = LOCAL,
    port: int | None = None,
    token: str | None = None,
    files: Sequence[str | Path] = (),
    opened: Callable[[str], object] = print,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        registry: what is shown, and whose actor edits.
        host: address to listen at; any but this machine's own makes a token, unless one is given.
        port: of the machine; None = 8642, or any free one if that is taken; 0 = any.
        token: whoever comes must bring it once; None = nobody need, on this machine.
        files: folders whose pictures may be shown, beside the working directory and the registry's own.
        opened: called with the address once it answers.

    Raises:
        InvalidInputError: the host or the port cannot be had, or the token is no word of 8 letters and more.
    """
    # DuckDB works in threads of its own, while Python imports what serves.
    Thread(target=_ready, args=(registry,)).start()  # no daemon: DuckDB does not bear an interpreter that ends
    import uvicorn

    from localreg.ui.app import make_app
    from localreg.ui.safety import Keys

    if token is not None and re.fullmatch(r"[\w.~-]{8,200}", token, re.ASCII) is None:
        raise InvalidInputError("the token is no word of 8 to 200 letters, digits and -_.~; write one, or leave it out")
    if host not in (LOCAL, "localhost", "::1"):
        token = token or token_urlsafe(24)
    with _listening(host, port) as listening:
        at = listening.getsockname()[1]
        names = {*NAMES, _bracketed(host)}
        hosts = None if host in EVERYWHERE else {f"{name}:{at}" for name in names} | (names if at == 80 else set())
        keys = Keys(token)
        application = make_app(registry, keys=keys, hosts=hosts, files=files)
        named = LOCAL if host in EVERYWHERE else _bracketed(host)
        address = f"http://{named}:{at}/" + (f"?token={token}" if token else "")
        config = uvicorn.Config(
            application, log_config=None, access_log=False, lifespan="off", server_header=False, ws="none"
        )
        opened(address)  # it answers: what connects waits in the socket's queue
        with suppress(KeyboardInterrupt):  # which uvicorn raises again when it has ended
            uvicorn.Server(config).run(sockets=[listening])


def _ready(registry: Registry) -> None:
    """Ask what the first page asks, so that it need not wait for it; what is wrong, that page will tell."""
    with suppress(Exception):
        registry.page("models", archived=False, facets=FACETS)


def _listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens."""
    wanted = [USUAL_PORT, 0] if port is None else [port]
    for number, each in enumerate(wanted):
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, each))
            listening.listen(WAITING)
        except (OSError, OverflowError) as error:
            listening.close()
            if number == len(wanted) - 1:
                raise InvalidInputError(
                    f"cannot listen at {host}:{each}: {error}; try another --port, or leave it out"
                ) from error
        else:
            return listening
    raise StorageError(f"cannot listen at {host}")  # pragma: no cover - the loop returns or raises


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
