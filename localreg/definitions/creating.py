"""Versions with a definition that is said in Python: what `Model.create_version` does with code, files and runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from localreg.canonical import checked_object
from localreg.definitions.faults import Faults
from localreg.definitions.gathering import Gathering, local_path
from localreg.definitions.parsing import Entry, checked_entry
from localreg.definitions.registering import register
from localreg.errors import InvalidInputError
from localreg.models import Model, ModelVersion, Parts
from localreg.names import check_version, shown_value
from localreg.records.access import WRITER
from localreg.storage.new_file import checked_local

__all__ = ["create_version"]


def create_version(
    model: Model,
    version: str | int | None,
    parts: Parts,
    *,
    metadata: Mapping[str, object] | None,
    description: str | None,
) -> ModelVersion:
    """See `Model.create_version`."""
    model._session.refuse_without(WRITER)
    name = model.name
    said: dict[str, Any] = {
        "name": name.replace("${", "$${"),
        "version": None if version is None else check_version(version).replace("${", "$${"),
        "description": description.replace("${", "$${") if isinstance(description, str) else description,
        "repository": _repository(parts.repository),
        "files": _files(parts.files),
        "runtime": parts.runtime,
    }
    faults = Faults("")
    definition = checked_entry(said, (), faults, os.environ)
    folder = None if parts.code is None else checked_local(parts.code, what="code")
    if folder is not None and not folder.is_dir():
        raise InvalidInputError(f"code is {str(folder)!r}, and that is no folder; give the one that holds the code")
    if folder is not None and said["repository"] is not None:
        raise InvalidInputError("code and a repository are given; give one of both")
    if definition is None:
        faults.refuse()
    assert definition is not None, "it has no fault"
    own = definition.model_copy(update={"metadata": checked_object(metadata or {}, what="metadata")})
    here = Path.cwd()
    named = [place for each in own.files if (place := local_path(each.url, here)) is not None]
    gathering = Gathering(here, folder, named, faults, os.environ, network=True)
    gathered = gathering.gathered(Entry(own, (), {}))
    faults.refuse()
    (registered,) = register(model._session, [replace(gathered, model=model.id)], source=None)
    assert registered.version is not None, "it is of one model"
    return registered.version


def _repository(given: object) -> object:
    return {"url": os.fspath(given)} if isinstance(given, str | os.PathLike) else given


def _files(given: object) -> list[object]:
    """A list of mappings, as YAML has it: of names to places, or of names to all that is said."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [{"name": name, **(_file(each))} for name, each in given.items()]
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [dict(each) if isinstance(each, Mapping) else each for each in given]
    raise InvalidInputError(
        f"files are {shown_value(given)}; give names with paths, such as {{'params': 'weights.npz'}}"
    )


def _file(given: object) -> dict[str, object]:
    if isinstance(given, Mapping):
        return dict(given)
    return {"url": os.fspath(given) if isinstance(given, os.PathLike) else given}
