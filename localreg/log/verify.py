"""Check a namespace against its log: every digest, every number, every file that the log names.

`verify` reads everything and stops at nothing: each damage is a `Problem` that names its file. What it cannot see is
told in the threat model of `localreg/ARCHITECTURE.md`: whoever may write the folder can replace the whole log by
another consistent one. That shows by a digest that was kept elsewhere (`expect`), and to machines that saw the other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from localreg.errors import LocalregError
from localreg.log.entry import Entry, Event, Head, entry_path
from localreg.log.folding import Draft
from localreg.log.home import tells_of_home
from localreg.log.log import Log
from localreg.log.signing import NO_SIGNERS, Signers
from localreg.log.state import State
from localreg.log.verification import caches, chain
from localreg.log.verification.files import check_files
from localreg.log.verification.redactions import check_redactions, redactions
from localreg.log.verification.report import Problem, Redaction, VerifyReport
from localreg.log.verification.sound import Sound
from localreg.progress import Progress, progress
from localreg.records.files import FilePointer

__all__ = ["Problem", "Redaction", "VerifyReport", "verify"]

MEGABYTE = 1_000_000


def verify(
    log: Log, namespace: str, *, since: int = 0, expect: str | None = None, resume: bool = False
) -> VerifyReport:
    """Read the log and every file that it names, and report what does not fit.

    Args:
        log: whose.
        namespace: its name.
        since: only entries after this commit, and the files that they name; what its own entry says is the start.
        expect: digest that an event of the log must have.
        resume: do not read again the files that a run which was stopped found sound.
    """
    report = VerifyReport(namespace, since=since)
    seen = _read_log(log, report, expect)
    caches.check_end(log, report)
    _check_home(log, report, seen.of_home)
    _check_last_seen(log, report)
    _check_expected(log, report, expect)
    check_redactions(report, seen.emptied, seen.sizes)
    caches.check_history(log, report)
    _check_files(log, report, seen.files, resume=resume)
    return report


@dataclass(slots=True)
class _Seen:
    """What the entries say that the rest is compared with.

    Attributes:
        files: what must be there, by path.
        emptied: (commit, event) of those without payload.
        sizes: how many events each readable entry has.
        of_home: events that tell where the log belongs.
    """

    files: dict[str, FilePointer] = field(default_factory=dict)
    emptied: set[tuple[int, int]] = field(default_factory=set)
    sizes: dict[int, int] = field(default_factory=dict)
    of_home: list[Event] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        for event in entry.events:
            if event.action == "condemn":
                for pointer in event.files:
                    self.files.pop(pointer.path, None)
            else:
                self.files.update((pointer.path, pointer) for pointer in event.files)
            if tells_of_home(event):
                self.of_home.append(event)
            if event.redacted:
                self.emptied.add((event.commit, event.event))
        self.sizes[entry.commit] = len(entry.events)


def _read_log(log: Log, report: VerifyReport, expect: str | None) -> _Seen:
    seen = _Seen()
    draft: Draft | None = None if report.since else State(log.origin).draft()
    snapshots = caches.snapshots_of(log)
    last_snapshot = max(snapshots, default=0)
    void = 0
    for entry in _entries(log, report, expect):
        passed_over, void = len(report.void) - void, len(report.void)
        follows = draft is not None and draft.head.commit == entry.commit - 1 - passed_over
        if draft is not None and follows and entry.commit <= last_snapshot:
            draft.extend(entry)
        else:
            draft = None  # after a gap nothing can be said of the state, and after the last snapshot nobody asks
        seen.add(entry)
        report.redactions += redactions(entry)
        if report.expected is None:
            found = (event for event in entry.events if event.digest == expect)
            report.expected = next(((event.commit, event.event) for event in found), None)
        if draft is not None and entry.commit in snapshots:
            caches.check_snapshots(log, report, draft)
    return seen


def _entries(log: Log, report: VerifyReport, expect: str | None) -> Iterator[Entry]:
    numbers = chain.listed(log, report)
    start: Head = chain.start(log, report, _that_counts(log, report.since), numbers)
    report.digest = start.digest if report.since else ""
    if expect is not None and start.digest == expect and start.commit:
        report.expected = (start.commit, chain.last_event(log, start.commit))
    numbers = [number for number in numbers if number > start.commit]
    with progress(f"log of {report.namespace}", len(numbers)) as shown:
        for entry in chain.readable(log, report, numbers, start, _signers_at(log, report.since)):
            shown.advance(1)
            yield entry


def _that_counts(log: Log, commit: int) -> int:
    """The commit, or the last one before it that is not void."""
    with suppress(LocalregError):  # told by a run that begins before
        void = {each.commit for each in log.void_entries(commit)}
        while commit in void:
            commit -= 1
    return commit


def _signers_at(log: Log, commit: int) -> Signers:
    try:
        return log.signers_at(commit)
    except LocalregError:
        return NO_SIGNERS  # told by a run that begins before


def _check_home(log: Log, report: VerifyReport, events: list[Event]) -> None:
    """A log that was imported says where it belongs: its chain fits also where it began."""
    try:
        log.refuse_strange(events)
    except LocalregError as error:
        report.problems.append(Problem(entry_path(1), error.code, str(error)))


def _check_last_seen(log: Log, report: VerifyReport) -> None:
    """A log that is whole, and is not the one that this machine has seen here."""
    seen = log.last_seen.newest()
    is_void = seen is not None and any(each.commit == seen.commit for each in report.void)
    try:
        lost = log.last_seen.lost(seen, is_void=is_void)
    except LocalregError:
        return  # told by who reads that entry
    path = "" if lost is None else entry_path(lost.seen.commit)
    if lost is not None and not any(path == problem.path for problem in report.problems):  # else it is damage
        report.problems.append(Problem(path, lost.code, lost.message))


def _check_expected(log: Log, report: VerifyReport, expect: str | None) -> None:
    if expect is None or report.expected is not None:
        return
    with suppress(LocalregError):  # what is damaged before is told by a run that begins there
        for entry in log.entries(log.origin, upto=report.since):  # no caches, which can be forged
            for event in entry.events:
                if event.digest == expect:
                    report.expected = (event.commit, event.event)
                    return
    message = (
        f"no event of the log has the digest {expect}: since it was noted, the log was rolled back or written anew; "
        "restore it from a copy in which `localreg verify` finds that digest"
    )
    report.problems.append(Problem("log", "digest_unknown", message))


def _check_files(log: Log, report: VerifyReport, files: dict[str, FilePointer], *, resume: bool) -> None:
    sound = Sound(log.store, log.origin.digest, resume=resume)
    complete = False
    total = sum(pointer.bytes for pointer in files.values()) // MEGABYTE
    try:
        with progress(f"files of {report.namespace}, MB", total) as shown:
            for checked in check_files(log.store, files, sound, advance=_Megabytes(shown).add):
                report.files += checked.there
                report.resumed += checked.resumed
                if checked.problem is not None:
                    report.problems.append(checked.problem)
        complete = True
    finally:
        sound.close(complete=complete)


class _Megabytes:
    """Bytes from several threads, as steps of a progress bar."""

    def __init__(self, shown: Progress) -> None:
        self._lock = threading.Lock()
        self._shown = shown
        self._rest = 0

    def add(self, count: int) -> None:
        with self._lock:
            steps, self._rest = divmod(self._rest + count, MEGABYTE)
            self._shown.advance(steps)
