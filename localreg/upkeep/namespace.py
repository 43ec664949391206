"""What the doctor looks at in each namespace: the log, the caches of it, and what lies about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from localreg.errors import LocalregError
from localreg.experiments.closing import alive
from localreg.experiments.recorder import STREAMED
from localreg.log import Log, State, snapshot
from localreg.log.entry import entry_number, entry_path
from localreg.log.layer import layer_commit
from localreg.log.log import SNAPSHOT_OVERDUE
from localreg.log.signing import NO_SIGNERS, Signers
from localreg.log.state import CONDEMNED
from localreg.names import amount
from localreg.session import Session
from localreg.storage import LocalStore, Store
from localreg.storage.lease import describe
from localreg.storage.lengths import lengths
from localreg.storage.protection import deviations, protection_of
from localreg.upkeep.notes import NOTES
from localreg.upkeep.report import Finding, readable_bytes, shown_path
from localreg.upkeep.usage import kind_of

__all__ = ["NAMESPACE_CHECKS", "Namespace"]

QUEUE_LOCK = "tmp/queue.lock"


@dataclass(frozen=True)
class Namespace:
    """One namespace to look at.

    Attributes:
        name: its name.
        store: its part of the registry.
        log: read anew, whatever a session has kept.
    """

    name: str
    store: Store
    log: Log

    @classmethod
    def of(cls, session: Session, folder: str) -> Namespace:
        """The one in a folder of `namespaces`, which need not hold anything."""
        name = folder.replace(".", "/")
        store = session.root.scope(f"namespaces/{folder}")
        return cls(name, store, Log(store, session.file.registry, name, key=session.key.if_usable))

    @cached_property
    def files(self) -> dict[str, int]:
        """Each file with its length, listed once.

        The first check asks for it, so that it is older than `state`: no part of a commit in between is an orphan.
        """
        return lengths(self.store)

    @cached_property
    def state(self) -> State:
        """The newest state."""
        return self.log.load()

    @property
    def signers(self) -> Signers:
        """Who may sign; none is known of a log that cannot be read."""
        with suppress(LocalregError):
            return self.state.signers
        return NO_SIGNERS

    def finding(self, level: str, what: str, message: str) -> Finding:
        """A finding of this namespace."""
        return Finding(level, f"{self.name}: {what}", message)  # type: ignore[arg-type]


def check_log(namespace: Namespace) -> Iterator[Finding]:
    """Whether the state can be read, and how much of it without a snapshot."""
    state = namespace.state
    commits, tail = state.head.commit, state.head.commit - state.base.commit
    if not commits:
        message = "no commit yet: the first one may be under way, or its writer died before it; nothing is lost"
        yield namespace.finding("note", "log", message)
        return
    told = f"{commits:,} commits, {tail:,} of them since the last snapshot"
    if tail >= SNAPSHOT_OVERDUE:
        message = f"{told}: each opening reads them all; call registry.snapshot()"
        yield namespace.finding("note", "log", message)
    else:
        yield namespace.finding("ok", "log", f"{told}; `localreg verify` compares what they hold with the digests")


def check_entries(namespace: Namespace) -> Iterator[Finding]:
    """Whether the folder of the log has every number, and nothing else: no entry is read, as `verify` does."""
    names = [path for path in namespace.files if kind_of(path) == "log"]
    numbers = {number for number in map(entry_number, names) if number}
    strays = [path for path in names if not entry_number(path)]
    missing = max(numbers, default=0) - len(numbers)
    first = next(number for number in count(1) if number not in numbers)
    signers = namespace.signers if missing else NO_SIGNERS
    beyond = (number for number in numbers if number > first)
    if missing and (not signers or any(namespace.log.tells_of_gap(number, signers) for number in beyond)):
        are = f"and {missing - 1:,} more entries are" if missing > 1 else "is"
        message = f"{entry_path(first)} {are} missing; restore from a copy, then run `localreg verify`"
        yield namespace.finding("problem", "log", message)
    if strays:
        message = f"{_some(strays)} in log/ and no entries; `localreg verify` tells what they are"
        yield namespace.finding("note", "log", message)


def check_last_seen(namespace: Namespace) -> Iterator[Finding]:
    """Whether the log still leads to what this machine saw here last."""
    last_seen = namespace.log.last_seen
    lost = last_seen.lost(last_seen.newest())
    if lost is not None:
        yield namespace.finding("problem", "last seen", lost.message)
    another = last_seen.another_registry()
    if another is not None:
        message = f"this machine saw {another} here before this one; nothing is wrong if the folder was made anew"
        yield namespace.finding("note", "last seen", message)


def check_torn(namespace: Namespace) -> Iterator[Finding]:
    """Whether it is a copy that was made while others wrote."""
    torn = namespace.log.torn if namespace.state.head.commit else None
    if torn is not None:
        yield namespace.finding("problem", "copy", torn.message)


def check_void(namespace: Namespace) -> Iterator[Finding]:
    """Whether the entries that were read to see the state count: others are left in the log by who may not sign."""
    namespace.state  # noqa: B018 - reads them
    for void in namespace.log.void_seen:
        yield namespace.finding("note", "void", f"{void}; `localreg signers void` lists all of them")


def check_hint(namespace: Namespace) -> Iterator[Finding]:
    """Whether the hint leads to a snapshot that is there."""
    if snapshot.HINT not in namespace.files:
        if snapshot.paths(namespace.store):
            message = f"{snapshot.HINT} is not there, so that openings list the folder; the next snapshot writes it"
            yield namespace.finding("note", "snapshots", message)
        return
    hinted = snapshot.hinted(namespace.store)
    if hinted is None or namespace.store.size(hinted) is None:
        fault = "cannot be read" if hinted is None else f"names {hinted}, which is not there"
        message = f"{snapshot.HINT} {fault}; it is passed over, and the next snapshot writes it anew"
        yield namespace.finding("note", "snapshots", message)


def check_snapshots(namespace: Namespace) -> Iterator[Finding]:
    """Whether the newest set of layers can be read, down to its rows."""
    there = snapshot.paths(namespace.store)
    if not there:
        return
    shown = namespace.log.snapshot()
    newest = layer_commit(there[-1])
    if shown is None or shown.head.commit < (newest or 0):
        message = f"{there[-1]}, or a layer under it, is missing or damaged; {_REMADE}"
        yield namespace.finding("note", "snapshots", message)
    fault = "" if shown is None else _fault_of_rows(shown)
    if fault:
        yield namespace.finding("note", "snapshots", f"{fault}; {_REMADE}")
    elif shown is not None:
        yield namespace.finding(
            "ok", "snapshots", f"{len(there)} files, the newest set shows commit {shown.head.commit}"
        )


_REMADE = "it is a cache, passed over for the log, which takes longer: delete it, and call registry.snapshot()"


def _fault_of_rows(shown: State) -> str:
    base = shown.base
    try:
        for layer in base.layers if isinstance(base, snapshot.LayeredBase) else ():
            layer.check_file()
    except LocalregError as error:
        return error.message
    return ""


def check_history(namespace: Namespace) -> Iterator[Finding]:
    """Whether each history segment that a reader would take can be read, and how far they lead."""
    log, last = namespace.log, namespace.state.head.commit
    segments = log.history.cover(last)
    damaged = 0
    for segment in segments:
        try:
            log.history.opened(segment)
        except LocalregError as error:
            damaged += 1
            message = f"{error.message}, by the next snapshot; until then looks into the past take longer"
            yield namespace.finding("note", "history", message)
    if segments and not damaged:
        past = log.past_events(last)
        if past.files:
            told = f"{len(past.files)} segments, up to commit {last - len(past.tail)}"
            yield namespace.finding("ok", "history", told)
        else:
            message = "the segments are not of this log as it is; they are passed over: delete the files in history/"
            yield namespace.finding("note", "history", message)


def check_lease(namespace: Namespace) -> Iterator[Finding]:
    """Whether somebody holds the lease of a single writer."""
    holder = describe(namespace.store)
    if holder is not None:
        message = (
            f"held by {holder}; if that process has ended without closing the registry, the next writer waits "
            f"{holder.seconds:g} seconds for it, and goes on"
        )
        yield namespace.finding("note", "lease", message)


def check_leftovers(namespace: Namespace) -> Iterator[Finding]:
    """What a killed process may have left on its way."""
    others = (QUEUE_LOCK, NOTES, "tmp/spool/", "tmp/experiments/")  # see `check_experiments`
    left = [path for path in namespace.files if kind_of(path) == "tmp" and not path.startswith(others)]
    if left:
        size = readable_bytes(sum(namespace.files[path] for path in left))
        message = (
            f"{_some(left)} on the way ({size}): of a commit or an upload under way, or left by one that was killed; "
            "no reader looks at them: `localreg gc` takes what nobody is at any more"
        )
        yield namespace.finding("note", "leftovers", message)


def check_experiments(namespace: Namespace) -> Iterator[Finding]:
    """Whether those that should be running are."""
    rows = [row for row in namespace.state.rows("experiment") if row.fields.get("status") == "running"]
    killed = [row.name for row in rows if not alive(namespace.store, row.id)]
    if len(rows) > len(killed):
        yield namespace.finding("ok", "experiments", f"{amount(len(rows) - len(killed), 'experiment')} running")
    for name in killed:
        message = (
            f"{name!r} was killed; what it logged is kept: `localreg experiments recover` closes it with all of it"
        )
        yield namespace.finding("note", "experiments", message)


def check_bulk_files(namespace: Namespace) -> Iterator[Finding]:
    """Bulk files that the log does not name, and files that it names and that are not there, or not as long."""
    there = {path for path in namespace.files if kind_of(path).startswith("data/") or kind_of(path) == "artifacts"}
    named = {row.name: row.fields["bytes"] for row in namespace.state.rows("file")}
    running = {row.id for row in namespace.state.rows("experiment") if row.fields.get("status") == "running"}
    coming = tuple(f"data/{each.name}/{id}/open-" for each in STREAMED for id in running)  # named at their end
    condemned = there & {row.id for row in namespace.state.rows(CONDEMNED)}
    orphans = sorted(path for path in there - named.keys() - condemned if not path.startswith(coming))
    if orphans:
        size = readable_bytes(sum(namespace.files[path] for path in orphans))
        message = (
            f"{_some(orphans)} named by no commit ({size}): of an upload under way, or of one that was killed; "
            "`localreg gc` takes what nobody is at any more"
        )
        yield namespace.finding("note", "orphans", message)
    if condemned:
        size = readable_bytes(sum(namespace.files[path] for path in condemned))
        message = f"{_some(sorted(condemned))} condemned ({size}); `localreg gc --apply` deletes what is due"
        yield namespace.finding("ok", "garbage", message)
    # Asked for one by one: what was committed since the listing has come since, too.
    lost = sorted(path for path in named.keys() - there if namespace.store.size(path) is None)
    altered = sorted(path for path in there & named.keys() if namespace.files[path] != named[path])
    for paths, fault in ((lost, "named by the log, and not there"), (altered, "not as long as the log says")):
        if paths:
            message = f"{_some(paths)} {fault}; restore from a copy, then run `localreg verify`"
            yield namespace.finding("problem", "data", message)


def check_protection(namespace: Namespace) -> Iterator[Finding]:
    """Whether a protected namespace has the permissions that it is said to have."""
    root = namespace.store.uri
    protection = protection_of(root) if isinstance(namespace.store, LocalStore) else None
    if protection is None:
        return
    found = list(deviations(root, protection, mend=False))
    if found:
        more = f", and {len(found) - 1:,} more deviate" if len(found) > 1 else ""
        message = (
            f"{shown_path(found[0].path)} {found[0].fault}{more}; "
            f"`localreg namespaces protect {namespace.name}` sets what it can, and names the rest"
        )
        yield namespace.finding("problem", "protection", message)
    else:
        told = f"members of {protection.group!r} may {protection.members}, others {protection.others}: all files are so"
        yield namespace.finding("ok", "protection", told)


def check_use(namespace: Namespace) -> Iterator[Finding]:
    """What it all takes."""
    files = namespace.files
    told = f"{len(files):,} files, {readable_bytes(sum(files.values()))}; `localreg du` tells them apart"
    yield namespace.finding("ok", "disk use", told)


NAMESPACE_CHECKS = (
    check_entries,
    check_log,
    check_last_seen,
    check_torn,
    check_void,
    check_hint,
    check_snapshots,
    check_history,
    check_lease,
    check_leftovers,
    check_experiments,
    check_bulk_files,
    check_protection,
    check_use,
)


def _some(paths: list[str]) -> str:
    """Files as the subject of a sentence: the first one's name, and how many more."""
    first = shown_path(paths[0])
    return f"{first} is" if len(paths) == 1 else f"{first} and {len(paths) - 1:,} more are"
