"""The bytes of definitions on their way into a registry: stored, which nobody sees before a commit names them."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.artifacts.tracked import looked_at, opened_uri
from localreg.artifacts.upload import Stored, described, store, store_files
from localreg.definitions.content import content_digest
from localreg.definitions.credentials import without_values
from localreg.definitions.faults import path_text
from localreg.definitions.gathering import Gathered, GatheredFile
from localreg.definitions.materialising import file_name
from localreg.definitions.schema import Definition
from localreg.errors import DefinitionError, LocalregError
from localreg.names import new_id
from localreg.records.definitions import DefinitionRecord
from localreg.session import Session

__all__ = ["Ready", "Storing"]

CODE = "code"
"""The artifact that holds a snapshot of code."""


@dataclass(frozen=True)
class Ready:
    """A definition whose bytes are stored."""

    definition: Definition
    record: DefinitionRecord
    artifacts: list[tuple[str, Stored]]
    """Each with the action that brings it."""
    notes: list[str]
    model: str | None
    """Id of the model that gets a version; None = the one of that name."""
    place: str
    """Where it is said, for messages; "" = in Python."""


class Storing:
    """Stores each content once."""

    def __init__(self, session: Session, source: str | None) -> None:
        self._session = session
        self._source = source
        self._snapshots: dict[int, Stored] = {}

    def ready(self, gathered: Gathered) -> Ready:
        """A definition with its bytes stored."""
        artifacts: list[tuple[str, Stored]] = []
        code = None
        if gathered.snapshot is not None:
            stored = self._snapshot(gathered.snapshot)
            artifacts.append(("upload", stored))
            held = {key: stored.said[key] for key in ("sha256", "bytes", "files")}
            programs = [name for name, path in gathered.snapshot if os.access(path, os.X_OK)]
            code = {**held, "git": gathered.git, "programs": programs}
        files = []
        for each in gathered.files:
            action, stored = ("upload", self._stored(each)) if each.is_stored else ("track", _tracked(each))
            artifacts.append((action, stored))
            files.append(_said_of(each, stored))
        definition = gathered.entry.definition
        runtime = None if definition.runtime is None else definition.runtime.model_dump(exclude_none=True)
        parts: dict[str, Any] = {
            "repository": gathered.repository,
            "code": code,
            "files": files,
            "runtime": runtime,
        }
        record = DefinitionRecord(
            id=new_id(), name=definition.name, content=content_digest(**parts), source=self._origin(gathered), **parts
        )
        return Ready(definition, record, artifacts, gathered.notes, gathered.model, self._place(gathered))

    def _place(self, gathered: Gathered) -> str:
        lines = gathered.entry.lines
        line = lines.get(("version",)) or lines.get(("name",))
        return f"{self._source}: {path_text(gathered.entry.path)}, line {line}: " if self._source and line else ""

    def _origin(self, gathered: Gathered) -> dict[str, Any] | None:
        if self._source is None:
            return None
        lines = {path_text(path): line for path, line in gathered.entry.lines.items() if path}
        return {"name": self._source, "path": path_text(gathered.entry.path), "lines": lines}

    def _snapshot(self, files: list[tuple[str, Path]]) -> Stored:
        key = id(files)  # one list for all entries of a file
        if key not in self._snapshots:
            said: dict[str, Any] = {"name": CODE, "media_type": None, "metadata": {}}
            self._snapshots[key] = store_files(self._session, files, said)
        return self._snapshots[key]

    def _stored(self, file: GatheredFile) -> Stored:
        with ExitStack() as stack:
            path = file.path
            if path is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="localreg-")))
                path = folder / file_name(file.said.url, file.said.name)
                _fetch(file, path)
            said = described(path, name=file.said.name, metadata={"file": file_name(str(path), file.said.name)})
            return store(self._session, path, said)


def _fetch(file: GatheredFile, to: Path) -> None:
    """Copy a file from elsewhere.

    Raises:
        DefinitionError: it cannot be had. What its place says of that may repeat what opens it, and is not chained.
    """
    try:
        with opened_uri(file.said.url, file.storage_options) as remote, to.open("wb") as here:
            shutil.copyfileobj(remote, here, 2**20)
    except LocalregError as error:
        told = f"{file.place}: {without_values(str(error), file.storage_options)}"
        raise DefinitionError(told, faults=[told], code=error.code) from (None if file.storage_options else error)


def _tracked(file: GatheredFile) -> Stored:
    """Where a file is; what lies on this machine is looked at, so that a change can be told."""
    said = described("", name=file.said.name)
    said["uri"] = file.said.url if file.path is None else os.path.abspath(file.path)
    if file.path is not None and file.path.is_file():
        said |= looked_at(said["uri"], {})
    return Stored(said, ())


def _said_of(file: GatheredFile, stored: Stored) -> dict[str, Any]:
    url = file.said.url
    if file.path is not None:
        # What is stored needs no place on this machine any more; what is tracked has one alone.
        is_here = os.path.isabs(url) or url.startswith("file://")
        url = (file_name(url, file.said.name) if is_here else url) if file.is_stored else stored.said["uri"]
    said = {"name": file.said.name, "url": url, "upload": file.is_stored, "credentials": file.said.credentials}
    return {
        **said,
        **{key: stored.said.get(key) for key in ("sha256", "bytes")},
        "folder": bool(stored.said.get("folder")),
    }
