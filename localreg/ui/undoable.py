"""Whether a page offers to take an event back; what then happens is `Registry.undo`'s to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["can_undo", "is_for_good"]

FOR_GOOD = ("redact", "condemn")
"""Actions that nothing takes back."""


def is_for_good(event: Mapping[str, Any]) -> bool:
    """Whether an event stands, and with it the commit that it is of.

    Args:
        event: a row of `audit_events`.
    """
    return event["action"] in FOR_GOOD or bool(event["redacted"])


def can_undo(event: Mapping[str, Any]) -> bool:
    """Whether an event changed a record, and can be taken back."""
    return not is_for_good(event) and (event["before"] is not None or event["after"] is not None)
