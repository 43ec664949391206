"""Deleting a record of any kind: what goes with it, what stands in the way, and what is left.

A record's own parts go with it without a word: the numbered versions of a test case or suite. What others made of it
are its dependants: they stand in the way, and are named, unless the deletion is forced; then they are deleted first,
and their dependants before them, each by an event of its own, all in one commit. So every event of the log says what
became of one record, and undoing them from last to first brings all of it back.

Files are not touched. Their rows belong to a record that is no longer there, so that no reader shows them; the bytes,
which earlier commits still show, are garbage collection's to condemn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from localreg.errors import ConflictError, InvalidInputError
from localreg.log import Row, State
from localreg.names import shown_value
from localreg.records.models import ModelRecord
from localreg.session import Changes

__all__ = ["delete", "listed", "noun"]


def delete(changes: Changes, row: Row, *, force: bool) -> None:
    """Remove a record, its parts and, if forced, its dependants.

    Raises:
        ConflictError: something depends on it, and the deletion is not forced; nothing was changed.
        InvalidInputError: `force` is neither True nor False.
    """
    if not isinstance(force, bool):  # "no" would be true
        raise InvalidInputError(f"force is {shown_value(force)}; write True or False")
    blocking = list(_dependants(changes.draft, row))
    if blocking and not force:
        raise ConflictError(
            f"{noun(row.kind)} {row.name!r} cannot be deleted: {listed([_told(each) for each in blocking])} depend on "
            "it; delete those first, or pass force=True to delete them, too",
            code="has_dependants",
        )
    for each in blocking:
        newest = changes.draft.get(each.kind, each.id)  # gone already if it depended on another one of these, too
        if newest is None:
            continue
        if row.kind == "workflow" and each.kind == "model":
            _unbind(changes, newest)
        else:
            delete(changes, newest, force=True)
    for part in _parts(changes.draft, row):
        changes.delete(part)
    changes.delete(row)


def _parts(state: State, row: Row) -> list[Row]:
    return state.children(f"{row.kind}_version", row.id) if row.kind in ("test_case", "test_suite") else []


def _dependants(state: State, row: Row) -> Iterable[Row]:
    """What was made of a record, the latest last."""
    find = _DEPENDANTS.get(row.kind)
    return find(state, row) if find else ()


def _of_model(state: State, model: Row) -> Iterator[Row]:
    yield from state.children("model_version", model.id)


def _of_version(state: State, version: Row) -> Iterator[Row]:
    yield from (row for row in state.children("alias", version.parent) if row.fields.get("version") == version.id)
    yield from state.children("test_run", version.id)


def _of_test_case(state: State, case: Row) -> Iterator[Row]:
    versions = {row.id for row in _parts(state, case)}
    for suite in state.children("test_suite"):
        if any(versions.intersection(_test_cases(row)) for row in _parts(state, suite)):
            yield suite


def _test_cases(suite_version: Row) -> list[str]:
    ids = suite_version.fields.get("test_cases")
    return [str(id) for id in ids] if isinstance(ids, list) else []


def _of_test_suite(state: State, suite: Row) -> Iterator[Row]:
    versions = {row.id for row in _parts(state, suite)}
    runs = (row for row in state.rows("test_run") if row.fields.get("test_suite_version") in versions)
    yield from sorted(runs, key=lambda row: row.created)


def _of_workflow(state: State, workflow: Row) -> Iterator[Row]:
    for kind in ("test_suite", "test_case", "model"):
        yield from (row for row in state.children(kind) if row.fields.get("workflow") == workflow.id)


_DEPENDANTS: Mapping[str, Callable[[State, Row], Iterator[Row]]] = {
    "model": _of_model,
    "model_version": _of_version,
    "test_case": _of_test_case,
    "test_suite": _of_test_suite,
    "workflow": _of_workflow,
}


def _unbind(changes: Changes, model: Row) -> None:
    """A model outlives its workflow: what people say of it does not depend on it, and may be bound again."""
    changes.update(model, model.load(ModelRecord).replaced(workflow=None))


def _told(row: Row) -> str:
    what = {"model_version": "version"}.get(row.kind, noun(row.kind))
    return f"{what} {row.name!r}"


def noun(kind: str) -> str:
    """A kind of record, as people say it."""
    return kind.replace("_", " ")


def listed(things: list[str], most: int = 5) -> str:
    """The first things of a list, and how many more there are."""
    shown = ", ".join(things[:most])
    return shown if len(things) <= most else f"{shown} and {len(things) - most} more"
