"""The local files that samples name: what was in them when a model read them, and whether it still is.

A sample names a file by a text field called `locator`, of its own or of whatever it holds (`Image`, assets, items of
lists). A path, or a `file://` URL, of a regular file that can be read here is a local file; a relative one is looked
for from the working directory. Anything else has no digest: it may be there for somebody else.

The digest is taken once an inference is made, at the latest a second after: what `infer` has read by then, unless
somebody changed it in between. A file is not read twice by one process as long as size, time and inode stay the same.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from localreg.tables import Node
from localreg.workflow.recorded_columns import field_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FILES", "LocalFiles", "StoredFile", "changed_since", "files_type", "local_path", "stored_files"]

FILES = "files"
"""The column beside inferences: the local files of the sample, by locator."""

KNOWN_DIGESTS = 65_536


class StoredFile(NamedTuple):
    """What a file was when an inference was made.

    Attributes:
        sha256: of its bytes.
        bytes: how many.
        modified_ns: when it was changed last, by its file system, in nanoseconds since 1970.
    """

    sha256: str
    bytes: int
    modified_ns: int


def files_type() -> pa.DataType:
    """The Arrow type of the column."""
    import pyarrow as pa

    file = pa.struct([("sha256", pa.string()), ("bytes", pa.int64()), ("modified_ns", pa.int64())])
    return pa.map_(pa.string(), file)


class LocalFiles:
    """What is in the files that samples of a type name.

    Args:
        node: the schema of the samples.
    """

    def __init__(self, node: Node) -> None:
        self._ways = list(_ways(node, ()))

    def column(self, samples: Sequence[object]) -> pa.Array | None:
        """The files of each sample; None if there is none at all, as where all lie behind a network.

        Costs one `os.stat` for each distinct locator in a folder that is there, and reading each file once.
        """
        import pyarrow as pa

        if not self._ways:
            return None
        if self._ways == [("locator",)]:  # so are most samples, and most of those name no local file
            names = [field_of(sample, "locator") for sample in samples]
            found = _found(set(names))
            rows = [[(name, found[name])] if name in found else None for name in names] if found else []
        else:
            named = [{each for way in self._ways for each in _along(sample, way)} for sample in samples]
            found = _found(set().union(*named))
            rows = [[(each, found[each]) for each in sorted(own & found.keys())] or None for own in named]
        return pa.array(rows, files_type()) if found else None


def stored_files(column: pa.ChunkedArray) -> list[dict[str, StoredFile]]:
    """The files in each row of the column."""
    return [{name: StoredFile(**file) for name, file in row or ()} for row in column.to_pylist()]


def changed_since(stored: Sequence[Mapping[str, StoredFile]]) -> list[dict[str, str]]:
    """Of files as they were, in each row, those that hold other bytes now, by locator, each with its sha256 now.

    One is read only if its size or time differs; what is gone, or cannot be read, has not changed.
    """
    folders: dict[str, bool] = {}
    known: dict[tuple[str, StoredFile], str | None] = {}

    def now(locator: str, was: StoredFile) -> str | None:
        told = _looked(locator, folders)
        if told is None or (told[1].st_size, told[1].st_mtime_ns) == (was.bytes, was.modified_ns):
            return None
        sha256 = _digest(*told)
        return None if sha256 == was.sha256 else sha256

    for files in stored:
        for pair in files.items():
            if pair not in known:
                known[pair] = now(*pair)
    return [{pair[0]: digest for pair in files.items() if (digest := known[pair]) is not None} for files in stored]


# --- locators in samples ----------------------------------------------------------------------------------------------

_EACH = "[]"
"""A step into each item of a list, or each value of a map; fields are called otherwise."""


def _ways(node: Node, before: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The ways to all locators of a type: names of fields, and places in tuples."""
    for place, field in enumerate(node.fields):
        if field.name == "locator" and field.node.type == "str":
            yield (*before, field.name)
        # Which member of a union is there shows in its fields alone.
        step = () if node.type == "union" else (place if node.type == "tuple" else field.name,)
        yield from _ways(field.node, (*before, *step))
    if node.items is not None:
        yield from _ways(node.items, (*before, _EACH))


def _along(value: Any, way: tuple[str | int, ...]) -> Iterable[str]:
    """The locators of a value at the end of a way, which always is a field."""
    if value is None:
        return ()
    step, *_ = way
    if step == _EACH:
        items = value.values() if isinstance(value, Mapping) else value
        return [locator for item in items for locator in _along(item, way[1:])]
    found = value[step] if isinstance(step, int) else field_of(value, step)
    if len(way) > 1:
        return _along(found, way[1:])
    return (found,) if isinstance(found, str) else ()


# --- files -----------------------------------------------------------------------------------------------------------


def _found(locators: set[str]) -> dict[str, StoredFile]:
    folders: dict[str, bool] = {}
    found = {}
    for locator in locators:
        if folders.get(locator.rpartition("/")[0]) is False:  # here and not there: most look-ups end so, if any do
            continue
        told = _looked(locator, folders)
        sha256 = None if told is None else _digest(*told)
        if told is not None and sha256 is not None:
            found[locator] = StoredFile(sha256, told[1].st_size, told[1].st_mtime_ns)
    return found


def _looked(locator: str, folders: dict[str, bool]) -> tuple[str, os.stat_result] | None:
    """The path of a local file, and what the system says of it; None if it is none.

    Args:
        locator: as the sample has it.
        folders: which are there: in one that is not, nobody need look for files.
    """
    path = locator
    if "://" in locator:
        if not locator.startswith("file:"):
            return None
        path = _path(locator)
    folder = path.rpartition("/")[0]
    try:
        if folder and folder not in folders:
            folders[folder] = os.path.isdir(folder)
        if (folder and not folders[folder]) or not os.access(path, os.F_OK):  # costs half of what os.stat raises
            return None
        told = os.stat(path)
    except (OSError, ValueError):  # not there, not to be looked at, or no path at all
        return None
    return (path, told) if stat.S_ISREG(told.st_mode) else None


def local_path(locator: str) -> str | None:
    """The path of the regular file of this machine that a locator names; None if there is none."""
    told = _looked(locator, {})
    return None if told is None else told[0]


def _path(url: str) -> str:
    """The path of a `file://` URL of this machine; "" if it is of another."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url2pathname(parts.path) if parts.netloc in ("", "localhost") else ""


def _digest(path: str, told: os.stat_result) -> str | None:
    try:
        return _sha256(path, told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns)
    except OSError:  # gone meanwhile, or not to be read
        return None


@lru_cache(maxsize=KNOWN_DIGESTS)
def _sha256(path: str, device: int, inode: int, size: int, modified_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
