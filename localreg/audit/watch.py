"""Watching the log grow: every event once, in order, however often the watcher starts anew.

The log itself is the queue: a watcher that keeps the position of the last event it has dealt with misses nothing and
sees nothing twice, whichever process goes on from there. Between commits the tail is probed, at intervals that grow
while nothing happens, and vary, so that many watchers of one share do not probe in step.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from localreg.audit.event import AuditEvent, Position
from localreg.errors import InvalidInputError
from localreg.handles.words import Look, Named, check_kind
from localreg.log import Entry, Event, Head, State
from localreg.names import check_text, check_whole, shown_value
from localreg.session import Session

__all__ = ["LOCAL", "REMOTE", "Pace", "watch"]


class Pace(NamedTuple):
    """Seconds between two probes of the tail: the first after an event, and what it grows to."""

    shortest: float
    longest: float


LOCAL = Pace(0.02, 0.5)
REMOTE = Pace(0.5, 10)
"""Each probe is a request, which may cost money."""

LONGEST_TIMEOUT = 1e9
"""Seconds: thirty years, and a number that every clock can add."""

GROWTH = 1.5
JITTER = 0.5
"""Least part of an interval that is waited."""


class _Beginning(NamedTuple):
    """Where to begin: behind the first `passed` events of the entry `commit`, which follows `head`."""

    head: Head
    passed: int
    commit: int = 0


def watch(
    session: Session,
    *,
    since: int | tuple[int, int] | None,
    kinds: str | Iterable[str] | None,
    timeout: float | None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[AuditEvent, None, None]:
    """The events after `since`, as they come; see `Registry.watch`.

    Args:
        session: the namespace.
        since: where to begin.
        kinds: which to give.
        timeout: seconds.
        sleep: how to wait.
        clock: seconds that never run backwards.
    """
    if session.is_pinned:
        raise InvalidInputError(
            f"nothing happens any more where {session.read_only}; watch the registry itself", code="pinned"
        )
    pace = REMOTE if session.store.remote else LOCAL
    newest = session.committed().head
    beginning = _begin_at(session, since, newest)
    entries = partial(session.log.onward, known=newest.commit)
    return _follow(session, entries, beginning, _checked_kinds(session, kinds), _Quiet(pace, timeout, sleep, clock))


class _Quiet:
    """The waiting between two looks at the tail, and its end."""

    def __init__(
        self, pace: Pace, timeout: float | None, sleep: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self._pace = pace
        self._timeout = _checked_timeout(timeout)
        self._sleep = sleep
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """An event was given out, and the caller wants the next."""
        self._began = self._clock()
        self._interval = self._pace.shortest

    @property
    def is_over(self) -> bool:
        """Whether the time was over while events were passed over; no time at all is for those that are there."""
        return self._timeout is not None and 0 < self._timeout <= self._clock() - self._began

    def wait(self) -> bool:
        """Wait for one interval, the rest of the time at most; False if the time was over."""
        left = None if self._timeout is None else self._began + self._timeout - self._clock()
        if left is not None and left <= 0:
            return False
        nap = self._interval * random.uniform(JITTER, 1)
        self._sleep(nap if left is None else min(nap, left))
        self._interval = min(self._interval * GROWTH, self._pace.longest)
        return True


class _Names:
    """What the records are called that events are told with: by now, or when they went with the same commit.

    The newest state is asked for at most once a commit, and only for an event that needs another record's name.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state: State | None = None

    def at(self, entry: Entry) -> Look:
        """The look for the events of an entry."""
        gone: dict[tuple[str, str], Event] = {}

        def look(kind: str, id: str) -> Named | None:
            if self._state is None or self._state.head.commit < entry.commit:
                self._state = self._session.committed()
            row = self._state.outline(kind, id)
            if row is None and not gone:
                gone.update({(event.kind, event.id): event for event in entry.events})
            return row or gone.get((kind, id))

        return look


def _follow(
    session: Session,
    entries_after: Callable[[Head], Iterator[Entry]],
    beginning: _Beginning,
    kinds: frozenset[str] | None,
    quiet: _Quiet,
) -> Generator[AuditEvent, None, None]:
    head, passed, first = beginning
    names = _Names(session)
    quiet.begin()
    while True:
        for entry in entries_after(head):
            look = names.at(entry)
            passed = passed if entry.commit == first else 0  # of a void entry nothing was seen
            if passed > len(entry.events):
                raise InvalidInputError(
                    f"since is event {passed} of commit {entry.commit}, which has {len(entry.events)}",
                    code="no_such_event",
                )
            for event in entry.events[passed:]:
                if kinds is None or event.kind in kinds:
                    yield AuditEvent.of(event, look)
                    quiet.begin()
            head, passed = entry.head, 0
            if quiet.is_over:
                return
        if not quiet.wait():
            return


def _begin_at(session: Session, since: int | tuple[int, int] | None, newest: Head) -> _Beginning:
    if since is None:
        return _Beginning(newest, 0)
    commit, event = _checked_since(since)
    if commit > newest.commit:
        # To wait for that number would be to pass over all that take the numbers before it.
        raise InvalidInputError(
            f"since is commit {commit}, and the newest of {session.namespace!r} is {newest.commit}: this is another "
            "registry, or an older copy of it",
            code="no_such_commit",
        )
    if event is None:
        return _Beginning(session.log.head_at(commit), 0)
    return _Beginning(session.log.head_at(commit - 1), event, commit)


def _checked_since(since: object) -> tuple[int, int | None]:
    """A commit, whole; or a commit and how many of its events were seen."""
    if not isinstance(since, tuple | list):
        return check_whole(since, what="since", hint=_SINCE_HINT), None
    if len(since) != 2:
        raise InvalidInputError(f"since is {shown_value(since)}; {_SINCE_HINT}")
    position = Position(*(check_whole(number, what="since", hint=_SINCE_HINT) for number in since))
    # (0, 0) is a position before the first event, as 0 is.
    return (position.commit, position.event) if position.commit else (0, None)


_SINCE_HINT = "write a commit's number, or an event's position, such as event.position or (12, 3)"


def _checked_kinds(session: Session, kinds: str | Iterable[str] | None) -> frozenset[str] | None:
    if kinds is None:
        return None
    named = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(named, Iterable):
        raise InvalidInputError(f"kinds is {shown_value(kinds)}; write a kind of record, or a list of them")
    return frozenset(check_kind(check_text(kind, what="kinds"), lambda: [session.committed()]) for kind in named)


def _checked_timeout(timeout: object) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= LONGEST_TIMEOUT:
        raise InvalidInputError(f"timeout is {shown_value(timeout)}; write seconds, 0 or more, or None for no end")
    return float(timeout)
