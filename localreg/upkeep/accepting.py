"""Taking a log as it is, by somebody who knows why it is not what was seen before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localreg.errors import IntegrityError, LocalregError
from localreg.log import snapshot
from localreg.log.entry import entry_number
from localreg.log.layer import layer_commit
from localreg.log.loss import refuse_rolled_back
from localreg.session import Session
from localreg.upkeep.namespace import Namespace
from localreg.upkeep.report import Finding

__all__ = ["accepted"]


def accepted(session: Session, folders: Sequence[str]) -> Iterator[Finding]:
    """Forget, in each namespace, what its log does not lead to any more; a finding for each where there was such."""
    for folder in folders:
        namespace = Namespace.of(session, folder)
        try:
            yield from _accepted(namespace, may_write=not session.read_only)
        except LocalregError as error:
            yield namespace.finding("problem", "accepted", error.message)
    session.close()  # what it knows of the log is from before


def _accepted(namespace: Namespace, *, may_write: bool) -> Iterator[Finding]:
    last_seen = namespace.log.last_seen
    lost = last_seen.lost(last_seen.newest())
    deleted = list(_misleading(namespace)) if may_write else []
    for path in deleted:
        namespace.store.delete(path)
    if lost is not None:
        last_seen.accept()
        message = f"the log is taken as it is; commit {lost.seen.commit}, which this machine saw, is forgotten"
        yield namespace.finding("note", "accepted", message)
    elif deleted:
        message = "the log is taken as it is; snapshots and history of commits that it does not have were deleted"
        yield namespace.finding("note", "accepted", message)


def _misleading(namespace: Namespace) -> Iterator[str]:
    """Snapshots and history segments that the log does not lead to."""
    namespace.log.chain_from_beginning()  # of an import, caches say so, too
    for path in snapshot.paths(namespace.store):
        of_commit = namespace.log.snapshots(layer_commit(path) or 0)
        try:
            for shown in (each for each in of_commit if each.base.path == path):
                refuse_rolled_back(namespace.log, shown)
        except IntegrityError:
            yield path
    history, last = namespace.log.history, max(map(entry_number, namespace.store.list("log")), default=0)
    for segment in history.listed():
        try:
            if segment.last > last or not namespace.log.leads_to(history.opened(segment).after):
                yield segment.path
        except LocalregError:
            continue  # who cannot read it passes over it, too
