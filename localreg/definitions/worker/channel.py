"""Messages between a process and the one that runs its model: over a socket that only these two hold.

A message is a tag, a length, and so many bytes. The child waits where it reads and writes (`Channel`). The parent never
does (`Duplex`): it sends what the child takes and receives what the child says in one loop, so that two long messages
cannot block each other, and a child that stands still is noticed wherever it does.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

__all__ = ["Channel", "Duplex", "Message", "Offer", "connected"]

HEAD = struct.Struct("!QQ")
READ = 1 << 20
INHERITS = os.name == "posix"
"""Whether a child can be given a socket; elsewhere it connects to one, and proves who it is."""
CONNECTED_S = 30

_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Message(NamedTuple):
    """What one side tells the other.

    Attributes:
        tag: a number of the sender's.
        data: bytes.
    """

    tag: int
    data: bytes | bytearray


class Channel:
    """The child's end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.setblocking(True)

    def send(self, tag: int, data: bytes = b"") -> None:
        """Send a message.

        Raises:
            OSError: nobody is there any more.
        """
        if len(data) < READ:
            self._end.sendall(HEAD.pack(tag, len(data)) + data)
        else:
            self._end.sendall(HEAD.pack(tag, len(data)))
            self._end.sendall(data)

    def receive(self) -> Message | None:
        """The next message; None if there will be none."""
        head = self._read(HEAD.size)
        if head is None:
            return None
        tag, length = HEAD.unpack(head)
        data = self._read(length)
        return None if data is None else Message(tag, data)

    def _read(self, length: int) -> bytearray | None:
        data = bytearray(length)
        view, got = memoryview(data), 0
        while got < length:
            try:
                count = self._end.recv_into(view[got:])
            except ConnectionError:
                return None
            if not count:
                return None
            got += count
        return data


class Duplex:
    """The parent's end.

    Attributes:
        received: messages that came and were not taken yet.
        is_open: whether there may be more.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.setblocking(False)
        self._unsent: deque[memoryview] = deque()
        self._head, self._body, self._got = bytearray(HEAD.size), bytearray(), 0
        self._tag: int | None = None
        self.received: deque[Message] = deque()
        self.is_open = True

    def put(self, tag: int, data: bytes) -> None:
        """Send a message, as far as that goes at once; `pump` sends the rest."""
        head = HEAD.pack(tag, len(data))
        parts = [head + data] if len(data) < READ else [head, data]  # what is long is not copied once more
        self._unsent += map(memoryview, parts)
        self._send()

    def pump(self, wait_s: float) -> None:
        """Send and receive what can be, once something can; or return when the time is over, or all is."""
        if not self.is_open:
            return
        with _Selector() as selector:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
            selector.register(self._end, events)
            ready = selector.select(wait_s)
        if any(events & selectors.EVENT_WRITE for _, events in ready):
            self._send()
        if any(events & selectors.EVENT_READ for _, events in ready):
            self._receive()

    def close(self) -> None:
        """End it, for the other side, too."""
        self.is_open = False
        self._end.close()

    def _send(self) -> None:
        try:
            while self._unsent:
                first = self._unsent[0]
                count = self._end.send(first)
                if count < len(first):
                    self._unsent[0] = first[count:]
                else:
                    self._unsent.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:  # what the child said last may still be there to read
            self._unsent.clear()

    def _receive(self) -> None:
        try:
            while self._fill():
                pass
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.is_open = False

    def _fill(self) -> bool:
        """Receive a piece of a head or of a body; whether there may be more at once."""
        target = self._head if self._tag is None else self._body
        if self._got < len(target):
            count = self._end.recv_into(memoryview(target)[self._got :])
            if not count:
                self.is_open = False
                return False
            self._got += count
        if self._got == len(target):
            self._got = 0
            if self._tag is None:
                self._tag, length = HEAD.unpack(self._head)
                self._body = bytearray(length)
                return True
            self.received.append(Message(self._tag, self._body))
            self._tag, self._body = None, bytearray()
        return True


class Offer:
    """What a parent holds ready for one child.

    Attributes:
        inherited: file descriptors that the child is to be given.
        told: what the child needs to know to be `connected`.
    """

    def __init__(self) -> None:
        self._token = b"" if INHERITS else os.urandom(32)
        if INHERITS:
            self._ours, self._theirs = socket.socketpair()
            self.inherited: tuple[int, ...] = (self._theirs.fileno(),)
            self.told: dict[str, object] = {"descriptor": self._theirs.fileno()}
        else:
            self._ours = self._theirs = socket.create_server(("127.0.0.1", 0))
            self.inherited = ()
            self.told = {"port": self._ours.getsockname()[1], "token": self._token}

    def taken(self) -> Duplex:
        """Our end, once the child was started.

        Raises:
            OSError: nobody came.
        """
        if self.inherited:
            self._theirs.close()
            return Duplex(self._ours)
        from hmac import compare_digest  # not needed elsewhere

        with self._ours:
            self._ours.settimeout(CONNECTED_S)
            while True:
                end, _ = self._ours.accept()
                with suppress(OSError):
                    end.settimeout(CONNECTED_S)
                    if compare_digest(bytes(Channel(end)._read(len(self._token)) or b""), self._token):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        return Duplex(end)
                end.close()

    def close(self) -> None:
        """Of a child that was not started."""
        self._ours.close()
        self._theirs.close()


def connected(told: Mapping[str, object]) -> Channel:
    """The child's end, of what an `Offer` told."""
    if "descriptor" in told:
        end = socket.socket(fileno=told["descriptor"])  # type: ignore[arg-type]
        end.set_inheritable(False)
        return Channel(end)
    end = socket.create_connection(("127.0.0.1", told["port"]))  # type: ignore[arg-type]
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end.sendall(told["token"])  # type: ignore[arg-type]
    return Channel(end)
