"""What the programs that tests start, and kill, say."""

from __future__ import annotations

import select
from typing import IO

__all__ = ["PATIENCE_S", "read_line"]

PATIENCE_S = 60


def read_line(stream: IO[bytes] | None) -> str:
    """The next line of an unbuffered pipe; fails rather than waits for ever."""
    assert stream is not None
    line = bytearray()
    while not line.endswith(b"\n"):
        assert select.select([stream], [], [], PATIENCE_S)[0], f"nothing came for {PATIENCE_S} s after {bytes(line)!r}"
        byte = stream.read(1)
        if not byte:
            break
        line += byte
    return line.decode()
