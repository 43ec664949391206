"""Numbers as callers pass them."""

from __future__ import annotations

from typing import SupportsFloat

__all__ = ["number_of"]


def number_of(value: object) -> float | None:
    """A number of any kind as a float, NaN and infinity, too; None if it is none.

    Text is none, though `float` would parse it. Python's floats do not overflow where numpy's small integers do.
    """
    if not isinstance(value, SupportsFloat):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):  # an array; a signalling NaN; a number of 400 digits
        return None
