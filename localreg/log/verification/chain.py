"""The entries of a log, one after another, whatever is wrong with some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import islice

from localreg.canonical import parse
from localreg.errors import FormatError, LocalregError
from localreg.log.entry import Entry, Head, entry_number, entry_path
from localreg.log.log import Log
from localreg.log.parquet import decode, last_digest
from localreg.log.signing import Signers
from localreg.log.strays import told_stray
from localreg.log.validity import Valid, Void, judge
from localreg.log.verification.report import Problem, VerifyReport
from localreg.threads import in_threads

__all__ = ["last_event", "listed", "readable", "start"]

MISSING_TOLD = 100
"""Missing entries in a row that are told one by one."""

AT_ONCE = 8
"""Requests to a place where each is a round trip."""


def readable(log: Log, report: VerifyReport, numbers: Sequence[int], after: Head, signers: Signers) -> Iterator[Entry]:
    """Each entry that is whole and in its place; void ones are noted, the others become problems.

    After a bad one the chain is taken up again from what the next entry says it follows.

    Args:
        log: whose.
        report: counts entries and events, and gets the problems.
        numbers: of the entries that are there, in order, all beyond `after`.
        after: where the log stood before the first of them.
        signers: who might sign there.
    """
    head: Head | None = after
    due, void = after.commit + 1, set[int]()
    for number, data in _contents(log, numbers):
        found = _judged(log, number, data, head if number == due else None, signers)
        if isinstance(found, Void):  # also far ahead of the log: that something is missing before it, nobody vouches
            report.void.append(found)
            void.add(number)
            due += number == due
            continue
        report.problems += _missing(due, number - 1, void)
        due = number + 1
        if isinstance(found, Problem):
            report.problems.append(found)
            head = None
            continue
        entry, signers = found
        head = entry.head
        report.commits += 1
        report.events += len(entry.events)
        report.digest = head.digest
        yield entry


def _judged(
    log: Log, number: int, data: bytes | LocalregError | None, head: Head | None, signers: Signers
) -> Valid | Void | Problem:
    """What there is at a number.

    Args:
        log: whose.
        number: of the entry.
        data: as `_contents` gives it.
        head: where the log stood before; None = what it says itself, after a gap.
        signers: who might sign there.
    """
    path = entry_path(number)
    if data is None:  # lost since it was listed
        return _gone(path)
    try:
        if isinstance(data, LocalregError):
            raise data
        before = head or _claimed(data, number, path)
        return judge(data, before, number, signers, origin=log.origin.digest, name=path)
    except LocalregError as error:
        return Problem(path, error.code, str(error))


def _contents(log: Log, numbers: Sequence[int]) -> Iterator[tuple[int, bytes | LocalregError | None]]:
    """The bytes of each entry, or why they cannot be read; far away several are asked for at once."""

    def content(number: int) -> tuple[int, bytes | LocalregError | None]:
        try:
            return number, log.store.get(entry_path(number), fresh=True)
        except LocalregError as error:
            return number, error

    return in_threads(content, numbers, workers=AT_ONCE) if log.store.remote else map(content, numbers)


def listed(log: Log, report: VerifyReport) -> list[int]:
    """The numbers of the entries that are there, in order; other files become problems."""
    numbers = []
    for path in log.store.list("log"):
        number = entry_number(path)
        if number:
            numbers.append(number)
        else:
            report.problems.append(Problem(path, "stray_file", told_stray(log.store, path)))
    return list(_all_there(log, sorted(numbers)))


def _all_there(log: Log, listed: Sequence[int]) -> Iterator[int]:
    """The same numbers, and those between and after them that are there all the same: listings of shares may be old."""
    due = 1
    for number in listed:
        yield from filter(log.is_there, range(due, min(number, due + MISSING_TOLD)))
        yield number
        due = number + 1
    while log.is_there(due):
        yield due
        due += 1


def start(log: Log, report: VerifyReport, commit: int, numbers: Sequence[int]) -> Head:
    """Where the log stood after a commit, by what its entry says of itself; if that one is missing, a problem."""
    if commit == 0:
        return log.origin
    path, last = entry_path(commit), max(numbers, default=0)
    try:
        data = log.store.get(path, fresh=True)
    except LocalregError as error:
        report.problems.append(Problem(path, error.code, str(error)))
        return Head(commit, "", "")
    digest = None if data is None else last_digest(data)
    if data is None:
        step = "restore it from a copy"
        if commit > last:
            step = f"the log ends at commit {last}: look from an earlier one or, if that commit was made, {step}"
        report.problems.append(Problem(path, "entry_missing", f"{path} is missing; {step}"))
    elif digest is None:
        message = f"{path} is damaged: its digest cannot be read; restore it from a copy"
        report.problems.append(Problem(path, "entry_torn", message))
    return Head(commit, digest or "", "")


def _missing(first: int, last: int, void: Set[int]) -> Iterator[Problem]:
    """One problem for each missing entry; where a file far away makes them many, one for the rest."""
    numbers = (number for number in range(first, last + 1) if number not in void)
    yield from (_gone(entry_path(number)) for number in islice(numbers, MISSING_TOLD))
    rest = next(numbers, None)
    if rest is not None:
        path = entry_path(rest)
        message = f"{path} and all up to {entry_path(last)} are missing; restore them from a copy"
        yield Problem(path, "entry_missing", message)


def _gone(path: str) -> Problem:
    return Problem(path, "entry_missing", f"{path} is missing; restore it from a copy")


def _claimed(data: bytes, number: int, path: str) -> Head:
    try:
        rows = decode(data, name=path)
        record = parse(rows[0].record) if rows else None
    except FormatError:
        record = None  # what is wrong is told by who reads it
    previous = record.get("previous") if isinstance(record, dict) else None
    return Head(number - 1, previous if isinstance(previous, str) else "", "")


def last_event(log: Log, commit: int) -> int:
    """How many events an entry says it has; 0 if it cannot be read."""
    path = entry_path(commit)
    try:
        return len(decode(log.store.get(path) or b"", name=path))
    except LocalregError:
        return 0
