"""A namespace, copied as a whole: into a mirror of its registry, or into another registry or name as an import.

First the files that the log names at one commit, then the entries up to it, in order, void ones as they are; then, if
the copy lies elsewhere, the two commits that say so (`localreg.copies.adopting`); last a snapshot. What was redacted
since the last copy is emptied in the copy, too, before the entries that say so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localreg.copies.adopting import ImportReport, adopt
from localreg.copies.moving import copy_file, has_file, lacking, put_entry
from localreg.copies.report import CopyReport
from localreg.copies.standing import Standing, standing
from localreg.copies.target import elsewhere, open_folder
from localreg.errors import ConflictError, IntegrityError, InvalidInputError, LocalregError, NotFoundError
from localreg.log.entry import Entry, Place, entry_path
from localreg.log.home import Home, belongs_to
from localreg.log.redaction import declared, delete_caches
from localreg.log.validity import Valid, Void
from localreg.names import new_id
from localreg.progress import Progress, progress
from localreg.records.files import FilePointer
from localreg.session.signing_key import NO_KEY, needed_key
from localreg.threads import in_threads

if TYPE_CHECKING:
    from localreg.session import Session
    from localreg.storage import Store

__all__ = ["copy_namespace"]

ATTEMPTS = 5
"""How often a copy begins anew because files were given up meanwhile."""
AT_ONCE = 8
"""Files on their way at once, where each is a request."""


class _MovedOnError(Exception):
    """The original has given up files of the commit that was being copied, or emptied events of it."""


@dataclass
class _Plan:
    """What is to be copied.

    Attributes:
        source: the original, at one commit.
        name: the namespace's name in the target.
        uri: of the target registry.
        there: how far the copy has come.
        files: those that entries name which are not there yet, and that were not given up since.
        redacted: entries that are there, and were emptied since.
        declared: events, as (commit, event), that the log says are redacted, as far as it is looked at.
        imports: whether the copy belongs elsewhere than the original.
    """

    source: Session
    name: str
    uri: str
    there: Standing
    imports: bool
    files: list[FilePointer] = field(default_factory=list)
    redacted: set[int] = field(default_factory=set)
    declared: set[tuple[int, int]] = field(default_factory=set)

    @property
    def commit(self) -> int:
        """The last commit that the copy is to have."""
        return self.source.committed().head.commit if not self.there.announced else self.there.common

    @property
    def lacks_import(self) -> bool:
        """Whether the copy still has to say that it lies elsewhere."""
        return self.imports and self.there.imported is None


def copy_namespace(
    source: Session, target: Session | None, name: str, uri: str, *, dry_run: bool, message: str | None
) -> CopyReport:
    """Copy the state that a session shows, with all that led to it.

    Args:
        source: the namespace.
        target: the namespace that it is copied to; None = the place is empty, and nothing is to be done there.
        name: its name there.
        uri: where that registry lies.
        dry_run: only tell.
        message: why; stands with the commits of an import.

    Raises:
        AccessDeniedError: an import has to be signed, and the target has no key of a signer. Nothing was copied.
        ConflictError: what is there is no copy of the original, or has been written to since. It is as it was. Or the
            commit cannot be copied any more, as what it shows was redacted since.
        IntegrityError: an entry or file of the original is damaged or missing; no entry that names it was copied.
        NotFoundError: nothing was committed in the namespace.
        StorageError: a place failed; the same call goes on where it stopped.
    """
    for _ in range(ATTEMPTS):
        try:
            return _copy(source, target, name, uri, dry_run=dry_run, message=message)
        except _MovedOnError:
            continue
    raise ConflictError(f"files of {source.store.uri} are given up faster than they can be copied; try again later")


def _copy(
    source: Session, target: Session | None, name: str, uri: str, *, dry_run: bool, message: str | None
) -> CopyReport:
    plan = _planned(source if source.is_pinned else source.frozen(), target, name, uri)
    there, log = plan.there, plan.source.log
    imported = there.imported
    if target is None or dry_run:
        lacking = (each for each in plan.files if target is None or not has_file(target.store, each))
        moved = [pointer.bytes for pointer in lacking]
    else:
        if plan.lacks_import:
            needed_key(target.key, plan.name, log.signers_at(plan.commit))  # before anything is copied
        steps = len(plan.files) + max(0, plan.commit - there.common)
        with progress(f"copying {source.namespace}", steps) as shown:
            moved = _copy_files(source, target, plan, shown)
            _empty(plan, target)
            _copy_entries(source, target, plan, shown)
        if plan.lacks_import:
            imported = _adopted(target, message)
        if plan.commit > there.common or plan.redacted or imported != there.imported:
            _write_snapshot(target)
    return CopyReport(
        namespace=source.namespace,
        name=name,
        target=uri,
        commit=plan.commit,
        digest=log.head_at(plan.commit).digest,
        commits=max(0, plan.commit - there.common),
        files=len(moved),
        bytes=sum(moved),
        imported=imported,
        ahead=max(0, there.common + there.beyond - (there.imported or plan.commit)) if there.beyond else 0,
        dry_run=dry_run,
    )


def import_folder(store: Store, target: Session, *, message: str | None) -> ImportReport:
    """Copy the folder of a namespace, which may lie anywhere, into a registry; see `Registry.import_namespace`."""
    source = open_folder(store, actor=target.actor)
    report = copy_namespace(source, target, target.namespace, target.root.uri, dry_run=False, message=message)
    former = Home(source.file.registry, source.namespace)
    return ImportReport(report.name, former.namespace, former.registry, report.commit, report.digest, report.imported)


# --- what is to be done -----------------------------------------------------------------------------------------------


def _planned(source: Session, target: Session | None, name: str, uri: str) -> _Plan:
    state = source.committed()
    if source.log.torn is not None:
        raise IntegrityError(f"{source.log.torn.message}; nothing was copied", code="entry_missing")
    if not state.head.commit:
        raise NotFoundError(f"nothing was committed in namespace {source.namespace!r} of {source.root.uri}")
    if target is None:
        belongs = Home(source.file.registry, name)
        plan = _Plan(source, name, uri, Standing(0, 0, None, False), belongs_to(state) != belongs)
    else:
        belongs = Home(target.file.registry, name)
        if _is_same_place(source, target):
            raise InvalidInputError(f"namespace {name!r} of {uri} is what is to be copied; copy it to another place")
        there = standing(source.log, state.head.commit, target.store)
        plan = _Plan(source, name, uri, there, belongs_to(state) != belongs)
        _refuse_diverged(plan, state.head.commit)
    _look_at_news(plan, target)
    return plan


def _is_same_place(source: Session, target: Session) -> bool:
    return source.store.uri == target.store.uri and source.file.registry == target.file.registry


def _refuse_diverged(plan: _Plan, commits: int) -> None:
    there, where = plan.there, f"namespace {plan.name!r} of {plan.uri}"
    if there.common == commits or not there.beyond:
        return
    if there.imported and plan.imports:
        raise ConflictError(
            f"{where} was imported at commit {there.common}, and goes its own way since; the original has "
            f"{commits - there.common:,} more commits. Copy it under another name, or keep a mirror: a copy into an "
            "empty place, which goes on with the original",
            code="diverged",
        )
    if there.announced and plan.imports:
        return  # an import that was interrupted: it is finished as of where it began
    raise ConflictError(
        f"{where} is no copy of {plan.source.store.uri}: their logs differ from commit {there.common + 1} on; copy to "
        "another name or place; nothing was changed",
        code="diverged",
    )


def _look_at_news(plan: _Plan, target: Session | None) -> None:
    """Which files the entries name that are not there, and which entries were emptied since the last copy."""
    log, common = plan.source.log, plan.there.common
    files: dict[str, FilePointer] = {}
    for entry in log.past(log.head_at(common), plan.commit):
        for event in entry.events:
            for pointer in event.files:
                if event.action == "condemn":
                    files.pop(pointer.path, None)
                else:
                    files[pointer.path] = pointer
            plan.declared.update(declared(event))
    plan.redacted = {commit for commit, _ in plan.declared if commit <= common}
    plan.files = [*_lost_since(plan, target, files), *files.values()]


def _lost_since(plan: _Plan, target: Session | None, news: Mapping[str, FilePointer]) -> Iterator[FilePointer]:
    """Files of commits that the copy has, and that are not there any more: it may have been damaged since."""
    if target is not None and plan.there.common:
        for row in lacking(target.store, plan.source.committed()):
            if row.id not in news and row.created[0] <= plan.there.common:
                yield FilePointer.from_json(row.fields)


# --- doing it ---------------------------------------------------------------------------------------------------------


def _copy_files(live: Session, target: Session, plan: _Plan, shown: Progress) -> list[int]:
    """Copy files; the length of each that was not there."""

    def work(pointer: FilePointer) -> int | None:
        try:
            return pointer.bytes if copy_file(plan.source.store, target.store, pointer) else None
        except (NotFoundError, ConflictError) as error:
            if isinstance(error, ConflictError) and error.code != "file_condemned":
                raise
            raise _lost(live, plan, pointer) from error

    workers = AT_ONCE if plan.source.store.remote or target.store.remote else 1
    moved = []
    for size in in_threads(work, plan.files, workers=workers):
        shown.advance(1)
        if size is not None:
            moved.append(size)
    return moved


def _lost(live: Session, plan: _Plan, pointer: FilePointer) -> Exception:
    """What to raise for a file that is missing: it may have been given up since, by a later commit."""
    gone = live.live(live.namespace).committed().get("file", pointer.path) is None
    if gone and not live.is_pinned:
        return _MovedOnError()
    why = "it was given up since: copy a later commit" if gone else "restore it from a copy"
    return IntegrityError(
        f"{plan.source.store.uri}/{pointer.path} is missing; {why}; no entry that names it was copied",
        code="file_missing",
    )


def _empty(plan: _Plan, target: Session) -> None:
    """Empty in the copy what was redacted in the original since the last time."""
    for commit in sorted(plan.redacted):
        data = plan.source.store.get(entry_path(commit), fresh=True)
        if data is None:
            raise plan.source.log.missing(commit)
        if isinstance(plan.source.log.judge(data, plan.source.log.place_at(commit - 1), commit), Valid):
            with target.sole_writer(new_id()):
                target.store.put(entry_path(commit), data)
            target.store.forget(entry_path(commit))
    if plan.redacted:
        delete_caches(target.store)


def _copy_entries(live: Session, target: Session, plan: _Plan, shown: Progress) -> None:
    log = plan.source.log
    place = log.place_at(plan.there.common)
    void = {each.commit for each in log.void_entries(plan.commit)}
    for commit in range(plan.there.common + 1, plan.commit + 1):
        # A cache of this machine may have what was emptied since.
        data = plan.source.store.get(entry_path(commit), fresh=True)
        if data is None:
            raise log.missing(commit)
        found = log.judge(data, place, commit)
        if isinstance(found, Valid):
            place = Place(found.entry.head, found.signers)
            _refuse_emptied_since(live, plan, found.entry)
        elif commit not in void:
            raise _altered_meanwhile(plan, found)
        with target.sole_writer(new_id()):
            put_entry(target.store, commit, data)
        shown.advance(1)


def _refuse_emptied_since(live: Session, plan: _Plan, entry: Entry) -> None:
    """What a later commit emptied lacks, in a copy that ends before that one, the word for it.

    Raises:
        ConflictError: it is an earlier commit that is copied.
        _MovedOnError: the copy is begun anew, and has that commit.
    """
    emptied = {(entry.commit, event.event) for event in entry.events if event.redacted} - plan.declared
    if not emptied:
        return
    newest = live.live(live.namespace)
    for later in newest.log.past(newest.log.head_at(plan.commit), newest.committed().head.commit):
        if any(place in emptied for event in later.events for place in declared(event)):
            if not live.is_pinned:
                raise _MovedOnError
            raise ConflictError(
                f"commit {plan.commit} of {live.store.uri} cannot be copied any more: commit {later.commit} redacted "
                f"what commit {entry.commit} said; copy commit {later.commit} or a later one",
                code="redacted_since",
            )


def _altered_meanwhile(plan: _Plan, void: Void) -> IntegrityError:
    return IntegrityError(
        f"{plan.source.log.name_of(void.path)} counted when it was read before, and now {void.reason}; copy "
        "again and, if it stays so, restore it from a copy; it was not copied",
        code="entry_altered",
    )


def _adopted(target: Session, message: str | None) -> int:
    log = target.log_anew()
    return adopt(target, log, elsewhere(log), message)


def _write_snapshot(target: Session) -> None:
    """Where signers are listed, only one of them can: others keep a mirror without, as they keep what they read."""
    log = target.log_anew()
    state = log.load()
    try:
        log.write_snapshot(state)
    except LocalregError as error:  # a cache is worth no error
        level = logging.DEBUG if error.code == NO_KEY else logging.WARNING
        logging.getLogger("localreg").log(level, "no snapshot at %s: %s", target.store.uri, error)
