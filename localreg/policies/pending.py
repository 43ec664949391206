"""Running the actions that wait: in a process of the user's, at least once each, and none twice at a time."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from localreg.artifacts.upload import described, store
from localreg.canonical import JsonObject
from localreg.errors import AlreadyExistsError, ConflictError, InvalidInputError, LocalregError, NotFoundError
from localreg.experiments.checkpoints import Checkpoint
from localreg.experiments.experiment import Experiment
from localreg.handles.handle import Handle
from localreg.log import Row
from localreg.models.model import Model, ModelVersion
from localreg.names import new_id, shown_value
from localreg.records.access import RUNNER
from localreg.records.artifacts import ArtifactRecord
from localreg.records.policies import PendingActionRecord
from localreg.session import Changes, Session
from localreg.session.presence import Presence
from localreg.session.session import host

if TYPE_CHECKING:
    from collections.abc import Callable

    from localreg.artifacts.upload import Stored

__all__ = ["run_pending"]

LOGGER = logging.getLogger("localreg")

HANDLES: Mapping[str, type[Handle[Any]]] = {
    "model": Model,
    "model_version": ModelVersion,
    "checkpoint": Checkpoint,
    "experiment": Experiment,
}
LONGEST = 10_000
"""Characters of an error that are kept: its end."""


def run_pending(session: Session) -> list[str]:
    """See `Registry.run_pending`."""
    session.refuse_without(RUNNER)
    writer, finished = new_id(), []
    presence = Presence(session.store, "tmp/actions", writer)
    with presence.shown():
        tried: set[str] = set()
        while (row := _next(session, presence, tried)) is not None:
            tried.add(row.id)
            if _claimed(session, presence, row.id, writer) and _run(session, row.id, writer):
                finished.append(row.id)
    return finished


def _next(session: Session, presence: Presence, tried: set[str]) -> Row | None:
    """One that waits, or whose runner is gone."""
    rows = session.committed().children(PendingActionRecord.kind)
    return next(
        (row for row in rows if row.id not in tried and _may_run(row.load(PendingActionRecord), presence)), None
    )


def _may_run(record: PendingActionRecord, presence: Presence) -> bool:
    if record.status == "pending":
        return True
    return record.status == "running" and not presence.is_alive(str((record.runner or {}).get("writer")))


def _claimed(session: Session, presence: Presence, id: str, writer: str) -> bool:
    """Whether this process is the one to run it now."""
    claimed = False

    def operation(changes: Changes) -> None:
        nonlocal claimed
        claimed = False
        row = changes.draft.get(PendingActionRecord.kind, id)
        record = None if row is None else row.load(PendingActionRecord)
        if row is None or record is None or not _may_run(record, presence):
            return
        if record.attempts >= record.most_attempts:  # its runners died, each time
            error = record.error or "its process ended"
            changes.update(row, record.replaced(status="failed", error=error), action="fail")
            return
        claimed = True
        runner = {"writer": writer, "host": host(), "actor": session.actor}
        begun = record.replaced(status="running", attempts=record.attempts + 1, runner=runner)
        changes.update(row, begun, action="begin")

    session.change(operation)
    return claimed


def _run(session: Session, id: str, writer: str) -> bool:
    """Call the function, as often as it may be tried; whether it came to its end."""
    while True:
        row = session.committed().get(PendingActionRecord.kind, id)
        assert row is not None
        record = row.load(PendingActionRecord)
        try:
            made = _called(session, record)
            _finish(session, id, writer, made)
            return True
        except Exception as error:
            told = "".join(traceback.format_exception(error))[-LONGEST:]
            LOGGER.warning("action %s of policy %r failed: %s", record.run, record.policy, error)
            if not _failed(session, id, writer, told):
                return False


def _called(session: Session, record: PendingActionRecord) -> list[Stored]:
    """What the function made, stored."""
    handle = HANDLES[record.subject_kind](session, record.subject)
    handle._row()
    answer = _function(record.run)(handle)
    if answer is None:
        return []
    if not isinstance(answer, Mapping):
        answer = {None if isinstance(answer, str | os.PathLike) else record.run.rpartition(":")[2]: answer}
    stored = []
    for name, content in answer.items():
        if not isinstance(content, str | os.PathLike | bytes):
            raise InvalidInputError(
                f"{record.run} gave {shown_value(content)}; give a path, bytes, a dict of names with these, or None"
            )
        said = described(content, name=name, metadata={"action": record.run, "policy": record.policy})
        stored.append(store(session, content, said))
    return stored


def _function(name: str) -> Callable[[Handle[Any]], object]:
    module, _, path = name.partition(":")
    try:
        found: Any = import_module(module)
        for each in path.split("."):
            found = getattr(found, each)
    except (ImportError, AttributeError) as error:
        raise InvalidInputError(f"{name} cannot be imported: {error}") from error
    if not callable(found):
        raise InvalidInputError(f"{name} is {shown_value(found)}; it must be a function")
    return found  # type: ignore[no-any-return]


def _finish(session: Session, id: str, writer: str, made: list[Stored]) -> None:
    """One commit: the artifacts are there, and it is done."""

    def operation(changes: Changes) -> None:
        row, record = _mine(changes, id, writer)
        if changes.draft.get(record.subject_kind, record.subject) is None:
            raise NotFoundError(f"what {record.run} was called for was deleted meanwhile")
        ids = []
        for each in made:
            old = changes.draft.find(ArtifactRecord.kind, each.said["name"], record.subject)
            if old is not None and old.load(ArtifactRecord).metadata != each.said["metadata"]:
                raise AlreadyExistsError(f"artifact {old.name!r} is there, and somebody else's; give another name")
            details: JsonObject = {"pending_action": id, "policy": record.policy}
            ids.append(each.name_in(changes, record.subject, record.subject_kind, old=old, details=details))
        changes.update(row, record.replaced(status="finished", error=None, artifacts=ids), action="finish")

    session.change(operation)


def _failed(session: Session, id: str, writer: str, told: str) -> bool:
    """Note a failure; whether it is to be tried again."""
    again = False

    def operation(changes: Changes) -> None:
        nonlocal again
        again = False
        try:
            row, record = _mine(changes, id, writer)
        except ConflictError:
            return
        again = record.attempts < record.most_attempts
        said = {"attempts": record.attempts + 1} if again else {"status": "failed"}
        changes.update(row, record.replaced(error=told, **said), action="retry" if again else "fail")

    try:
        session.change(operation)
    except LocalregError as error:
        LOGGER.warning("that an action failed could not be committed: %s", error)
        return False
    return again


def _mine(changes: Changes, id: str, writer: str) -> tuple[Row, PendingActionRecord]:
    """The action, as long as this process is the one that runs it."""
    row = changes.draft.get(PendingActionRecord.kind, id)
    record = None if row is None else row.load(PendingActionRecord)
    if row is None or record is None or (record.runner or {}).get("writer") != writer or record.status != "running":
        raise ConflictError(f"action {id} was taken over by another process; nothing was written")
    return row, record
