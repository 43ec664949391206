"""What takes how much room, from listings alone: no file is opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from localreg.arrow import array
from localreg.errors import StorageError
from localreg.query import Result
from localreg.storage import FileSize, Store

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["disk_usage", "kind_of"]

NAMESPACES = "namespaces"
FOLDERS = ("log", "snapshots", "history", "artifacts", "tmp")
"""Folders of a namespace that are kinds of their own."""


class Usage(NamedTuple):
    """A row: what one kind of file takes in one namespace."""

    namespace: str | None
    what: str
    files: int | None
    bytes: int | None


INACCESSIBLE = "inaccessible"
"""Stands for the kinds of files of a namespace that may not be listed."""


def disk_usage(root: Store) -> Result:
    """The rows of `Registry.disk_usage`."""
    return Result(lambda: _table(_rows(root)))


def kind_of(path: str) -> str:
    """What a file of a namespace is: `log`, `data/inferences`, `other`."""
    first, *rest = path.split("/")
    if path.rpartition("/")[2].startswith(".") and path.endswith(".tmp"):
        return "tmp"  # on its way, wherever it was staged
    if first == "data" and len(rest) > 1:
        return f"data/{rest[0]}"
    return first if first in FOLDERS and rest else "other"


def _rows(root: Store) -> Iterator[Usage]:
    yield from _summed(None, _own_files(root))
    for folder in root.folders(NAMESPACES):
        try:
            files = list(root.sizes(f"{NAMESPACES}/{folder}"))
        except StorageError as error:
            if error.code != "forbidden":
                raise
            yield Usage(folder.replace(".", "/"), INACCESSIBLE, None, None)
            continue
        start = len(f"{NAMESPACES}/{folder}/")
        yield from _summed(folder.replace(".", "/"), (FileSize(path[start:], size) for path, size in files))


def _own_files(root: Store) -> Iterator[FileSize]:
    """What belongs to no namespace: the registry's file, and what others put beside it."""
    from localreg.session.location import NAME

    size = root.size(NAME)
    if size is not None:
        yield FileSize(NAME, size)
    for folder in root.folders(""):
        if folder != NAMESPACES:
            yield from (FileSize(f"other/{path}", size) for path, size in root.sizes(folder))


def _summed(namespace: str | None, files: Iterator[FileSize]) -> Iterator[Usage]:
    sums: dict[str, tuple[int, int]] = {}
    for path, size in files:
        count, total = sums.get(kind_of(path), (0, 0))
        sums[kind_of(path)] = (count + 1, total + size)
    for what in sorted(sums):
        yield Usage(namespace, what, *sums[what])


def _table(rows: Iterator[Usage]) -> pa.Table:
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    kinds = {"namespace": pa.string(), "what": pa.string(), "files": pa.int64(), "bytes": pa.int64()}
    arrays = [array(values, kind) for kind, values in zip(kinds.values(), columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=list(kinds))
