"""What is only tracked: opened when somebody asks for it, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from localreg.artifacts.content import digest_of
from localreg.errors import InvalidInputError, LocalregError, NotFoundError, StorageError

__all__ = ["looked_at", "opened_uri"]

ETAGS = ("ETag", "etag", "md5Hash", "content_md5")
"""What file systems of fsspec call the mark of a content."""


@contextmanager
def opened_uri(uri: str, storage_options: Mapping[str, object]) -> Iterator[BinaryIO]:
    """The bytes behind a URI.

    Raises:
        NotFoundError: there is nothing.
        StorageError: its place does not answer.
        InvalidInputError: no such kind of place is known.
    """
    import fsspec

    try:
        with fsspec.open(uri, "rb", **storage_options) as file:
            yield cast(BinaryIO, file)
    except LocalregError:
        raise  # of the block
    except FileNotFoundError as error:
        raise NotFoundError(f"there is nothing at {uri!r}; see where it went, or track its new place") from error
    except IsADirectoryError as error:
        raise InvalidInputError(f"{uri!r} is a folder, whose content cannot be read as one; track its files") from error
    except (ImportError, ValueError) as error:
        raise InvalidInputError(f"{uri!r} cannot be opened: {error}") from error
    except Exception as error:  # each kind of place has errors of its own
        raise StorageError(f"{uri!r} cannot be read: {error}") from error


def looked_at(uri: str, storage_options: Mapping[str, object]) -> dict[str, Any]:
    """Size, etag and sha256 of what is there now: all of it is read.

    Raises:
        LocalregError: see `opened_uri`.
    """
    import fsspec

    with opened_uri(uri, storage_options) as file:
        found = digest_of(file, lambda _: None)
    try:
        system, path = fsspec.core.url_to_fs(uri, **storage_options)
        told = system.info(path)
    except Exception:  # what it is called there is worth no failure
        told = {}
    etag = next((str(told[name]) for name in ETAGS if told.get(name)), None)
    return {"sha256": found.sha256, "bytes": found.bytes, "files": 1, "etag": etag}
