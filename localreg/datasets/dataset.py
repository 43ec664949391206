"""The handle of a data set, and how one is found by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self, get_args

from localreg.artifacts.artifact import Artifact
from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError, NotFoundError
from localreg.handles.handle import UNCHANGED, Handle, Unchanged, checked_texts, metadata_merger
from localreg.handles.lineage import HasLineage
from localreg.handles.words import told
from localreg.log import Row, State
from localreg.names import check_name, did_you_mean, shown_value
from localreg.records.datasets import DatasetRecord, Role

__all__ = ["Dataset", "checked_role", "find_dataset", "holding", "stated"]


class Dataset(HasLineage[DatasetRecord]):
    """What something was trained or evaluated on. Made by `add_dataset`."""

    _record_class = DatasetRecord

    @property
    def role(self) -> Role:
        """`train` or `eval`."""
        return self.info.role

    @property
    def artifact(self) -> Artifact | None:
        """The artifact that it stands on; None = the data are not in the registry."""
        id = self.info.artifact
        return None if id is None else Artifact(self._session, id)

    @property
    def uri(self) -> str | None:
        """Where the data lie, be it that the artifact is only tracked; None = in the registry."""
        artifact = self.artifact
        return self.info.uri if artifact is None else artifact.uri

    @property
    def sha256(self) -> str | None:
        """Of what the artifact held when the data set was added; None = unknown."""
        return self.info.sha256

    @property
    def description(self) -> str | None:
        """Free text."""
        return self.info.description

    @property
    def metadata(self) -> JsonObject:
        """Any JSON object."""
        return self.info.metadata

    def update(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        unset: Iterable[str] = (),
        role: Role | Unchanged = UNCHANGED,
        description: str | Unchanged | None = UNCHANGED,
    ) -> Self:
        """Merge metadata by top-level key, remove the keys in `unset`, set role and description; one audited act."""
        said, merge = checked_texts(description=description), metadata_merger(metadata, unset)
        if not isinstance(role, Unchanged):
            said["role"] = checked_role(role)
        return self._change(lambda record, _: record.replaced(metadata=merge(record.metadata), **said))

    def delete(self) -> None:
        """Delete it; the artifact that it stands on stays."""
        self._delete(force=False)

    def _stated(self) -> JsonObject:
        record = self.info
        artifact = self.artifact
        said: JsonObject = record.model_dump(include={"role", "sha256", "uri", "description", "metadata"})
        return {**said, "artifact": None if artifact is None else artifact.name}


def checked_role(role: object) -> Role:
    """The role, as given.

    Raises:
        InvalidInputError: there is no such role.
    """
    for known in get_args(Role):
        if isinstance(role, str) and role == known:
            return known  # type: ignore[no-any-return]
    raise InvalidInputError(f"role is {shown_value(role)}; write 'train' or 'eval'")


def holding(state: State, owner: Row) -> dict[str, Row]:
    """The data sets of a record by name: of a version those of its model, too, unless its own is called so."""
    owners = (owner.parent, owner.id) if owner.kind == "model_version" else (owner.id,)
    return {row.name: row for id in owners for row in state.children(DatasetRecord.kind, id)}


def find_dataset(state: State, owner: Row, name: str) -> Row:
    """A data set by its name, as `holding` has it.

    Raises:
        NotFoundError: there is none; near names are suggested.
    """
    name, there = check_name(name, what="name of the data set"), holding(state, owner)
    if name not in there:
        whose = told(owner.kind, owner.name, owner.parent, state.outline)
        raise NotFoundError(f"{whose} has no data set {name!r}{did_you_mean(name, there)}")
    return there[name]


def stated(owner: Handle[Any]) -> JsonObject:
    """What `differences` says of the data sets of a record."""
    found = holding(owner._session.state(), owner._row())
    return {name: Dataset(owner._session, row.id)._stated() for name, row in sorted(found.items())}
