"""`doctor(repair=True)`: what is derived from the log is made anew where it is not what the log says, and nothing else.

The whole log is read, and no cache believed. Where entries are lost or damaged nothing is touched: a snapshot may be
the last trace of commits that were acknowledged, and to make a new one would be to forget them.
"""

from __future__ import annotations

from collections.abc import Iterator

from localreg.errors import LocalregError
from localreg.log import Entry, Log, State, snapshot
from localreg.log.caches import DamagedLayerError
from localreg.log.entry import entry_number
from localreg.log.layer import layer_commit
from localreg.log.log import SNAPSHOT_EVERY, SNAPSHOT_OVERDUE
from localreg.log.loss import refuse_rolled_back
from localreg.log.redaction import delete_caches
from localreg.log.verification.caches import shows
from localreg.upkeep.namespace import Namespace
from localreg.upkeep.report import Finding

__all__ = ["repaired"]


def repaired(namespace: Namespace) -> Iterator[Finding]:
    """Make snapshots, hint and history of a namespace anew if they are not what the log says; what was done.

    Raises:
        LocalregError: the log is damaged, or nothing may be written; what was not said to be made anew is as it was.
    """
    log = namespace.log
    log.load()  # where it began, and who signs, is asked for by what follows
    fault, state = _checked(log)
    if fault:
        log.key_for_caches(state)  # who may not make them anew leaves them as they are
        delete_caches(log.store)
        log.write_snapshot(state)
        told = (
            f"{fault}: snapshots and history were deleted, and made anew from the log, up to commit {state.head.commit}"
        )
        yield namespace.finding("note", "repaired", told)


def _checked(log: Log) -> tuple[str, State]:
    """What is wrong with the caches ("" = nothing), and the newest state, by the log alone.

    Raises:
        LocalregError: the log is not whole.
    """
    ends = [*map(entry_number, log.store.list("log")), *(segment.last for segment in log.history.listed())]
    listed = max(ends, default=0)
    wanted = {commit for path in snapshot.paths(log.store) if (commit := layer_commit(path)) is not None}
    past = _history(log, listed)
    draft, fault = State(log.origin).draft(), ""
    for entry in log.entries(log.origin):
        draft.extend(entry)
        if entry.commit in wanted:
            fault = fault or _fault_of_snapshots(log, draft)
        known = next(past, None)
        if known is not None and (known.events, known.head) != (entry.events, entry.head):  # they keep no signatures
            fault = fault or "history/ does not show what the log says"
    state = draft.frozen(draft.head)
    after = log.next_number(state.head)
    if listed >= after:
        raise log.missing(after)
    for shown in (each for commit in sorted(wanted) for each in log.snapshots(commit)):
        refuse_rolled_back(log, shown)
    return fault or _fault_of_ends(log, state.head.commit), state


def _fault_of_snapshots(log: Log, state: State) -> str:
    """Whether a snapshot of this commit shows other records than the log."""
    for cached in log.snapshots(state.head.commit):
        try:
            sound = cached.head != state.head or shows(cached.base, state)
        except DamagedLayerError:
            sound = False
        if not sound:
            return f"{cached.base.path} does not show what the log says"
    return ""


def _fault_of_ends(log: Log, last: int) -> str:
    """Whether snapshots, hint and history are there, can be read, and reach far enough."""
    there = snapshot.paths(log.store)
    if not there:
        return "there is no snapshot" if last >= SNAPSHOT_EVERY else ""
    newest = log.snapshot()
    if newest is None or newest.base.path != there[-1]:
        return f"{there[-1]}, or a layer under it, cannot be read, or the hint does not lead to it"
    if snapshot.hinted(log.store) != there[-1]:
        return f"{snapshot.HINT} does not lead to {there[-1]}"
    if last - newest.head.commit >= SNAPSHOT_OVERDUE:
        return f"{there[-1]} is {last - newest.head.commit:,} commits old"
    reached = [segment.last for segment in log.history.sound(last, lambda _: True)]
    return "" if max(reached, default=0) >= newest.head.commit else "history/ is damaged, or ends too early"


def _history(log: Log, last: int) -> Iterator[Entry]:
    """What the segments show, as far as they can be read."""
    try:
        for segment in log.history.cover(last):
            yield from log.history.entries(segment)
    except LocalregError:
        return
