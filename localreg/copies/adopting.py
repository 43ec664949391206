"""Imports: a log that was begun elsewhere says, in two commits, that it lies here from now on.

The first announces the feature `imported`, so that releases that do not know it stay away; the second puts the
`namespace` record with the registry and the name that hold here. Between the two nobody reads or writes here: the
chain is not the one that belongs here, and nothing says otherwise yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from localreg.canonical import JsonObject
from localreg.copies.moving import lacking
from localreg.copies.standing import IMPORT
from localreg.copies.target import elsewhere
from localreg.errors import ConflictError, IntegrityError
from localreg.log import Change, Entry, Log, Provenance, State, fold
from localreg.log.features import FEATURE, IMPORTED
from localreg.log.home import Home, belongs_to
from localreg.names import new_id
from localreg.records.models import NamespaceRecord
from localreg.session import Session
from localreg.session.signing_key import needed_key

__all__ = ["ImportReport", "adopt", "import_namespace"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """A namespace that was made one of the registry in which its folder lies."""

    name: str
    """Its name here."""

    former_name: str | None
    """Its name where it belonged before; None = that was redacted."""

    former_registry: str | None
    """Id of that registry."""

    commit: int
    """The last commit that it brought along."""

    digest: str
    """Of that commit."""

    imported: int | None
    """Number of the commit that says so; None = it belonged here already."""

    def __str__(self) -> str:
        if self.imported is None:
            return f"namespace {self.name!r} belongs here already, at commit {self.commit}"
        of = f"namespace {self.former_name!r} of registry {self.former_registry}"
        return f"imported {of}, commits 1 to {self.commit}, as {self.name!r}; it lies here since commit {self.imported}"


def import_namespace(session: Session, *, message: str | None) -> ImportReport:
    """Make the folder of a namespace, which somebody copied there, one of its registry.

    Raises:
        AccessDeniedError: it lists signers, and this process has no key of one. Nothing was committed.
        IntegrityError: its chain does not hold, or a file that it names is missing. Nothing was committed.
        NotFoundError: there is no log in the folder.
    """
    session.refuse_if_read_only()
    home = Home(session.file.registry, session.namespace)
    log = session.log_anew()
    try:
        state = log.load()
    except IntegrityError:
        state = State(log.origin)
    if not state.head.commit:
        state = elsewhere(log)
    belonged = belongs_to(state)
    if belonged == home:
        return ImportReport(home.namespace, home.namespace, home.registry, state.head.commit, state.head.digest, None)
    _refuse_missing_files(log, state)
    lost = log.last_seen.lost(log.last_seen.newest(), state.head)
    if lost is not None:  # every commit after these two would be refused
        raise IntegrityError(lost.message, code=lost.code)
    imported = adopt(session, log, state, message)
    name, registry = (None, None) if belonged is None else (belonged.namespace, belonged.registry)
    return ImportReport(home.namespace, name, registry, state.head.commit, state.head.digest, imported)


def _refuse_missing_files(log: Log, state: State) -> None:
    missing = [row.name for row in lacking(log.store, state)]
    if missing:
        more = f", and {len(missing) - 1:,} more are" if len(missing) > 1 else " is"
        raise IntegrityError(
            f"{log.name_of(min(missing))}{more} missing or of another length: the folder was copied only in part; copy "
            "it again, then import it; nothing was changed",
            code="file_missing",
        )


def adopt(session: Session, log: Log, state: State, message: str | None) -> int:
    """Make the commits that are lacking; number of the one that says where the log lies now.

    Args:
        session: the namespace in which it lies.
        log: the same, read as one that began where it did.
        state: its newest, of all that was copied, and of what an import that was interrupted left.
        message: why.

    Raises:
        AccessDeniedError: these commits must be signed, and this process cannot.
    """
    needed_key(session.key, session.namespace, state.signers)
    log.require_whole(state)
    if state.find(FEATURE, IMPORTED) is None:
        id = new_id()
        announced: JsonObject = {"id": id, "name": IMPORTED, "needed_by": "readers"}
        change = Change(FEATURE, "create", id, IMPORTED, after=announced)
        state = fold(state, [_published(session, log, state, change, message)])
    return _published(session, log, state, _import(session, state), message).commit


def _import(session: Session, state: State) -> Change:
    row = max(state.children(NamespaceRecord.kind), key=lambda row: row.updated, default=None)
    id = new_id() if row is None else row.id
    before = None if row is None else row.fields
    after: JsonObject = {
        **(before or {}),
        "id": id,
        "name": session.namespace,
        "registry": session.file.registry,
    }
    belonged = belongs_to(state)
    details: JsonObject = {} if belonged is None else {"from": belonged.namespace, "from_registry": belonged.registry}
    return Change(NamespaceRecord.kind, IMPORT, id, session.namespace, before=before, after=after, details=details)


def _published(session: Session, log: Log, state: State, change: Change, message: str | None) -> Entry:
    commit_id = new_id()
    key = needed_key(session.key, session.namespace, state.signers)
    with session.sole_writer(commit_id):
        entry = log.publish(state.head, [change], Provenance(session.actor, session.host, message), commit_id, key=key)
    if entry is None:
        raise ConflictError(
            f"somebody else wrote to {session.store.uri} meanwhile; do the same again to see what is there now"
        )
    return entry
