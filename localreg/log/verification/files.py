"""Bulk files: each is read whole, several at once, and compared with what the log says of it."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from localreg.errors import LocalregError, NotFoundError, StorageError
from localreg.log.verification.report import Problem
from localreg.log.verification.sound import Sound
from localreg.records.files import FilePointer
from localreg.storage import Store

__all__ = ["Checked", "check_files"]

CHUNK_BYTES = 1 << 20

AT_ONCE_NEAR = 4
"""Files that are read from a disk at the same time, where there are as many processors."""
AT_ONCE_AFAR = 8
"""Files that are fetched at the same time: a disk's room and a network's patience, and no memory, bound it."""
AHEAD = 64
"""Files whose turn may come while an earlier, larger one is still read."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one file.

    Attributes:
        there: it could be read.
        resumed: it was known to be sound, and not read again.
        problem: what is wrong with it.
    """

    there: bool
    resumed: bool = False
    problem: Problem | None = None


def check_files(
    store: Store, files: Mapping[str, FilePointer], sound: Sound, *, advance: Callable[[int], None]
) -> Iterator[Checked]:
    """Look at each file, and tell of each, in the order of the log.

    Args:
        store: the namespace's.
        files: what the log says, by path.
        sound: what is known to be sound; learns of what is found so.
        advance: is told of bytes that were read, from several threads.
    """
    stop = threading.Event()
    names = {pointer.sha256: path for path, pointer in files.items()}
    work = _Work(store, names, max((each.bytes for each in files.values()), default=0), sound, advance, stop)
    workers = AT_ONCE_AFAR if store.remote else max(1, min(AT_ONCE_NEAR, os.cpu_count() or 1))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="localreg-verify")
    waiting: deque[Future[Checked]] = deque()
    try:
        for pointer in files.values():
            waiting.append(pool.submit(work.check, pointer))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        stop.set()  # who has had enough does not wait for the end of a large file
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Work:
    """What threads share."""

    store: Store
    names: Mapping[str, str]
    """Which path has a content, by its digest: to tell what lies in the wrong place."""
    longest: int
    """Bytes of the longest file; one that has more is another, and may be a terabyte of holes."""
    sound: Sound
    advance: Callable[[int], None]
    stop: threading.Event

    def check(self, pointer: FilePointer) -> Checked:
        path = pointer.path
        if self.sound.knows(pointer):
            self.advance(pointer.bytes)
            return Checked(there=True, resumed=True)
        mark = self.sound.mark(path)
        try:
            file = self.store.local_file(path, fresh=True)
            size, digest = self._size_and_digest(path, file)
        except NotFoundError:
            problem = Problem(path, "file_missing", f"{path} is missing; restore it from a copy")
            return Checked(there=False, problem=problem)
        except LocalregError as error:  # it may well be there, and needs no copy
            return Checked(there=False, problem=Problem(path, error.code, str(error)))
        fault = self._fault(pointer, size, digest)
        wrong = Problem(path, "file_altered", fault) if fault is not None else None
        if wrong is None and path.startswith("data/"):
            wrong = _wrong_rows(pointer, file)
        if wrong is None:
            self.sound.note(pointer, mark)
        return Checked(there=True, problem=wrong)

    def _fault(self, pointer: FilePointer, size: int, digest: str) -> str | None:
        path, length = pointer.path, f"has {size} bytes, and the log says {pointer.bytes}"
        if digest == pointer.sha256:
            return None if size == pointer.bytes else f"{path} {length}: its writer was wrong; write the part anew"
        if digest in self.names:
            return f"{path} is not the file that was written there: it is {self.names[digest]}; restore it from a copy"
        if size != pointer.bytes:
            how = "has been cut short" if size < pointer.bytes else "has been added to"
            return f"{path} {how}: it {length}; restore it from a copy"
        return f"{path} has been altered: its sha256 is not the one in the log; restore it from a copy"

    def _size_and_digest(self, path: str, file: Path) -> tuple[int, str]:
        digest, size, chunk = sha256(), 0, memoryview(bytearray(CHUNK_BYTES))
        try:
            with file.open("rb", buffering=0) as stream:
                while size <= self.longest and (length := stream.readinto(chunk)) and not self.stop.is_set():
                    digest.update(chunk[:length])
                    size += length
                    self.advance(length)
                size = max(size, os.fstat(stream.fileno()).st_size)
        except FileNotFoundError as error:
            raise NotFoundError(f"{path} was deleted a moment ago") from error
        except OSError as error:
            raise StorageError(
                f"{path} cannot be read: {error.strerror or error}; check the disk and its permissions",
                code="file_unreadable",
            ) from error
        return size, digest.hexdigest()


def _wrong_rows(pointer: FilePointer, file: Path) -> Problem | None:
    """Compare the number of rows, on which the numbers of all later samples rest, with the part's footer.

    Only of bytes that the log vouches for: pyarrow is not made to survive a footer that somebody has forged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = pointer.path
    try:
        rows = pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        message = f"{path} is the file that was written, and no Parquet file ({str(error)[:200]}); write the part anew"
        return Problem(path, "rows_wrong", message)
    if rows == pointer.rows:
        return None
    message = f"{path} has {rows} rows, and the log says {pointer.rows}: its writer was wrong; write the part anew"
    return Problem(path, "rows_wrong", message)
