"""A proxy between a client and an HTTP server that counts requests, and spoils one of them.

It understands just enough of HTTP to know where a request ends. The server behind sees each request on a connection
of its own, so that a cut one is cut for it, too.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from enum import Enum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Fault", "Request", "Wire"]

DELAY_S = 0.05


class Fault(Enum):
    """What happens to the chosen request."""

    CUT_BEFORE = "the connection is cut before the server hears of it"
    CUT_DURING = "half of it reaches the server"
    CUT_AFTER = "the server acts, and the connection is cut before it answers"
    CUT_ANSWER = "the server acts, and half of its answer arrives"
    SWALLOW = "the server acts, and no answer comes, nor an end of the connection"
    DOUBLE = "it reaches the server twice, and the second answer arrives"
    DELAY = "it is late"
    BUSY = "the server says that it is busy, and does nothing"
    BUSY_AFTER = "something between says that the server is busy, when it has acted"
    FORBIDDEN = "the server refuses"


class Request(NamedTuple):
    """One request that arrived."""

    verb: str
    """Such as `PUT`."""
    path: str
    """With the query."""


_REFUSALS = {
    Fault.BUSY: (503, "SlowDown"),
    Fault.BUSY_AFTER: (503, "SlowDown"),
    Fault.FORBIDDEN: (403, "AccessDenied"),
}


class Wire:
    """The proxy. A context manager; while it is open, `endpoint` takes the place of the server's."""

    def __init__(self, upstream: str, *, dropped_header: str = "") -> None:
        """Stand before a server.

        Args:
            upstream: its URL.
            dropped_header: one that the server is not to see: without `if-none-match`, it ignores conditions.
        """
        self.dropped_header = dropped_header.lower()
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._fault: Fault | None = None
        self._haunted: Callable[[], Fault | None] | None = None
        self._first = self._last = 0
        wire = self

        class Handler(_Handler):
            def setup(self) -> None:
                self.wire = wire
                super().setup()

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def spoil(self, fault: Fault | None, *, at: int, times: int = 1) -> None:
        """Plan a fault for the `at`-th request from now, and the `times` - 1 after it; forget those seen so far."""
        with self._lock:
            self.requests.clear()
            self._fault, self._first, self._last = fault, at, at + times - 1

    def haunt(self, choose: Callable[[], Fault | None]) -> None:
        """From now on, let someone choose for each request what happens to it; one request at a time asks."""
        with self._lock:
            self._haunted = choose

    def arrived(self, request: Request) -> Fault | None:
        """Count a request; what is to happen to it."""
        with self._lock:
            self.requests.append(request)
            if self._haunted is not None:
                return self._haunted()
            return self._fault if self._first <= len(self.requests) <= self._last else None

    def wait_for_end(self, seconds: float | None = None) -> None:
        """Wait until the proxy is closed, or so long."""
        self._closed.wait(seconds)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections are cut here all the time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wire: Wire

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged."""

    def _handle(self) -> None:
        body = self._body()
        fault = self.wire.arrived(Request(self.command, self.path))
        if fault is Fault.CUT_BEFORE:
            return self._cut()
        if fault is Fault.CUT_DURING:
            self._send_half(body)
            return self._cut()
        if fault in (Fault.BUSY, Fault.FORBIDDEN):
            return self._refuse(*_REFUSALS[fault])
        if fault is Fault.DELAY:
            self.wire.wait_for_end(DELAY_S)
        answer = self._forward(body)
        if fault is Fault.DOUBLE:
            answer = self._forward(body)
        if fault is Fault.BUSY_AFTER:
            return self._refuse(*_REFUSALS[fault])
        if fault is Fault.CUT_AFTER:
            return self._cut()
        if fault is Fault.SWALLOW:
            self._wait_for_client()
            return self._cut()
        if fault is Fault.CUT_ANSWER:
            self.wfile.write(answer[: len(answer) // 2])
            return self._cut()
        self.wfile.write(answer)
        return None

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _forward(self, body: bytes) -> bytes:
        """The server's whole answer, laid out anew: with a length, and the connection kept."""
        connection = HTTPConnection(self.wire.upstream, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self._kept_headers():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read()
            dropped = ("content-length", "transfer-encoding", "connection")
            length = response.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            lines = [f"HTTP/1.1 {response.status} {response.reason}", f"Content-Length: {length or 0}"]
            lines += [f"{name}: {value}" for name, value in response.getheaders() if name.lower() not in dropped]
            return "\r\n".join([*lines, "", ""]).encode("latin-1") + content
        finally:
            connection.close()

    def _send_half(self, body: bytes) -> None:
        head = [f"{self.command} {self.path} HTTP/1.1", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in self._kept_headers()]
        whole = "\r\n".join([*head, "", ""]).encode("latin-1") + body
        host, port = self.wire.upstream.split(":")
        with socket.create_connection((host, int(port))) as upstream:
            upstream.sendall(whole[: len(whole) - max(1, len(body) // 2 or len(whole) // 2)])

    def _kept_headers(self) -> list[tuple[str, str]]:
        dropped = ("content-length", "transfer-encoding", "expect", "connection", self.wire.dropped_header)
        return [(name, value) for name, value in self.headers.items() if name.lower() not in dropped]

    def _refuse(self, status: int, code: str) -> None:
        text = "" if self.command == "HEAD" else f"<Error><Code>{code}</Code><Message>planned</Message></Error>"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        self.wfile.write(body)

    def _wait_for_client(self) -> None:
        """Until it gives up: it closes the connection, or sends nothing and the proxy ends."""
        self.connection.settimeout(10)
        try:
            self.connection.recv(1)
        except OSError:
            return

    def _cut(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
