"""Data sets that come: an artifact that is there, or a place that nobody looks at."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from localreg.artifacts.artifact import Artifact
from localreg.canonical import checked_object
from localreg.datasets.dataset import Dataset, checked_role
from localreg.errors import AlreadyExistsError, InvalidInputError
from localreg.handles.handle import Handle
from localreg.handles.words import told
from localreg.names import check_flag, check_name, check_text, shown_value
from localreg.records.datasets import DatasetRecord, Role
from localreg.session import Changes, Session

__all__ = ["add"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""What a URI begins with, be it `s3://…` or `doi:…`; one letter alone is a disk of Windows."""


def add(
    owner: Handle[Any],
    source: object,
    *,
    role: Role,
    name: str | None,
    description: str | None,
    metadata: Mapping[str, object] | None,
    replace: bool,
) -> Dataset:
    """Say what something was trained or evaluated on; see `HasDatasets.add_dataset`."""
    session, ids = owner._session, [""]
    session.refuse_if_read_only()
    check_flag(replace, what="replace")
    artifact = _artifact_here(session, source) if isinstance(source, Artifact) else None
    uri = _place(source) if artifact is None else None
    own = artifact.name if artifact is not None else re.split(r"[/\\:]", str(uri).rstrip("/\\"))[-1]
    called = check_name(own if name is None else name, what="name of the data set")
    said: dict[str, Any] = {
        "role": checked_role(role),
        "uri": uri,
        "description": None if description is None else check_text(description, what="description"),
        "metadata": checked_object({} if metadata is None else metadata, what="metadata"),
    }

    def operation(changes: Changes) -> None:
        of = owner._row(changes.draft)
        old = changes.draft.find(DatasetRecord.kind, called, of.id)
        if old is not None and not replace:
            whose = told(of.kind, of.name, of.parent, changes.draft.outline)
            raise AlreadyExistsError(
                f"{whose} has a data set {called!r} already; choose another name, or pass replace=True: the old one "
                "stays in the past"
            )
        if artifact is not None:
            said["artifact"] = artifact.id
            said["sha256"] = artifact._row(changes.draft).load(artifact._record_class).sha256
        ids[0] = changes.new_id(DatasetRecord.kind, f"{of.id} {called}") if old is None else old.id
        record = DatasetRecord(id=ids[0], name=called, owner=of.id, owner_kind=of.kind, **said)
        if old is None:
            changes.create(record)
        else:
            changes.update(old, record)

    session.change(operation)
    return Dataset(session, ids[0])


def _artifact_here(session: Session, artifact: Artifact) -> Artifact:
    """The artifact in this session: the handle may come from a look into the past.

    Raises:
        InvalidInputError: it is of another registry or namespace, where nobody here would find it.
    """
    if not artifact._session.is_same_namespace(session):
        raise InvalidInputError(
            f"{artifact!r} is of another registry or namespace; upload it here, or give the place where it lies"
        )
    return Artifact(session, artifact.id)


def _place(source: object) -> str:
    """Where data lie: a URI as it is, a local path from the root."""
    if not isinstance(source, str | os.PathLike):
        raise InvalidInputError(
            f"{shown_value(source)} is no data set; give an artifact of this registry, a URI or a local path"
        )
    place = check_text(os.fspath(source), what="artifact_or_uri")
    if not place.strip():
        raise InvalidInputError("artifact_or_uri is blank; give an artifact of this registry, a URI or a local path")
    return place if isinstance(source, str) and _SCHEME.match(place) else os.path.abspath(place)
