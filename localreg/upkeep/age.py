"""How much time has passed since something, by clocks that may be years apart and may jump.

Two machines' clocks are never compared. That so much time has passed since a commit is believed when the clock of
*one* machine shows it: between a moment of its own after that commit and a later one. Moments are the commits of the
log, each with its writer's host and time, and the *looks* of garbage collection, which are noted beside it
(`notes.py`). They are taken in the order in which they came, and not by what they say; so a clock that is set back
makes a span shorter, and never longer.

Accepted: a clock that is set forward by years lets them pass, and so do two machines that have one name and clocks
that are years apart. The name `localhost` and its like are no names. A writer notes its time before its entry is
visible: of a commit that took a day the day counts, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import isnan, nan
from typing import NamedTuple

from localreg.log import Entry
from localreg.log.entry import now
from localreg.session.session import host

__all__ = ["Ages", "Look", "look_now", "seconds_of_time"]

NAMELESS = frozenset({"", "unknown", "localhost", "localhost.localdomain", "ip6-localhost"})
"""Names of hosts that many machines have."""


class Look(NamedTuple):
    """A moment at which this machine looked at a namespace.

    Attributes:
        commit: number of the newest commit that it saw.
        time: by its clock: ISO 8601, UTC.
        clock: whose clock that is.
    """

    commit: int
    time: str
    clock: str


def look_now(commit: int) -> Look:
    """This moment, on this machine."""
    return Look(commit, now(), f"{host()} {_machine()}")


class Ages:
    """How long ago commits and looks are, at least.

    Args:
        entries: of the log, in order, from the oldest that is asked for on.
        looks: in the order in which they were noted.
        present: this moment; its commit is the newest.
    """

    def __init__(self, entries: Iterable[Entry], looks: Sequence[Look], present: Look) -> None:
        events = (entry.events[0] for entry in entries)
        self._commits = [
            (each.commit, each.host, seconds_of_time(each.time)) for each in events if each.host not in NAMELESS
        ]
        self._looks = [(each.commit, each.clock, seconds_of_time(each.time)) for each in looks]
        time = seconds_of_time(present.time)
        self._present = [(clock, time) for clock in {host(), present.clock} - NAMELESS]
        self._since: dict[tuple[str, int], float] = {}

    def of_commit(self, number: int) -> float:
        """Seconds that have passed since a commit, at least."""
        return self._kept("commit", number, number, [look for look in self._looks if look[0] >= number])

    def of_look(self, place: int) -> float:
        """Seconds that have passed since the look at a place among those given, at least.

        The commit after the one that it saw may have been put together before the look; those after that were not.
        """
        return self._kept("look", place, self._looks[place][0] + 2, self._looks[place:])

    def _kept(self, what: str, key: int, first: int, looks: Sequence[tuple[int, str, float]]) -> float:
        if (what, key) not in self._since:
            commits = ((clock, time) for commit, clock, time in self._commits if commit >= first)
            noted = ((f"look {clock}", time) for _, clock, time in looks)
            # What stands in the log and what was noted beside it are in no order among each other: apart they are.
            present = ((name, time) for clock, time in self._present for name in (clock, f"look {clock}"))
            self._since[what, key] = _widest([*commits, *noted, *present])
        return self._since[what, key]


def _widest(moments: Iterable[tuple[str, float]]) -> float:
    """The widest span that one clock shows between a moment and a later one."""
    first: dict[str, float] = {}
    widest = 0.0
    for clock, time in moments:
        if not isnan(time):
            least = first[clock] = min(first.get(clock, time), time)
            widest = max(widest, time - least)
    return widest


def seconds_of_time(time: str) -> float:
    """Seconds since 1970; NaN of what is no time, which another writer may have put into the log."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return nan


def _machine() -> str:
    """What tells machines of one name apart, as far as the system says; it may change with a network card."""
    import uuid

    return f"{uuid.getnode():012x}"
