"""A definition written back from what is stored: as YAML, and as a folder with all that it names."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.artifacts.download import copy_out, entries_of
from localreg.artifacts.manifest import checked_path
from localreg.definitions import schema
from localreg.definitions.content import VERSION_DIGITS
from localreg.definitions.faults import Path as Place
from localreg.definitions.finding import runtime_of
from localreg.definitions.gathering import is_local
from localreg.definitions.materialising import part_of
from localreg.definitions.secrets import stays_template
from localreg.definitions.snapshot import code_files
from localreg.definitions.writing import Block, written
from localreg.errors import AlreadyExistsError, IntegrityError
from localreg.names import amount, check_flag
from localreg.storage.new_file import checked_local, new_file

if TYPE_CHECKING:
    from localreg.definitions.definition import Definition

__all__ = ["as_yaml", "export", "said_by", "yaml_of"]

ON_LINES = ("repository", "files", "runtime", "load", "predict")
"""Keys whose mappings stand on several lines, however short they are."""
FILE = "models.yaml"


def yaml_of(definition: Definition) -> str:
    """The definition as a file that registers the same again, beside the files that it names."""
    return as_yaml(said_by(definition), _notes(definition))


def said_by(definition: Definition) -> schema.Definition:
    """What a file would have to say to register the same.

    What is said of the version goes before what is said of its model. A version that is called by its content has no
    name, so that one with other content gets another.

    Raises:
        DefinitionError: it was registered by a later release.
    """
    parts: dict[str, Any] = {
        "repository": _repository(definition),
        "files": [_file(each) for each in definition.files],
        "runtime": runtime_of(definition),
    }
    version = definition.version
    if version is None:
        return schema.Definition(name=schema.UNIVERSAL, **parts)
    model = version.model
    is_digest = version.name == definition.content[:VERSION_DIGITS]
    return schema.Definition(
        name=model.name,
        description=model.description if version.description is None else version.description,
        task=model.task,
        owner=model.owner,
        tags=model.tags,
        metadata=version.metadata,
        version=None if is_digest else version.name,
        **parts,
    )


def _repository(definition: Definition) -> schema.Repository | None:
    said: Any = definition.repository
    if said is None:
        return None
    asked = {key: said.get(key) for key in ("url", "branch", "hash", "access_token")}
    if said.get("commit") is not None:
        asked |= {"branch": None, "hash": said["commit"]}
    return schema.Repository(**asked)


def _file(said: dict[str, Any]) -> schema.File:
    is_usual = said["upload"] == is_local(said["url"])
    kept = {key: said[key] for key in ("name", "url", "credentials") if said.get(key) is not None}
    return schema.File(**kept, upload=None if is_usual else said["upload"])


def _notes(definition: Definition) -> Iterator[str]:
    """What the YAML itself has no place for."""
    code: Any = definition.code
    if code is not None:
        yield f"Its code belongs beside this file: {amount(code['files'], 'file')}, sha256 {code['sha256']}"


# --- as YAML ----------------------------------------------------------------------------------------------------------


def as_yaml(definition: schema.Definition, notes: Iterable[str] = ()) -> str:
    """A file with one entry, which reads as this definition.

    Args:
        definition: as a file says it, with its variables resolved where they do not stay.
        notes: lines of comments above it.
    """
    said = definition.model_dump(exclude_defaults=True)
    entry = _block({key: _escaped(value, (key,)) for key, value in said.items()})
    if definition.is_universal:
        entry["name"] = schema.UNIVERSAL
    return "".join(f"# {each}\n" for each in notes) + written(Block(models=[entry]))


def _escaped(value: Any, place: Place) -> Any:
    """A value of an entry with what would be read as a variable escaped, where it is none."""
    if isinstance(value, str):
        return value if stays_template(place) else value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _escaped(each, (*place, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each, (*place, number)) for number, each in enumerate(value)]
    return value


def _block(entry: dict[str, Any]) -> Block:
    """An entry, or a part of one, with the lines that people expect."""
    made = Block(entry)
    for key in ON_LINES:
        value = made.get(key)
        if isinstance(value, dict):
            made[key] = _block(value)
        elif isinstance(value, list):
            made[key] = [Block(each) for each in value]
    output = made.get("output")
    if isinstance(output, dict) and len(output) > 1:
        made["output"] = Block(output)
    return made


# --- as a folder ------------------------------------------------------------------------------------------------------


class _Copied(NamedTuple):
    """A stored file on its way into the folder.

    Attributes:
        said: of it.
        place: where it comes to lie, relative to the folder.
    """

    said: dict[str, Any]
    place: str


def export(definition: Definition, folder: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """See `Definition.export`."""
    to = checked_local(folder, what="folder")
    check_flag(overwrite, what="overwrite")
    code = part_of(definition, "code") if definition.code is not None else None
    taken = [] if code is None else [each.path for each in entries_of(code)]
    copied = list(_placed(definition, taken))
    places = [each.place for each in copied]
    file = to / _free([FILE, *(f"models-{number}.yaml" for number in range(2, 100))], [*taken, *places])
    if definition.repository is None and to.is_dir():
        _refuse_others(to, {*taken}, [file, *(to / each for each in places)])
    if code is not None:
        copy_out(code, to, overwrite=overwrite, storage_options={})
    for each in copied:
        artifact = part_of(definition, each.said["name"])
        copy_out(artifact, to, overwrite=overwrite, storage_options={}, called=each.place)
    to.mkdir(parents=True, exist_ok=True)
    _write(file, _yaml_beside(definition, copied).encode(), overwrite=overwrite)
    return file


def _placed(definition: Definition, code: list[str]) -> Iterator[_Copied]:
    """Where stored files come to lie: where they were named by, if that is within the folder and free."""
    taken = list(code)
    for number, said in enumerate(definition.files):
        if said["upload"]:
            base = part_of(definition, said["name"]).metadata.get("file")
            others = (f"file-{number + n}" for n in range(1, 100))
            place = _free([str(said["url"]), str(base), str(said["name"]), *others], taken)
            taken.append(place)
            yield _Copied(said, place)


def _free(wanted: Iterable[str], taken: list[str]) -> str:
    """The first of some paths that stays within a folder, and is not, holds or lies in one that is taken."""
    return next(each for each in map(_within, wanted) if each is not None and not any(_clash(each, it) for it in taken))


def _within(path: str) -> str | None:
    """A path as a place within a folder; None if it may lead elsewhere."""
    if "://" in path or "::" in path or path.startswith("~") or ".." in path.split("/") or os.path.isabs(path):
        return None
    place = posixpath.normpath(path)
    try:
        checked_path(place)
    except IntegrityError:
        return None
    return place


def _clash(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _refuse_others(to: Path, code: set[str], leave_out: list[Path]) -> None:
    """Raise for files in the folder that would become code of what is registered from it."""
    others = [name for name, _ in code_files(to, leave_out) if name not in code]
    if others:
        more = f" and {amount(len(others) - 1, 'other')}" if len(others) > 1 else ""
        raise AlreadyExistsError(
            f"{to} holds {others[0]!r}{more}, which would become part of the code; take a folder without other files"
        )


def _yaml_beside(definition: Definition, copied: list[_Copied]) -> str:
    """The file that lies beside the copies."""
    places = {str(each.said["name"]): each.place for each in copied}
    notes, files = list(_notes(definition)), []
    said = said_by(definition)
    for each in said.files:
        place = places.get(each.name)
        if place is None or _within(each.url) == place:
            files.append(each)
            continue
        files.append(schema.File(name=each.name, url=place))
        notes.append(f"File {each.name!r} was registered as {each.url!r}")
    return as_yaml(said.model_copy(update={"files": files}), notes)


def _write(file: Path, data: bytes, *, overwrite: bool) -> None:
    if file.is_file() and file.read_bytes() == data:
        return
    if not overwrite and os.path.lexists(file):
        raise AlreadyExistsError(f"{file} is there, and says something else; pass overwrite=True to replace it")
    with new_file(file, overwrite=overwrite) as opened:
        opened.write(data)
