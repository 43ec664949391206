"""Times as users give them and as the log writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time as clock

from localreg.errors import InvalidInputError
from localreg.names import shown_value

__all__ = ["NOW", "Now", "checked_wallclock", "utc"]


class Now:
    """Stands for a wall clock that was not given, where None means "none"."""

    def __repr__(self) -> str:
        return "NOW"


NOW = Now()

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


def checked_wallclock(wallclock: object, *, what: str = "wallclock") -> int | None:
    """A wall clock in microseconds since 1970, UTC; None = none.

    Raises:
        InvalidInputError: it is no time.
    """
    if wallclock is None:
        return None
    if isinstance(wallclock, Now):
        return round(clock() * 1e6)
    if isinstance(wallclock, datetime | str):
        return round(datetime.fromisoformat(utc(wallclock, what=what)).timestamp() * 1e6)
    try:
        micros = round(float(wallclock) * 1e6)  # type: ignore[arg-type]
        if isinstance(wallclock, bool) or not -(2**63) <= micros < 2**63:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"{what} is {shown_value(wallclock)}; write seconds since 1970, an aware datetime, or None"
        ) from error
    return micros


def _parsed(text: str, what: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{what} is {shown_value(text)}, which is no time; {_TIME_HINT}") from error
