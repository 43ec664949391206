"""Where a registry lies, and the one small file that makes a folder a registry.

`localreg.json` is written once, by whoever opens an absent or empty folder first, and never changes. It is read before
anything else, so that a newer format is refused and a foreign folder is never adopted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

from localreg.canonical import canonical, parse
from localreg.errors import FormatError, InvalidInputError, NotFoundError, StorageError
from localreg.names import new_id, shown_value
from localreg.storage import LocalStore, MemoryStore, Store

__all__ = [
    "FORMAT",
    "NAME",
    "RegistryFile",
    "bound",
    "check_commit_mode",
    "checked_location",
    "checked_options",
    "find_location",
    "mirror",
    "noted",
    "open_or_make",
    "root_store",
]

FORMAT = 1
"""The disk format that this release writes; it reads this one and all before it."""

NAME = "localreg.json"
FOLDER = ".localreg"
MODES = ("umask", "group", "all")
_LONGEST_LOCATION = 8_192
"""Characters: twice the longest path that Linux takes."""
EXCLUSIVE: Final = ("link", "rename-noreplace", "conditional")
"""Commit modes with one promise, that an entry is created only if absent; each place keeps it by its own means, so that
a copy from the one kind of place to the other goes on."""
SINGLE_WRITER: Final = "single-writer"
COMMIT_MODES: Final = (*EXCLUSIVE, SINGLE_WRITER)
"""Those that this release writes in."""


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """What `localreg.json` says.

    Attributes:
        format: version of the disk format.
        registry: the registry's id, 32 hex digits.
        least_reader: oldest format version that a reader must know.
        least_writer: oldest format version that a writer must know.
        commit_mode: how commits are published: one of `COMMIT_MODES`.
        shared: who else may write, as in git's core.sharedRepository: `umask`, `group` or `all`.
    """

    format: int
    registry: str
    least_reader: int
    least_writer: int
    commit_mode: str
    shared: str

    @property
    def writable(self) -> bool:
        """Whether this release knows enough to write here."""
        return self.least_writer <= FORMAT and self.commit_mode in COMMIT_MODES and self.shared in MODES


def find_location(uri: str | os.PathLike[str] | None) -> str:
    """The one given, else `LOCALREG_URI`, else the nearest `.localreg` upward, else `.localreg` here."""
    if uri is not None:
        return os.fspath(uri)
    named = os.environ.get("LOCALREG_URI")
    if named:
        return named
    here = Path.cwd()
    near = (folder / FOLDER for folder in (here, *here.parents) if (folder / FOLDER / NAME).is_file())
    return str(next(near, here / FOLDER))


def check_commit_mode(asked: str | None, *, remote: bool) -> None:
    """Raise unless it is a commit mode that may be asked for at such a place.

    Raises:
        InvalidInputError: it is unknown, or none that such a place can have.
    """
    if asked is not None and asked not in COMMIT_MODES:
        raise InvalidInputError(
            f"commit_mode is {shown_value(asked)}; it must be one of {', '.join(COMMIT_MODES)}, or left out"
        )
    own = ("conditional", SINGLE_WRITER) if remote else ("link", "rename-noreplace", SINGLE_WRITER)
    if asked is not None and asked not in own:
        raise InvalidInputError(
            f"commit_mode is {asked!r}, and such a place has {' or '.join(map(repr, own))}; leave it out"
        )


def checked_options(options: object) -> Mapping[str, object] | None:
    """Options for a file system, as given.

    Raises:
        InvalidInputError: no mapping, or keys that are no text.
    """
    if options is not None and not (isinstance(options, Mapping) and all(isinstance(key, str) for key in options)):
        raise InvalidInputError(
            f"storage_options is of type {type(options).__qualname__}; write a dict with text keys, such as "
            "{'endpoint_url': 'https://…'}"
        )
    return options


def checked_location(uri: object, *, what: str = "uri") -> str:
    """A path or URI as text; what no file system takes is refused here, where the argument's name is known.

    Raises:
        InvalidInputError: no path can be that.
    """
    text = uri.__fspath__() if isinstance(uri, os.PathLike) else uri
    if not isinstance(text, str):
        raise InvalidInputError(f"{what} is of type {type(uri).__qualname__}; write a path or URI as a str or a Path")
    if len(text) > _LONGEST_LOCATION:
        raise InvalidInputError(
            f"{what} has {len(text):,} characters, more than {_LONGEST_LOCATION:,}; write a shorter one"
        )
    try:
        storable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        storable = False
    if not storable:
        raise InvalidInputError(
            f"{what} {shown_value(text)} holds a NUL or half of a surrogate pair; no path can have it"
        )
    if text.startswith("~") and os.path.expanduser(text) == text:
        raise InvalidInputError(
            f"{what} {shown_value(text)} begins with the home of an unknown user; write the whole path"
        )
    return text


def root_store(
    location: str,
    *,
    shared: str = "umask",
    storage_options: Mapping[str, object] | None = None,
    offline: bool = False,
) -> Store:
    """The store at a path, a `file://` URI, a `memory://` name, or any other URL that fsspec knows.

    Raises:
        InvalidInputError: an unknown scheme, or options for a place that takes none.
    """
    scheme, separator, rest = location.partition("://")
    remote = separator and scheme not in ("file", "memory") and not (os.name == "nt" and len(scheme) == 1)
    if remote or _CHAINED.match(location):
        from localreg.storage.address import parse_address
        from localreg.storage.remote import RemoteStore

        return RemoteStore(parse_address(location, storage_options), offline=offline)
    if storage_options:
        raise InvalidInputError(f"storage_options are for remote addresses such as s3://…; {location!r} takes none")
    if scheme == "file" and separator:
        return _local(_path_of(location), shared)
    if scheme == "memory" and separator:
        return MemoryStore.named(rest)
    return _local(Path(location), shared)


_CHAINED = re.compile(r"^(zip|tar|libarchive)::")
"""An archive's URL, as fsspec chains them: `zip::/folder/registry.zip`."""


def bound(root: Store, location: str, file: RegistryFile) -> Store:
    """The store that a location named, now that it is known what lies there."""
    if root.remote:
        from localreg.storage.remote import RemoteStore

        return cast(RemoteStore, root).of_registry(file.registry)
    return root_store(location, shared=file.shared if file.writable else "umask")


def _path_of(uri: str) -> Path:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(uri)
    if parts.netloc.lower() not in ("", "localhost"):
        raise InvalidInputError(
            f"cannot open {uri!r}: it names the host {parts.netloc!r}, and file:// reaches this machine only; write "
            "file:///folder, or give the path of a mounted share"
        )
    return Path(unquote(parts.path))


def _local(path: Path, shared: str) -> Store:
    if str(path) in ("", "."):
        path = Path.cwd()
    path = path.expanduser().absolute()
    _refuse_file(path)
    return LocalStore(path, staging="", shared=shared, marker=NAME)


def _refuse_file(path: Path) -> None:
    """Raise if a file lies where the registry's folder, or one above it, should be."""
    there = next((str(each) for each in (path, *path.parents) if os.path.lexists(each)), "")
    if os.path.isfile(there):
        raise InvalidInputError(f"cannot open {path}: {there} is a file, not a folder; name the registry's folder")


def open_or_make(
    store: Store, *, make: bool, shared: str = "umask", commit_mode: str | None = None, offline: bool = False
) -> tuple[RegistryFile, bool]:
    """The registry file in a folder, and whether it was made by this call.

    Two processes may make one registry at once: one of them wins, and both open the same.

    Raises:
        NotFoundError: nothing is there, and `make` is false.
        FormatError: the folder holds something else, or a format that is too new.
        StorageError: of code `"no_conditional_put"` or `"no_commit_mode"`; the place has no way to publish that is
            proven, and none was asked for.
        InvalidInputError: the registry is there, and has another commit mode than was asked for.
    """
    data = store.get(NAME)
    if data is None and offline:
        data = store.recall(NAME)
    if data is not None:
        file = _parse(data, store)
        if commit_mode not in (None, file.commit_mode):
            raise InvalidInputError(
                f"{store.uri} was made with the commit mode {file.commit_mode!r}, which stays as it is; open it "
                "without commit_mode"
            )
        store.remember(NAME, data)
        return file, False
    if offline:
        raise NotFoundError(
            f"nothing of {store.uri} is in this machine's cache: give the same storage_options as online (an endpoint "
            "is part of the place), or open it once without offline=True",
            code="no_registry",
        )
    if not make or (store.remote and not store.writable()):
        step = "check the path, or open it without read_only to make one" if store.writable() else "check the address"
        if not store.remote and any(store.list("namespaces")):
            step = _LOST_FILE
        raise NotFoundError(f"no registry at {store.uri}; {step}", code="no_registry")
    _refuse_foreign(store)
    if shared not in MODES:
        raise InvalidInputError(f"shared is {shared!r}; it must be one of {', '.join(MODES)}")
    mode = commit_mode if commit_mode == SINGLE_WRITER else _proven_mode(store, commit_mode)
    made = RegistryFile(FORMAT, new_id(), FORMAT, FORMAT, mode, shared)
    data = f"{canonical(asdict(made))}\n".encode()
    if _created(store.publishing(mode), data):
        store.remember(NAME, data)
        return made, True
    if store.get(NAME, fresh=True) is None:
        raise StorageError(
            f"{store.uri}/{NAME} was made by another process a moment ago, and cannot be seen yet: a share may show a "
            "new file late; open it again",
            code="not_seen_yet",
        )
    return open_or_make(store, make=False, commit_mode=commit_mode)


def _created(store: Store, data: bytes) -> bool:
    """Whether the file is there, and ours; an answer that leaves it open is settled by another look."""
    try:
        return store.put_if_absent(NAME, data)
    except StorageError as error:
        if error.code != "doubtful":
            raise
        there = store.get(NAME, fresh=True)
        if there is None:
            raise
        store.sync(NAME)
        return there == data


def mirror(store: Store, data: bytes) -> None:
    """Make a registry that has the id of another: a copy of it, into which its namespaces are copied.

    Args:
        store: an absent or empty place.
        data: the other's registry file.

    Raises:
        FormatError: the place holds something else, or the file is of a newer format.
        StorageError: the place has no way to publish that is proven.
    """
    _refuse_foreign(store)
    file = _parse(data, store)
    if not file.writable:
        raise FormatError(
            f"cannot make a copy at {store.uri}: the registry was made by a newer localreg; upgrade",
            code="format_newer",
        )
    if file.commit_mode in EXCLUSIVE:
        _proven_mode(store, None)
    _created(store.publishing(file.commit_mode), data)


def noted(store: Store, commit_mode: str | None = None) -> RegistryFile | None:
    """The registry file that was last read at a place, from this machine's note; None if there is none of use.

    The file never changes, but the place may hold another registry by now: whoever takes the note's word has to see
    that the log is still the one that belongs to it.

    Args:
        store: the place.
        commit_mode: what was asked for; where the note says another, the file itself has to be looked at.
    """
    data = store.recall(NAME)
    try:
        file = None if data is None else _parse(data, store)
    except FormatError:
        return None
    return file if file is not None and commit_mode in (None, file.commit_mode) else None


def _proven_mode(store: Store, asked: str | None) -> str:
    """The commit mode of a registry that is made in a store: the one asked for, or the one that the place shows."""
    if store.remote:
        from localreg.storage.probe import probe

        found = probe(store)
        if not found:
            return "conditional"
        raise StorageError(
            f"cannot make a registry at {store.uri}: {found}, so that two writers could overwrite each other's "
            f"commits; choose another place, or ask for commit_mode={SINGLE_WRITER!r}; nothing was made",
            code="no_conditional_put",
        )
    mode = asked or store.commit_mode()
    if mode is None:
        raise StorageError(
            f"cannot make a registry at {store.uri}: nothing there makes a file appear for exactly one of two writers "
            "(no hard links, no renames that replace nothing); choose another file system or, if there will be one "
            f"writer at a time, say commit_mode={SINGLE_WRITER!r}",
            code="no_commit_mode",
        )
    return mode


_LOST_FILE = (
    f"it has lost its {NAME}: restore that from a copy, or from any mirror of it; or open a new registry elsewhere and "
    "bring each namespace into it, with its history, by `localreg -r NEW namespaces import FOLDER`"
)


def _refuse_foreign(store: Store) -> None:
    # A foreign bucket may be large: where listing costs, the folders are looked at first.
    names = [name for name in store.folders("") if not name.startswith(".")] if store.remote else []
    names = names or [name for name in store.list("") if not name.startswith(".")]
    # Looked for last: another process may have made the registry, and its first commit, between the looks.
    if names and NAME not in names and store.get(NAME, fresh=True) is None:
        if "namespaces" in {name.partition("/")[0] for name in names}:
            raise FormatError(f"{store.uri} is no registry any more; {_LOST_FILE}", code="foreign_directory")
        raise FormatError(
            f"{store.uri} is not a registry and not empty (it holds {names[0]!r}); name an empty or a new folder",
            code="foreign_directory",
        )


def _parse(data: bytes, store: Store) -> RegistryFile:
    name = f"{store.uri}/{NAME}"
    try:
        value = parse(data)
    except FormatError as error:
        raise FormatError(f"{name} is no registry file ({error})", code="foreign_directory") from error
    if not isinstance(value, dict) or not isinstance(value.get("format"), int) or "registry" not in value:
        raise FormatError(
            f"{name} is not the file of a localreg registry; name another folder", code="foreign_directory"
        )
    least = value.get("least_reader", value["format"])
    if not isinstance(least, int) or least > FORMAT:
        raise FormatError(
            f"{store.uri} has format {value['format']}, and this release reads up to {FORMAT}; upgrade localreg",
            code="format_newer",
        )
    kinds = {"format": int, "least_reader": int, "least_writer": int}
    for key in RegistryFile.__slots__:
        if not isinstance(value.get(key), kinds.get(key, str)):
            raise FormatError(
                f"{name} lacks {key!r}, or it is damaged; restore it from a copy", code="foreign_directory"
            )
    return RegistryFile(**{key: cast("int & str", value[key]) for key in RegistryFile.__slots__})  # type: ignore[valid-type]
