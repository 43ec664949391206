"""What a model's process writes to its output, taken to the log line by line."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque

from localreg.definitions.worker.secrets import Secrets

__all__ = ["OutputLog"]

LOGGER = logging.getLogger("localreg.model")
KEPT = 20
LONGEST = 1 << 16


class OutputLog(threading.Thread):
    """Reads a pipe until its end, and closes it.

    Args:
        descriptor: of the pipe; is this thread's from now on.
        model: what the lines begin with in the log.
        secrets: no line shows them.
    """

    def __init__(self, descriptor: int, model: str, secrets: Secrets) -> None:
        super().__init__(name="localreg-model-output", daemon=True)
        self._descriptor, self._model, self._secrets = descriptor, model, secrets
        self._last: deque[str] = deque(maxlen=KEPT)

    def last(self) -> list[str]:
        """The last lines."""
        return list(self._last)

    def forget(self) -> None:
        """Close the pipe: it ended, or this is a fork, where the thread does not run."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def run(self) -> None:
        """Read."""
        rest = b""
        try:
            while data := os.read(self._descriptor, LONGEST):
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > LONGEST:  # as of a bar that never ends its line
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._take(line)
        except OSError:
            pass
        finally:
            self.forget()
            self._take(rest)

    def _take(self, line: bytes) -> None:
        # Of a line that was written over, as bars of progress are, what a terminal would show in the end.
        text = self._secrets.hidden(line.decode(errors="replace").rstrip().rpartition("\r")[2])
        if text:
            self._last.append(text)
            LOGGER.info("%s: %s", self._model, text)
