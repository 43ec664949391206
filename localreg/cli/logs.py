"""What the library logs, told on stderr like what it warns of."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["muted", "telling_logs"]


class _Teller(logging.Handler):
    is_muted = False

    def emit(self, record: logging.LogRecord) -> None:
        """A line, with commands as a shell takes them."""
        if not self.is_muted:
            from localreg.cli.wording import for_shell

            message = for_shell(" ".join(record.getMessage().split()))
            print(f"localreg: {record.levelname.lower()}: {message}", file=sys.stderr)


_teller = _Teller(logging.WARNING)


@contextmanager
def telling_logs() -> Iterator[None]:
    """While a command runs."""
    logger = logging.getLogger("localreg")
    logger.addHandler(_teller)
    try:
        yield
    finally:
        logger.removeHandler(_teller)


@contextmanager
def muted() -> Iterator[None]:
    """While an answer is found that says by itself what would be warned of."""
    _teller.is_muted = True
    try:
        yield
    finally:
        _teller.is_muted = False
