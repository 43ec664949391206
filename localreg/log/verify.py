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
from typing import cast

from localreg.canonical import parse
from localreg.errors import LocalregError
from localreg.log import snapshot
from localreg.log.entry import Entry, Head, entry_path, read
from localreg.log.log import Log
from localreg.log.parquet import decode
from localreg.log.state import State, fold
from localreg.records.files import FilePointer

__all__ = ["Problem", "VerifyReport", "verify"]

CHUNK_BYTES = 1 << 20


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
    """

    namespace: str
    commits: int = 0
    events: int = 0
    files: int = 0
    digest: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found wrong."""
        return not self.problems

    def __str__(self) -> str:
        summary = f"{self.namespace}: {self.commits} commits, {self.events} events, {self.files} files"
        if self.ok:
            return f"{summary}: all digests hold"
        lines = [f"  {problem.message}" for problem in self.problems]
        return "\n".join([f"{summary}: {len(self.problems)} problems", *lines])


def verify(log: Log, namespace: str) -> VerifyReport:
    """Read the whole log and every file that it names, and report what does not fit."""
    report = VerifyReport(namespace)
    files: dict[str, FilePointer] = {}
    emptied: dict[tuple[int, int], str] = {}
    redacted: set[tuple[int, int]] = set()
    state: State | None = State(log.origin)
    snapshots = _snapshots(log)
    for entry in _readable_entries(log, report):
        state = fold(state, [entry]) if state is not None and state.head.commit == entry.commit - 1 else None
        for event in entry.events:
            if event.action == "condemn":
                for pointer in event.files:
                    files.pop(pointer.path, None)
            else:
                files.update((pointer.path, pointer) for pointer in event.files)
            if event.redacted:
                emptied[event.commit, event.event] = entry_path(event.commit)
            if event.action == "redact":
                redacted.update(_redacted_places(event.details))
        if state is not None and entry.commit in snapshots:
            _check_snapshot(log, report, state)
    _check_end(log, report)
    for place, path in emptied.items():
        if place not in redacted:
            report.problems.append(
                Problem(path, "payload_missing", f"{path}: event {place[1]} lost its payload, and no entry redacts it")
            )
    for pointer in files.values():
        _check_file(log, report, pointer)
    return report


def _readable_entries(log: Log, report: VerifyReport) -> Iterator[Entry]:
    """Each entry that is whole and in its place; the others become problems.

    After a bad one the chain is taken up again from what the next entry says it follows.
    """
    last = _last_number(log, report)
    head: Head | None = log.origin
    for number in range(1, last + 1):
        path = entry_path(number)
        try:
            data = log.store.get(path, fresh=True)
            if data is None:
                report.problems.append(Problem(path, "entry_missing", f"{path} is missing; restore it from a copy"))
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


def _last_number(log: Log, report: VerifyReport) -> int:
    last = 0
    for path in log.store.list("log"):
        stem = path.removeprefix("log/").removesuffix(".parquet")
        if stem.isdecimal() and entry_path(int(stem)) == path and int(stem) > 0:
            last = max(last, int(stem))
        else:
            message = f"{path} is no entry of this log; a sync program may have left it: move it out of the folder"
            report.problems.append(Problem(path, "stray_file", message))
    return last


def _claimed(data: bytes, number: int, path: str) -> Head:
    rows = decode(data, name=path)
    record = parse(rows[0].record) if rows else None
    previous = record.get("previous") if isinstance(record, dict) else None
    return Head(number - 1, previous if isinstance(previous, str) else "", "")


def _redacted_places(details: object) -> Iterator[tuple[int, int]]:
    events = details.get("events", []) if isinstance(details, dict) else []
    return ((commit, event) for commit, event in cast("list[list[int]]", events))


def _snapshots(log: Log) -> set[int]:
    names = (path.removeprefix("snapshots/").removesuffix(".parquet") for path in log.store.list("snapshots"))
    return {int(name) for name in names if name.isdecimal()}


def _check_snapshot(log: Log, report: VerifyReport, state: State) -> None:
    cached = snapshot.load(log.store, log.origin.digest, at_most=state.head.commit)
    if cached is None or cached.head.commit != state.head.commit:
        return  # unreadable: passed over by every reader, too
    if cached.head.digest != state.head.digest:
        _check_standing(log, report, cached)
    elif cached.head != state.head or _as_set(cached) != _as_set(state):
        path = cached.base.file or "snapshots"
        message = f"{path} does not show what the log says; delete it: it is a cache and will be made again"
        report.problems.append(Problem(path, "snapshot_wrong", message))


def _as_set(state: State) -> dict[tuple[str, str], object]:
    return {(row.kind, row.id): row for row in state.rows()}


def _check_end(log: Log, report: VerifyReport) -> None:
    """Entries lost from the end leave a log that is whole; a snapshot of a later commit tells."""
    newest = snapshot.load(log.store, log.origin.digest)
    if newest is not None:
        _check_standing(log, report, newest)


def _check_standing(log: Log, report: VerifyReport, shown: State) -> None:
    path = entry_path(shown.head.commit)
    if any(problem.path == path for problem in report.problems):
        return
    try:
        log.refuse_rolled_back(shown)
    except LocalregError as error:
        report.problems.append(Problem(path, error.code, str(error)))


def _check_file(log: Log, report: VerifyReport, pointer: FilePointer) -> None:
    path = pointer.path
    try:
        file = log.store.local_file(path, fresh=True)
        size, digest = _size_and_digest(file)
    except (LocalregError, OSError):
        report.problems.append(Problem(path, "file_missing", f"{path} is missing; restore it from a copy"))
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


def _size_and_digest(file: Path) -> tuple[int, str]:
    digest, size = sha256(), 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
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
