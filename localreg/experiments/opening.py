"""Beginning experiments, and going on with them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from localreg.canonical import JsonObject, checked_object
from localreg.errors import AlreadyExistsError, InvalidInputError, LocalregError, NotFoundError
from localreg.experiments.capture import captured_code
from localreg.experiments.closing import alive, close
from localreg.experiments.companions import Companion
from localreg.experiments.experiment import Experiment
from localreg.experiments.system import system_metrics
from localreg.handles.handle import checked_texts
from localreg.log import State
from localreg.names import check_flag, check_name, check_tags, did_you_mean, shown_value
from localreg.records.access import WRITER
from localreg.records.experiments import ExperimentRecord
from localreg.session import Changes, Session

LONGEST_S = 1e6
"""Eleven days between two looks is a mistake."""

__all__ = ["experiment", "get_experiment", "go_on", "recover", "recover_all"]


def experiment(
    session: Session,
    name: str,
    *,
    params: Mapping[str, object] | None,
    metadata: Mapping[str, object] | None,
    tags: Iterable[str],
    texts: Mapping[str, str | None],
    resume: bool,
    flush_every: float,
    strict: bool,
    system_every: float | None,
    code: bool,
) -> Experiment:
    """Begin an experiment, or go on with it; see `Registry.experiment`."""
    session.refuse_without(WRITER)
    name = check_name(name, what="name of the experiment")
    check_flag(resume, what="resume")
    check_flag(strict, what="strict")
    check_flag(code, what="code")
    _check_seconds(flush_every, "flush_every")
    look = None
    if system_every is not None:
        _check_seconds(system_every, "system_metrics")
        look = system_metrics()  # before anything is begun
    given = {"params": checked_object(params or {}, what="params"), **checked_texts(**texts)}
    given["metadata"], given["tags"] = checked_object(metadata or {}, what="metadata"), check_tags(tags)
    found = session.state().find(ExperimentRecord.kind, name)
    if found is not None and resume:
        handle = Experiment(session, found.id)
        go_on(handle, given["params"])
    else:
        handle = _create(session, name, given)
    if code:
        _keep_code(handle)
    handle._begin(every_s=float(flush_every), strict=strict)
    if look is not None and system_every is not None:
        handle._accompany(Companion("system metrics", lambda: handle.log(look()), system_every))
    return handle


def _keep_code(handle: Experiment) -> None:
    """An artifact of the code that runs; what keeps it from being stored keeps nobody from training."""
    found = captured_code()
    if found is None:
        return
    name, content = found
    try:
        if isinstance(content, bytes):
            handle.upload(content, name=name, media_type="text/x-diff", replace=True)
            return
        with TemporaryDirectory(prefix="localreg-") as folder:
            for path, data in content.items():
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            handle.upload(folder, name=name, replace=True)
    except (LocalregError, OSError) as error:
        logging.getLogger("localreg").warning("the code of experiment %r is not kept: %s", handle.name, error)


def _check_seconds(seconds: object, what: str) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, float | int) or not 0 < seconds <= LONGEST_S:
        raise InvalidInputError(f"{what} is {shown_value(seconds)}; write seconds, more than 0")


def _create(session: Session, name: str, given: Mapping[str, object]) -> Experiment:
    ids: list[str] = []

    def operation(changes: Changes) -> None:
        if changes.draft.find(ExperimentRecord.kind, name) is not None:
            raise AlreadyExistsError(
                f"there is an experiment {name!r} already; pass resume=True to go on with it, or choose another name"
            )
        ids[:] = [changes.new_id(ExperimentRecord.kind, name)]
        changes.create(ExperimentRecord(id=ids[0], name=name, environment=_environment(), **given))

    session.change(operation)
    return Experiment(session, ids[0])


def go_on(handle: Experiment, params: Mapping[str, object] | None = None) -> None:
    """Make it running again; if it is, in other processes, this one joins them."""
    if handle.info.status == "running":
        if alive(handle._session.store, handle.id):
            return
        recover(handle)

    def operation(changes: Changes) -> None:
        row = handle._row(changes.draft)
        record = row.load(ExperimentRecord)
        said = {"status": "running", "ended_at": None, "error": None, "environment": _environment()}
        changes.update(row, record.replaced(**said, params={**record.params, **(params or {})}), action="resume")

    handle._session.change(operation)


def recover(handle: Experiment) -> bool:
    """Close an experiment whose processes are gone as killed, with all that they logged; False if it is not one."""
    if handle.info.status != "running" or alive(handle._session.store, handle.id):
        return False
    close(handle._session, handle.id, "killed", find=lambda changes: handle._row(changes.draft))
    return True


def recover_all(session: Session) -> list[Experiment]:
    """See `Registry.recover_experiments`."""
    session.refuse_without(WRITER)
    rows = [row for row in session.state().rows(ExperimentRecord.kind) if row.fields.get("status") == "running"]
    return [handle for row in rows if recover(handle := Experiment(session, row.id))]


def get_experiment(session: Session, name: str) -> Experiment:
    """An experiment by its name; see `Registry.get_experiment`."""
    state: State = session.state()
    row = state.find(ExperimentRecord.kind, check_name(name, what="name of the experiment"))
    if row is None:
        hint = did_you_mean(name, (each.name for each in state.rows(ExperimentRecord.kind)))
        raise NotFoundError(f"no experiment {name!r} in namespace {session.namespace!r}{hint}")
    return Experiment(session, row.id)


def _environment() -> JsonObject:
    """What this process runs in."""
    from localreg.workflow.fingerprint import surroundings

    return {**surroundings(), "command_line": list(sys.orig_argv)}
