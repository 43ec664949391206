"""Code and files of a definition as they lie on this machine: what is run, and what it reads.

Code comes to lie in the cache by its content, and is compared with what was registered at each load: nothing else is
ever run. Stored files stay where they are; a link of the right name leads to them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from localreg.artifacts.artifact import Artifact
from localreg.artifacts.download import copy_out, entries_of, local_content
from localreg.canonical import JsonValue, canonical, parse
from localreg.definitions import repositories
from localreg.definitions.definition import Definition
from localreg.errors import IntegrityError, NotFoundError, StorageError
from localreg.records.artifacts import ArtifactRecord
from localreg.storage.cache import cache_folder

__all__ = ["code_folder", "link_files", "part_of"]

LISTED = ".localreg-files.json"
"""In a folder of a commit: what was written into it."""

_checked: dict[tuple[str, int, int, int], str] = {}
"""sha256 of files that this process has read, by what would tell that they changed."""


def code_folder(definition: Definition, token: Callable[[], str | None]) -> Path | None:
    """The folder of the code, on this machine; None = the definition has none of its own.

    Args:
        definition: whose.
        token: gives what opens the repository; asked only if it must be.

    Raises:
        LocalregError: the repository does not answer, and the code is not in the cache; or stored code is missing.
    """
    record = definition.info
    if record.code is not None:
        artifact = part_of(definition, "code")
        files = {each.path: each.sha256 for each in entries_of(artifact)}
        return _cached(str(record.code["sha256"]), files, lambda to: _copied(artifact, to))
    if record.repository is None:
        return None
    said = record.repository
    repository = repositories.Repository(said["url"], said.get("branch"), said.get("commit") or said.get("hash"))
    commit = said.get("commit") or repositories.resolve(repository, token=token()).commit
    folder = cache_folder() / "code" / commit
    return _cached(
        commit,
        _listed(folder),
        lambda to: _checked_out(repository, commit, to, token()),
    )


def link_files(definition: Definition, into: Path) -> dict[str, str]:
    """The place of each file of a definition by its name: of what is stored a path, of what is tracked its address.

    Args:
        definition: whose.
        into: a folder, in which links to stored files come to lie, or copies where there can be none.

    Raises:
        IntegrityError: stored bytes are missing, or altered; or what is tracked on this machine is not what it was.
    """
    places = {}
    for said in definition.files:
        name, url = str(said["name"]), str(said["url"])
        if not said["upload"]:
            _refuse_changed(definition, said)
            places[name] = url
            continue
        artifact = part_of(definition, name)
        target = into / name / str(artifact.metadata.get("file") or name)
        if artifact.info.folder:
            _copied(artifact, target)
        else:
            content = str(artifact.sha256)
            path = local_content(artifact, content)
            if _digest(path) != content:
                raise IntegrityError(
                    f"file {name!r} of {definition!r} has been altered: its sha256 is not the one that was stored; "
                    "restore it from a copy",
                    code="file_altered",
                )
            target.parent.mkdir(parents=True)
            _link(path, target)
        places[name] = os.fspath(target)
    return places


def _refuse_changed(definition: Definition, said: Mapping[str, Any]) -> None:
    url, content = str(said["url"]), said.get("sha256")
    if "://" in url or content is None:
        return
    if not os.path.isfile(url):
        raise NotFoundError(f"file {said['name']!r} of {definition!r} is not at {url!r} any more; put it back there")
    if _digest(Path(url)) != content:
        raise IntegrityError(
            f"file {said['name']!r} of {definition!r}, at {url!r}, is not what it was when it was registered; put that "
            "back, or register the new one as another version",
            code="file_altered",
        )


def _link(path: Path, target: Path) -> None:
    try:
        os.symlink(os.path.abspath(path), target)
    except OSError:  # Windows asks for a privilege
        shutil.copyfile(path, target)


def _digest(path: Path) -> str:
    """sha256 of a file; that of one that has not changed since is known."""
    told = path.stat()
    seen = (os.fspath(path), told.st_ino, told.st_size, told.st_mtime_ns)
    if seen not in _checked:
        with path.open("rb") as file:
            _checked[seen] = file_digest(file, "sha256").hexdigest()
    return _checked[seen]


# --- the cache --------------------------------------------------------------------------------------------------------


def _cached(key: str, files: Mapping[str, str] | None, write: Callable[[Path], None]) -> Path:
    """A folder of the cache with just these files; made anew unless it is whole.

    Args:
        key: its name.
        files: sha256 by path; None = it is not known, and the folder not there.
        write: makes it.
    """
    folder = cache_folder() / "code" / key
    if files is not None and _held(folder) == files:
        return folder
    fresh = folder.with_name(f"{key}-{uuid4().hex}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        write(fresh)
        if folder.exists():  # somebody altered it; whoever runs it has it open
            os.rename(folder, aside := fresh.with_name(f"{fresh.name}-old"))
            shutil.rmtree(aside, ignore_errors=True)
        os.rename(fresh, folder)
    except OSError as error:
        if files is None or _held(folder) != files:  # nor was anybody else faster
            raise StorageError(
                f"the code cannot be written to {folder}: {error.strerror or error}; make room there, or set "
                "LOCALREG_CACHE to another folder"
            ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _held(folder: Path) -> dict[str, str] | None:
    """The files of a folder with their sha256, and what its links lead to; None if there is none."""
    try:
        return {name: _said(path) for name, path in _within(folder)} if folder.is_dir() else None
    except OSError:
        return None


def _within(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, folders, files in os.walk(folder):
        for name in (*files, *(each for each in folders if os.path.islink(os.path.join(place, each)))):
            path = Path(place, name)
            if (relative := path.relative_to(folder).as_posix()) != LISTED:
                yield relative, path


def _said(path: Path) -> str:
    return f"-> {os.readlink(path)}" if path.is_symlink() else _digest(path)


def _listed(folder: Path) -> dict[str, str] | None:
    """The files that were written out of a repository, as it was noted then."""
    try:
        return cast("dict[str, str]", parse((folder / LISTED).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _checked_out(repository: repositories.Repository, commit: str, to: Path, token: str | None) -> None:
    repositories.materialise(repository, commit, to, token=token)
    (to / LISTED).write_text(canonical(cast(JsonValue, _held(to))), encoding="utf-8")


def _copied(artifact: Artifact, to: Path) -> None:
    copy_out(artifact, to, overwrite=False, storage_options={})


def part_of(definition: Definition, name: str) -> Artifact:
    """The artifact that holds the code, or a file, of a definition.

    Raises:
        IntegrityError: it was deleted.
    """
    session, record = definition._session, definition.info
    row = session.state().find(ArtifactRecord.kind, name, record.version or record.id)
    if row is None:
        raise IntegrityError(
            f"{definition!r} names {name!r}, and that artifact was deleted; push the definition again under a new "
            "version",
            code="file_missing",
        )
    return Artifact(session, row.id)
