"""What the library logs and warns of, told on stderr."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["muted", "on_one_line", "tell", "telling_logs"]


def on_one_line(message: object) -> str:
    """A message as a shell takes it."""
    from localreg.cli.wording import for_shell

    return for_shell(" ".join(str(message).split()))


def tell(level: str, message: object) -> None:
    """A line about what is no answer."""
    print(f"localreg: {level}: {on_one_line(message)}", file=sys.stderr)


class _Teller(logging.Handler):
    is_muted = False

    def emit(self, record: logging.LogRecord) -> None:
        """A line."""
        if not self.is_muted:
            tell(record.levelname.lower(), record.getMessage())


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
