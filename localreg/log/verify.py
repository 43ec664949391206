"""Check a namespace against its log: every digest, every number, every file that the log names.

`verify` reads everything and stops at nothing: each damage is a `Problem` that names its file. What it cannot see is
told in the threat model of `localreg/ARCHITECTURE.md`: whoever may write the folder can replace the whole log by
another consistent one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from localreg.canonical import parse
from localreg.errors import FormatError, LocalregError, NotFoundError, StorageError
from localreg.log import snapshot
from localreg.log.base import Base
from localreg.log.caches import DamagedLayerError
from localreg.log.entry import Entry, Head, entry_path, read
from localreg.log.folding import Draft
from localreg.log.layer import layer_commit
from localreg.log.log import Log
from localreg.log.loss import refuse_rolled_back
from localreg.log.parquet import decode
from localreg.log.redaction import REDACT, declared
from localreg.log.state import State
from localreg.log.strays import told_stray
from localreg.records.files import FilePointer

__all__ = ["Problem", "Redaction", "VerifyReport", "verify"]

CHUNK_BYTES = 1 << 20

NUMBER_DIGITS = 20
"""Of an entry's name."""

MISSING_TOLD = 100
"""Missing entries in a row that are told one by one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One damage.

    Attributes:
        path: the file, relative to the namespace's folder.
        code: a stable word, such as `entry_altered` or `file_missing`.
        message: what is wrong, and what to do.
    """

    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was taken out of the log on purpose, and who answers for it."""

    commit: int
    """The commit that declares it."""

    time: str
    """When, by that writer's clock: ISO 8601, UTC."""

    actor: str
    """By whom."""

    kind: str
    """Of the record whose events were emptied."""

    name: str
    """Of that record, at that time."""

    reason: str
    """Why; empty if nothing was said."""

    events: tuple[tuple[int, int], ...]
    """The emptied events, as (commit, event)."""

    def __str__(self) -> str:
        places = ", ".join(f"{commit}.{event}" for commit, event in self.events)
        why = f": {self.reason}" if self.reason else ""
        what = f"{self.kind.replace('_', ' ')} {self.name!r} (events {places})"
        return f"{self.actor} redacted what was said of {what} in commit {self.commit}, {self.time}{why}"


@dataclass(slots=True)
class VerifyReport:
    """What `verify` looked at, and what it found.

    Attributes:
        namespace: which one.
        commits: entries that were found whole and in their place.
        events: audit events in them.
        files: bulk files whose digests were compared.
        digest: of the last event: note it elsewhere, and a log replaced as a whole can be told, too.
        problems: every damage, in the order of the log; empty = all is well.
        redactions: what was taken out on purpose: by whom and why.
    """

    namespace: str
    commits: int = 0
    events: int = 0
    files: int = 0
    digest: str = ""
    problems: list[Problem] = field(default_factory=list)
    redactions: list[Redaction] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found wrong."""
        return not self.problems

    def __str__(self) -> str:
        summary = f"{self.namespace}: {self.commits} commits, {self.events} events, {self.files} files"
        result = "all digests hold" if self.ok else f"{len(self.problems)} problems"
        lines = [*(problem.message for problem in self.problems), *map(str, self.redactions)]
        return "\n".join([f"{summary}: {result}", *(f"  {line}" for line in lines)])


def verify(log: Log, namespace: str) -> VerifyReport:
    """Read the whole log and every file that it names, and report what does not fit."""
    report = VerifyReport(namespace)
    files: dict[str, FilePointer] = {}
    emptied: set[tuple[int, int]] = set()
    sizes: dict[int, int] = {}
    draft: Draft | None = State(log.origin).draft()
    snapshots = _snapshots(log)
    last_snapshot = max(snapshots, default=0)
    for entry in _readable_entries(log, report):
        if draft is not None and draft.head.commit == entry.commit - 1 and entry.commit <= last_snapshot:
            draft.extend(entry)
        else:
            draft = None  # after a gap nothing can be said of the state, and after the last snapshot nobody asks
        for event in entry.events:
            if event.action == "condemn":
                for pointer in event.files:
                    files.pop(pointer.path, None)
            else:
                files.update((pointer.path, pointer) for pointer in event.files)
            if event.redacted:
                emptied.add((event.commit, event.event))
        sizes[entry.commit] = len(entry.events)
        report.redactions += _redactions(entry)
        if draft is not None and entry.commit in snapshots:
            _check_snapshots(log, report, draft)
    _check_end(log, report)
    _check_redactions(report, emptied, sizes)
    _check_history(log, report)
    for pointer in files.values():
        _check_file(log, report, pointer)
    return report


def _readable_entries(log: Log, report: VerifyReport) -> Iterator[Entry]:
    """Each entry that is whole and in its place; the others become problems.

    After a bad one the chain is taken up again from what the next entry says it follows.
    """
    head: Head | None = log.origin
    due = 1
    for number in _numbers(log, report):
        if number > due:
            report.problems += _missing(due, number - 1)
            head = None
        due = number + 1
        path = entry_path(number)
        try:
            data = log.store.get(path, fresh=True)
            if data is None:  # lost since it was listed
                report.problems += _missing(number, number)
                head = None
                continue
            entry = read(data, head or _claimed(data, number, path), name=path)
        except LocalregError as error:
            report.problems.append(Problem(path, error.code, str(error)))
            head = None
            continue
        head = entry.head
        report.commits += 1
        report.events += len(entry.events)
        report.digest = head.digest
        yield entry


def _numbers(log: Log, report: VerifyReport) -> list[int]:
    """The numbers of the entries that are there, in order; other files become problems."""
    numbers = []
    for path in log.store.list("log"):
        stem = path.removeprefix("log/").removesuffix(".parquet")
        if len(stem) == NUMBER_DIGITS and stem.isdecimal() and entry_path(int(stem)) == path and int(stem) > 0:
            numbers.append(int(stem))
        else:
            report.problems.append(Problem(path, "stray_file", told_stray(log.store, path)))
    return sorted(numbers)


def _missing(first: int, last: int) -> Iterator[Problem]:
    """One problem for each missing entry; where a file far away makes them many, one for the rest."""
    for number in range(first, min(last, first + MISSING_TOLD - 1) + 1):
        path = entry_path(number)
        yield Problem(path, "entry_missing", f"{path} is missing; restore it from a copy")
    if last - first >= MISSING_TOLD:
        path = entry_path(first + MISSING_TOLD)
        message = f"{path} and all up to {entry_path(last)} are missing; restore them from a copy"
        yield Problem(path, "entry_missing", message)


def _claimed(data: bytes, number: int, path: str) -> Head:
    rows = decode(data, name=path)
    record = parse(rows[0].record) if rows else None
    previous = record.get("previous") if isinstance(record, dict) else None
    return Head(number - 1, previous if isinstance(previous, str) else "", "")


def _redactions(entry: Entry) -> Iterator[Redaction]:
    for event in entry.events:
        if event.action == REDACT:
            reason = (event.details or {}).get("reason")
            told, places = reason if isinstance(reason, str) else "", tuple(declared(event))
            yield Redaction(event.commit, event.time, event.actor, event.kind, event.name, told, places)


def _check_redactions(report: VerifyReport, emptied: set[tuple[int, int]], sizes: dict[int, int]) -> None:
    """What was emptied must have been declared, and what was declared must have been emptied.

    Args:
        report: with all redactions in it.
        emptied: the (commit, event) of those without payload.
        sizes: how many events each readable entry has.
    """
    wanted = {place for redaction in report.redactions for place in redaction.events}
    for commit, event in sorted(emptied - wanted):
        path = entry_path(commit)
        message = f"{path}: event {event} lost its payload, and no entry redacts it"
        report.problems.append(Problem(path, "payload_missing", message))
    full = {(commit, event) for commit, event in wanted - emptied if 1 <= event <= sizes.get(commit, 0)}
    for commit, event in sorted(full):
        path = entry_path(commit)
        message = (
            f"{path}: event {event} was redacted, and still has its payload: the redaction was interrupted, or the "
            "file restored from an older copy; call registry.redact again, as it was called"
        )
        report.problems.append(Problem(path, "redaction_unfinished", message))


def _check_history(log: Log, report: VerifyReport) -> None:
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


def _snapshots(log: Log) -> set[int]:
    return {commit for path in snapshot.paths(log.store) if (commit := layer_commit(path)) is not None}


def _check_snapshots(log: Log, report: VerifyReport, state: State) -> None:
    for cached in log.snapshots(state.head.commit):  # those that cannot be read are passed over by every reader, too
        if cached.head.digest != state.head.digest:
            _check_standing(log, report, cached)
        elif cached.head != state.head or not _shows(cached.base, state):
            path = cached.base.path
            message = f"{path} does not show what the log says; delete it: it is a cache and will be made again"
            report.problems.append(Problem(path, "snapshot_wrong", message))


def _shows(base: Base, state: State) -> bool:
    """Whether a snapshot has the rows of a state, each once; one after another, since there may be a million."""
    keys = rows = 0
    try:
        for row in base.stream():
            if state.get(row.kind, row.id) != row:
                return False
            rows += 1
            keys += hash((row.kind, row.id))
    except DamagedLayerError:
        return True  # passed over by every reader, too
    except FormatError:
        return False  # whole, as far as its digests tell, and what stands in it is no record
    # A row that stands there twice would hide one that is missing, but for the sum of the hashes.
    for row in state.rows():
        rows -= 1
        keys -= hash((row.kind, row.id))
    return rows == keys == 0


def _check_end(log: Log, report: VerifyReport) -> None:
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


def _check_file(log: Log, report: VerifyReport, pointer: FilePointer) -> None:
    path = pointer.path
    try:
        file = log.store.local_file(path, fresh=True)
        size, digest = _size_and_digest(path, file, pointer.bytes)
    except NotFoundError:
        report.problems.append(Problem(path, "file_missing", f"{path} is missing; restore it from a copy"))
        return
    except LocalregError as error:  # it may well be there, and needs no copy
        report.problems.append(Problem(path, error.code, str(error)))
        return
    report.files += 1
    if digest != pointer.sha256:
        message = f"{path} has been altered: its sha256 is not the one in the log; restore it from a copy"
        report.problems.append(Problem(path, "file_altered", message))
    elif size != pointer.bytes:
        message = (
            f"{path} has {size} bytes, and the log says {pointer.bytes}: its writer was wrong; write the part anew"
        )
        report.problems.append(Problem(path, "file_altered", message))
    elif path.startswith("data/"):
        _check_rows(report, pointer, file)


def _size_and_digest(path: str, file: Path, most: int) -> tuple[int, str]:
    """Of what is read: no more than a little beyond `most`, which is enough to be another file."""
    digest, size = sha256(), 0
    try:
        with file.open("rb") as stream:
            while size <= most and (chunk := stream.read(CHUNK_BYTES)):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} was deleted a moment ago") from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}; check the disk and its permissions",
            code="file_unreadable",
        ) from error
    return size, digest.hexdigest()


def _check_rows(report: VerifyReport, pointer: FilePointer, file: Path) -> None:
    """Compare the number of rows, on which the numbers of all later samples rest, with the part's footer.

    Only of bytes that the log vouches for: pyarrow is not made to survive a footer that somebody has forged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = pointer.path
    try:
        rows = pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        message = f"{path} is the file that was written, and no Parquet file ({str(error)[:200]}); write the part anew"
        report.problems.append(Problem(path, "rows_wrong", message))
        return
    if rows != pointer.rows:
        message = f"{path} has {rows} rows, and the log says {pointer.rows}: its writer was wrong; write the part anew"
        report.problems.append(Problem(path, "rows_wrong", message))
