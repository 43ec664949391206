"""Times as users give them and as the log writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from localreg.errors import InvalidInputError
from localreg.names import shown_value

__all__ = ["utc"]

_TIME_HINT = "write an aware datetime, such as datetime.now(UTC), or text such as 2026-03-31T12:00:00Z"


def utc(time: object, *, what: str) -> str:
    """A time as the log writes it: UTC with microseconds and a Z, 27 characters, so that order of text is order."""
    hint = _TIME_HINT
    if isinstance(time, str):
        time, hint = _parsed(time, what), "add Z for UTC, as in 2026-03-31T12:00:00Z"
    if not isinstance(time, datetime):
        raise InvalidInputError(f"{what} is {shown_value(time)}, of type {type(time).__qualname__}; {_TIME_HINT}")
    if time.utcoffset() is None:
        raise InvalidInputError(f"{what} is {time}, which has no time zone; {hint}")
    try:
        text = time.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise InvalidInputError(
            f"{what} is {time}, which in UTC is beyond the years 1 to 9999; {_TIME_HINT}"
        ) from error
    return text.replace("+00:00", "Z")


def _parsed(text: str, what: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{what} is {shown_value(text)}, which is no time; {_TIME_HINT}") from error
