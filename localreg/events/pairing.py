"""Durations: an event that ends something, with the one that began it.

As parentheses pair: an end closes the last start of its source that is still open. That is right for what lies within
another, and for a program that was killed and began again: its first start stays open, where "first in, first out"
would give it the end of the second, and make a short thing long. Sums over pairs are the same in either way, as long as
each start has its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import InvalidInputError
from localreg.events.reading import Wanted, as_json, events_at
from localreg.handles.handle import Handle
from localreg.names import check_flag, check_name, check_text

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.query import Result

__all__ = ["durations_of", "pairs"]


def durations_of(owner: Handle[Any], *, start: str, end: str, source: str | None, by: str | None, live: bool) -> Result:
    """See `HasEvents.durations`."""
    from localreg.query import Result

    begin, finish = check_name(start, what="start"), check_name(end, what="end")
    if begin == finish:
        raise InvalidInputError(f"start and end are both {begin!r}; name two events, one that begins and one that ends")
    wanted = Wanted(names=(begin, finish), source=None if source is None else check_name(source, what="source"))
    key = None if by is None else check_text(by, what="by")
    check_flag(live, what="live")

    def fetch() -> pa.Table:
        return pairs(wanted.of(events_at(owner._session, owner._row(), live=live)), begin, by=key)

    return Result(fetch)


def pairs(events: pa.Table, start: str, *, by: str | None) -> pa.Table:
    """The pairs of events of two names, in order of their beginning; where there is none, of their end.

    Args:
        events: in order, `wallclock` among their columns.
        start: name of those that begin something; all others end it.
        by: a key of the metadata, whose values have to be the same.
    """
    opened: dict[object, list[int]] = {}
    matched: list[tuple[int | None, int | None]] = []
    for place, (name, *keys) in enumerate(_keys(events, by)):
        waiting = opened.setdefault(tuple(keys), [])
        if name == start:
            waiting.append(place)
        else:
            matched.append((waiting.pop() if waiting else None, place))
    matched += [(place, None) for waiting in opened.values() for place in waiting]
    matched.sort(key=_beginning)
    return _table(events, matched)


def _beginning(pair: tuple[int | None, int | None]) -> int:
    begin, end = pair
    return cast(int, end if begin is None else begin)


def _keys(events: pa.Table, by: str | None) -> list[tuple[object, ...]]:
    """The name of each event, and what it must have in common with its other half."""
    columns = [events["name"].to_pylist(), events["source"].to_pylist()]
    if by is not None:
        columns.append([canonical(cast(JsonObject, parse(text)).get(by)) for text in events["metadata"].to_pylist()])
    return list(zip(*columns, strict=True))


def _table(events: pa.Table, matched: list[tuple[int | None, int | None]]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    begins, ends = (pa.array([pair[side] for pair in matched], pa.int64()) for side in (0, 1))
    first, last = events.take(begins), events.take(ends)
    micros = [each["wallclock"].cast(pa.int64()) for each in (first, last)]
    seconds = pc.divide(pc.subtract(micros[1], micros[0]).cast(pa.float64()), 1e6)
    table = pa.table(
        {
            "source": pc.coalesce(first["source"], last["source"]),
            "start": first["wallclock"],
            "end": last["wallclock"],
            "seconds": seconds,
            "start_metadata": first["metadata"],
            "end_metadata": last["metadata"],
        }
    )
    return as_json(table, "start_metadata", "end_metadata")
