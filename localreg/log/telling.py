"""What is worth a warning, and worth it once: whoever reads on meets the same again with each look."""

from __future__ import annotations

import logging

__all__ = ["warn_once"]

_told: set[str] = set()


def warn_once(message: str, level: int = logging.WARNING, *, about: str | None = None) -> None:
    """Say it in the log of the program, once for each process.

    Args:
        message: what.
        level: of `logging`.
        about: what is to be warned of once, in whatever words; None = just this message.
    """
    key = message if about is None else about
    if key not in _told:
        _told.add(key)
        logging.getLogger("localreg").log(level, "%s", message)
