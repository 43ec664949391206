"""Deleting a record of any kind: what goes with it, what stands in the way, and what is left.

A record's own parts go with it without a word: the numbered versions of a test case or suite, the evaluations of a test
run, data sets, artifacts. What others made of it, or of its artifacts, are its dependants: they stand in the way, and
are named, unless the deletion is forced; then they are deleted first, and their dependants before them, each by an
event of its own, all in one commit. So every event of the log says what became of one record, and undoing them from
last to first brings all of it back.

Files are not touched. Their rows belong to a record that is no longer there, so that no reader shows them; the bytes,
which earlier commits still show, are garbage collection's to condemn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from localreg.errors import ConflictError
from localreg.handles.words import listed, told
from localreg.log import Row, State
from localreg.names import check_flag
from localreg.records.models import ModelRecord
from localreg.session import Changes

__all__ = ["delete", "dependants_in"]


def dependants_in(state: State) -> Callable[[Row], list[str]]:
    """What tells of a record, in words, what was made of it and stands in the way of its deletion.

    To ask one for many records costs one look through those that refer to them.
    """
    looked_for = _Dependants(state)
    return lambda row: [_told(each, state) for each in looked_for.of(row)]


def delete(changes: Changes, row: Row, *, force: bool) -> None:
    """Remove a record, its parts and, if forced, its dependants.

    Raises:
        ConflictError: something depends on it, and the deletion is not forced; nothing was changed.
        InvalidInputError: `force` is neither True nor False.
    """
    check_flag(force, what="force")
    looked_for = _Dependants(changes.draft)
    blocking = looked_for.of(row)
    if blocking and not force:
        names = listed([_told(each, changes.draft) for each in blocking])
        depend, those, them = ("depends", "that", "it") if len(blocking) == 1 else ("depend", "those", "them")
        raise ConflictError(
            f"{_told(row, changes.draft)} cannot be deleted: {names} {depend} on it; delete {those} first, or pass "
            f"force=True to delete {them}, too",
            code="has_dependants",
        )
    _delete(changes, row, looked_for)


def _delete(changes: Changes, row: Row, looked_for: _Dependants) -> None:
    blocking = looked_for.of(row)
    changes.draft.prefetch((each.kind, each.id) for each in blocking)
    for each in blocking:
        newest = changes.draft.get(each.kind, each.id)  # gone already if it depended on another one of these, too
        if newest is None:
            continue
        if row.kind == "workflow" and each.kind == "model":
            _unbind(changes, newest)
        else:
            _delete(changes, newest, looked_for)
    for kind in PARTS.get(row.kind, ()):
        for part in changes.draft.children(kind, row.id):
            _delete(changes, part, looked_for)
    for policy in looked_for.policies(row):
        if changes.draft.get(policy.kind, policy.id) is not None:
            changes.delete(policy)
    changes.delete(row)


PARTS = {
    "test_case": ("test_case_version",),
    "test_suite": ("test_suite_version",),
    "test_run": ("evaluation",),
    "model": ("metrics", "dataset", "artifact"),
    "model_version": ("metrics", "dataset", "definition", "artifact"),
    "definition": ("artifact",),
    "experiment": ("dataset", "artifact"),
    "checkpoint": ("artifact",),
}
"""Kinds that have parts, and the kinds of these: those first that may stand on others."""


class _Dependants:
    """What was made of records, for one deletion with all that it takes along.

    Nothing is read whole, and what refers to a record without lying within it is looked for once, among all of its
    kind, and not again for each record that goes. What has gone since is still told.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._indexes: dict[tuple[str, str, str], dict[str, list[Row]]] = {}

    def of(self, row: Row) -> list[Row]:
        """Outlines of what was made of a record, the latest last."""
        match row.kind:
            case "model":
                return [*self._state.outlines("model_version", row.id), *self._elsewhere(row)]
            case "model_version":
                aliases = self._index("alias", "version", within=row.parent).get(row.id, [])
                return [*aliases, *self._state.outlines("test_run", row.id), *self._elsewhere(row)]
            case "experiment":
                return [*self._state.outlines("checkpoint", row.id), *self._elsewhere(row)]
            case "checkpoint":
                return [*self._referring("model_version", "checkpoint", [row.id]), *self._elsewhere(row)]
            case "artifact":
                return self._referring("dataset", "artifact", [row.id])
            case "test_case":
                holding = self._referring("test_suite_version", "test_cases", self._parts(row))
                suites = (self._state.outline("test_suite", id) for id in {version.parent for version in holding})
                return _in_order(suite for suite in suites if suite is not None)
            case "test_suite":
                return self._referring("test_run", "test_suite_version", self._parts(row))
            case "workflow":
                kinds = ("test_suite", "test_case", "model")
                return [each for kind in kinds for each in self._referring(kind, "workflow", [row.id])]
            case _:
                return []

    def policies(self, row: Row) -> list[Row]:
        """Those of a model, which go with it."""
        return self._referring("policy", "model", [row.id]) if row.kind == "model" else []

    def _elsewhere(self, row: Row) -> list[Row]:
        """Data sets of others that stand on artifacts of a record."""
        artifacts = [part.id for part in self._state.outlines("artifact", row.id)]
        standing = self._referring("dataset", "artifact", artifacts) if artifacts else []
        return [each for each in standing if each.parent != row.id]

    def _parts(self, row: Row) -> list[str]:
        return [part.id for kind in PARTS[row.kind] for part in self._state.outlines(kind, row.id)]

    def _referring(self, kind: str, field: str, ids: Iterable[str]) -> list[Row]:
        index = self._index(kind, field)
        return _in_order({row.id: row for id in ids for row in index.get(id, ())}.values())

    def _index(self, kind: str, field: str, *, within: str | None = None) -> dict[str, list[Row]]:
        """All of one kind by the ids in a field, or those of one parent alone."""
        key = (kind, field, within or "")
        if key not in self._indexes:
            pairs = (
                self._state.referring(kind, field)
                if within is None
                else ((row, [str(row.fields.get(field))]) for row in self._state.children(kind, within))
            )
            index = self._indexes[key] = {}
            for row, ids in pairs:
                for id in ids:
                    index.setdefault(id, []).append(row)
        return self._indexes[key]


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.created, row.name))


def _unbind(changes: Changes, model: Row) -> None:
    """A model outlives its workflow: what people say of it does not depend on it, and may be bound again."""
    changes.update(model, model.load(ModelRecord).replaced(workflow=None))


def _told(row: Row, state: State) -> str:
    return told(row.kind, row.name, row.parent, state.outline)
