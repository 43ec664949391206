"""Snapshots and history segments: what may be deleted, and must not say anything else than the log."""

from __future__ import annotations

from localreg.errors import FormatError, LocalregError
from localreg.log import snapshot
from localreg.log.base import Base
from localreg.log.caches import DamagedLayerError
from localreg.log.entry import entry_path
from localreg.log.layer import layer_commit
from localreg.log.log import Log
from localreg.log.loss import refuse_rolled_back
from localreg.log.state import State
from localreg.log.verification.report import Problem, VerifyReport

__all__ = ["check_end", "check_history", "check_snapshots", "shows", "snapshots_of"]


def check_history(log: Log, report: VerifyReport) -> None:
    """A segment that was made before a redaction, and written after it, still shows what was redacted."""
    wanted = {place for redaction in report.redactions for place in redaction.events}
    for segment in log.history.listed() if wanted else ():
        try:
            events = [event for entry in log.history.entries(segment) for event in entry.events]
        except LocalregError:
            continue  # unreadable: passed over by every reader, too
        if any((event.commit, event.event) in wanted and not event.redacted for event in events):
            message = f"{segment.path} shows what was redacted; delete it: it is a cache and will be made again"
            report.problems.append(Problem(segment.path, "history_wrong", message))


def snapshots_of(log: Log) -> set[int]:
    """The commits of which there are snapshots."""
    return {commit for path in snapshot.paths(log.store) if (commit := layer_commit(path)) is not None}


def check_snapshots(log: Log, report: VerifyReport, state: State) -> None:
    """Compare the snapshots of a commit with the state that the entries lead to."""
    for cached in log.snapshots(state.head.commit):  # those that cannot be read are passed over by every reader, too
        if cached.head.digest != state.head.digest:
            _check_standing(log, report, cached)
        elif cached.head != state.head or not _shows_or_is_damaged(cached.base, state):
            path = cached.base.path
            message = f"{path} does not show what the log says; delete it: it is a cache and will be made again"
            report.problems.append(Problem(path, "snapshot_wrong", message))


def _shows_or_is_damaged(base: Base, state: State) -> bool:
    try:
        return shows(base, state)
    except DamagedLayerError:
        return True  # passed over by every reader, too
    except FormatError:
        return False  # whole, as far as its digests tell, and what stands in it is no record


def shows(base: Base, state: State) -> bool:
    """Whether a snapshot has the rows of a state, each once; one after another, since there may be a million.

    Raises:
        DamagedLayerError: it cannot be read.
    """
    keys = rows = 0
    for row in base.stream():
        if state.get(row.kind, row.id) != row:
            return False
        rows += 1
        keys += hash((row.kind, row.id))
    # A row that stands there twice would hide one that is missing, but for the sum of the hashes.
    for row in state.rows():
        rows -= 1
        keys -= hash((row.kind, row.id))
    return rows == keys == 0


def check_end(log: Log, report: VerifyReport) -> None:
    """Entries lost from the end leave a log that is whole; a snapshot of a later commit tells."""
    newest = log.snapshot()
    if newest is not None:
        _check_standing(log, report, newest)


def _check_standing(log: Log, report: VerifyReport, shown: State) -> None:
    path = entry_path(shown.head.commit)
    if any(problem.path == path for problem in report.problems):
        return
    try:
        refuse_rolled_back(log, shown)
    except LocalregError as error:
        report.problems.append(Problem(path, error.code, str(error)))
