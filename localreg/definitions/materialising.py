"""Code and files of a definition as they lie on this machine: what is run, and what it reads.

Code comes to lie in the cache by its content, and is compared with what was registered at each load: nothing else is
ever run. Stored files stay where they are; a link of the right name leads to them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from localreg.artifacts.artifact import Artifact
from localreg.artifacts.download import local_content
from localreg.artifacts.manifest import Entry, checked_path, parsed
from localreg.canonical import JsonValue, canonical, parse
from localreg.definitions import repositories
from localreg.definitions.definition import Definition
from localreg.errors import IntegrityError, LocalregError, NotFoundError, StorageError
from localreg.records.artifacts import ArtifactRecord
from localreg.storage.cache import cache_folder

__all__ = ["code_folder", "link_files", "part_of"]

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
        content = str(record.code["sha256"])
        entries = _entries(definition, content)
        files = {each.path: each.sha256 for each in entries}
        programs = list(record.code.get("programs", ()))
        return _cached(content, lambda _: files, lambda to: _copied(definition, entries, to, programs))
    if record.repository is None:
        return None
    said = record.repository
    repository = repositories.Repository(said["url"], said.get("branch"), said.get("commit") or said.get("hash"))
    commit = said.get("commit") or repositories.resolve(repository, token=token()).commit
    return _cached(commit, _listed, lambda to: _checked_out(repository, commit, to, token()))


def link_files(definition: Definition, into: Path) -> dict[str, str]:
    """The place of each file of a definition by its name: of what is stored a path, of what is tracked its address.

    What counts is what was registered: that an artifact was replaced, renamed or deleted since makes no difference, as
    long as its bytes are there.

    Args:
        definition: whose.
        into: a folder, in which links to stored files come to lie, or copies where there can be none.

    Raises:
        IntegrityError: stored bytes are missing, or altered; or what is tracked on this machine is not what it was.
    """
    places = {}
    for number, said in enumerate(definition.files):
        name, url = str(said["name"]), str(said["url"])
        if not said["upload"]:
            _refuse_changed(definition, said)
            places[name] = url
            continue
        target = into / str(number) / file_name(url, name)
        content = str(said["sha256"])
        if said.get("folder"):
            _copied(definition, _entries(definition, content), target)
        else:
            target.parent.mkdir(parents=True)
            _link(_whole(definition, content), target)
        places[name] = os.fspath(target)
    return places


def file_name(url: str, name: str) -> str:
    """What a stored file is called where it is read: as where it came from, which its ending may tell a reader."""
    last = url.replace("\\", "/").rstrip("/").rpartition("/")[2].partition("?")[0]
    return last if last not in ("", ".", "..") and "\0" not in last else name


def _whole(definition: Definition, content: str) -> Path:
    """A stored content, which is what it was."""
    path = local_content(definition, content)
    if _digest(path) != content:
        raise IntegrityError(
            f"a file of {definition!r} has been altered: its sha256 is not {content}, with which it was stored; "
            "restore it from a copy",
            code="file_altered",
        )
    return path


def _entries(definition: Definition, content: str) -> list[Entry]:
    """The files of a stored folder."""
    return parsed(_whole(definition, content).read_bytes())


def _copied(definition: Definition, entries: Iterable[Entry], to: Path, programs: Collection[str] = ()) -> None:
    to.mkdir(parents=True)
    for each in entries:
        target = to / checked_path(each.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_whole(definition, each.sha256), target)
        if each.path in programs:
            target.chmod(0o755)


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


def _cached(key: str, listed: Callable[[Path], Mapping[str, str] | None], write: Callable[[Path], None]) -> Path:
    """A folder of the cache with just the files that it should hold; made anew unless it is whole.

    Args:
        key: its name.
        listed: sha256 by path of what it should hold; None = that is not known, since it was never made.
        write: makes it.
    """
    folder = cache_folder() / "code" / key
    if _is_whole(folder, listed):
        return folder
    from filelock import FileLock

    fresh = folder.with_name(f"{key}-{uuid4().hex}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{key}.lock")):
            if _is_whole(folder, listed):  # somebody else was faster
                return folder
            write(fresh)
            if folder.exists():  # and is not what it should be
                os.rename(folder, folder.with_name(f"{fresh.name}-altered"))
            os.rename(fresh, folder)
    except LocalregError:
        raise
    except OSError as error:
        raise StorageError(
            f"the code cannot be written to {folder}: {error.strerror or error}; make room there, or set "
            "LOCALREG_CACHE to another folder"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _is_whole(folder: Path, listed: Callable[[Path], Mapping[str, str] | None]) -> bool:
    files = listed(folder)
    return files is not None and _held(folder) == files


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
            yield path.relative_to(folder).as_posix(), path


def _said(path: Path) -> str:
    return f"-> {os.readlink(path)}" if path.is_symlink() else _digest(path)


def _list_of(folder: Path) -> Path:
    """Where it is noted what was written into a folder: beside it, so that it is no file of the code."""
    return folder.with_name(f"{folder.name}.json")


def _listed(folder: Path) -> dict[str, str] | None:
    """The files that were written out of a repository, as it was noted then."""
    try:
        return cast("dict[str, str]", parse(_list_of(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _checked_out(repository: repositories.Repository, commit: str, to: Path, token: str | None) -> None:
    repositories.materialise(repository, commit, to, token=token)
    listing = canonical(cast(JsonValue, _held(to)))
    _list_of(cache_folder() / "code" / commit).write_text(listing, encoding="utf-8")


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
