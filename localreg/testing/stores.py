"""Stores that fail on demand, around any other store.

Code that survives a fault at its k-th storage call, for every k, before and after the act, survives what disks,
shares and power cuts do to it:

```python
for k in itertools.count(1):
    store = FaultyStore(MemoryStore(), fail_at=k, when="after")
    ...                             # act, expect success or a clean error, check what is there
    if len(store.calls) < k:        # the run was shorter than k calls: every one has failed once
        break
```
"""

from __future__ import annotations

import builtins
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from localreg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from localreg.storage import FileSize, LockQueue, Store

__all__ = ["Call", "CrashedError", "FaultyStore"]


class CrashedError(BaseException):
    """The process would be dead here. Not an `Exception`, so that no handler in the code under test survives it."""


class Call(NamedTuple):
    """One call that touches storage."""

    verb: str
    """The method's name; `"writer"` on entering the block of a writer, `"writer_close"` on leaving it."""
    path: str
    """Relative to the outermost store, whichever scope was asked."""


class FaultyStore:
    """A `Store` that passes all calls on to another one, but for one.

    Calls are counted over the store and all its scopes, from 1. `uri`, `scope`, `writable`, notes and `forget` are not
    counted: they touch no file of the place. A list is read to its end by the call itself, so that a fault after it has
    a meaning.
    """

    def __init__(
        self,
        store: Store,
        *,
        fail_at: int,
        when: Literal["before", "after"],
        error: Exception | None = None,
        then_dead: bool = False,
    ) -> None:
        """Plan one fault.

        Args:
            store: what does the work.
            fail_at: the number of the call that fails; 0 for none, to count only.
            when: `"before"` it has done anything, or `"after"` it has done all: a success that is told as a failure.
            error: what is raised; by default a `StorageError`, of code `"doubtful"` if after, or `CrashedError` if
                `then_dead`.
            then_dead: every later call, clean-up included, raises `CrashedError` and does nothing, as if the process
                had been killed at the fault: files that a writer was streaming stay as they are.
        """
        self._store = store
        self._base = ""
        self._plan = _Plan(fail_at, when, error or _default_error(when, then_dead), then_dead)

    @property
    def calls(self) -> builtins.list[Call]:
        """All counted calls so far, the failed one included, those of a dead store not."""
        return list(self._plan.calls)

    @property
    def uri(self) -> str:
        """That of the store within."""
        return self._store.uri

    @property
    def remote(self) -> bool:
        """That of the store within."""
        return self._store.remote

    @property
    def exclusive(self) -> bool:
        """That of the store within."""
        return self._store.exclusive

    def get(self, path: str, *, fresh: bool = False) -> bytes | None:
        """See `Store.get`."""
        with self._call("get", path):
            return self._store.get(path, fresh=fresh)

    def put(self, path: str, data: bytes) -> None:
        """See `Store.put`."""
        with self._call("put", path):
            self._store.put(path, data)

    def put_if_absent(
        self, path: str, data: bytes, *, make: bool = True, visible: Callable[[], None] | None = None
    ) -> bool:
        """See `Store.put_if_absent`."""
        with self._call("put_if_absent", path):
            return self._store.put_if_absent(path, data, make=make, visible=visible)

    def new_spool(self, path: Path) -> int:
        """See `Store.new_spool`; not counted."""
        return self._store.new_spool(path)

    def spool_folder(self) -> Path | None:
        """See `Store.spool_folder`; not counted."""
        return self._store.spool_folder()

    def queue(self) -> LockQueue | None:
        """See `Store.queue`; not counted, since nothing hangs on it."""
        return self._store.queue()

    def commit_mode(self) -> str | None:
        """See `Store.commit_mode`."""
        with self._call("commit_mode", ""):
            return self._store.commit_mode()

    def publishing(self, commit_mode: str) -> FaultyStore:
        """See `Store.publishing`; shares the count and the fault."""
        return self._twin(self._store.publishing(commit_mode), self._base)

    def sync(self, path: str) -> None:
        """See `Store.sync`."""
        with self._call("sync", path):
            self._store.sync(path)

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See `Store.writer`; two calls, `"writer"` and `"writer_close"`."""
        return _FaultyFile(self, path, self._store.writer(path))

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        with self._call("list", prefix):
            return iter(tuple(self._store.list(prefix)))

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        """See `Store.sizes`."""
        with self._call("sizes", prefix):
            return iter(tuple(self._store.sizes(prefix)))

    def folders(self, prefix: str) -> builtins.list[str]:
        """See `Store.folders`."""
        with self._call("folders", prefix):
            return self._store.folders(prefix)

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        with self._call("delete", path):
            self._store.delete(path)

    def size(self, path: str) -> int | None:
        """See `Store.size`."""
        with self._call("size", path):
            return self._store.size(path)

    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        """See `Store.local_file`."""
        with self._call("local_file", path):
            return self._store.local_file(path, fresh=fresh)

    def local_files(self, paths: Sequence[str]) -> builtins.list[Path]:
        """See `Store.local_files`; one call for each file."""
        return [self.local_file(path) for path in paths]

    def forget(self, path: str) -> None:
        """See `Store.forget`; not counted."""
        self._store.forget(path)

    def recall(self, name: str) -> bytes | None:
        """See `Store.recall`; not counted: a note is this machine's."""
        return self._store.recall(name)

    def remember(self, name: str, data: bytes) -> None:
        """See `Store.remember`; not counted."""
        self._store.remember(name, data)

    def scope(self, folder: str) -> FaultyStore:
        """See `Store.scope`; shares the count and the fault."""
        return self._twin(self._store.scope(folder), f"{self._base}{folder}/")

    def _twin(self, store: Store, base: str) -> FaultyStore:
        twin = FaultyStore(store, fail_at=0, when="before")
        twin._base = base
        twin._plan = self._plan
        return twin

    def writable(self) -> bool:
        """See `Store.writable`."""
        self._plan.refuse_if_dead()
        return self._store.writable()

    @contextmanager
    def _call(self, verb: str, path: str) -> Iterator[None]:
        number = self._begin(verb, path)
        yield
        self._plan.end(number)

    def _begin(self, verb: str, path: str) -> int:
        return self._plan.begin(Call(verb, self._base + path))


class _Plan:
    """The count and the fault, shared by a faulty store and its scopes."""

    def __init__(self, fail_at: int, when: Literal["before", "after"], error: BaseException, then_dead: bool) -> None:
        self.calls: list[Call] = []
        self._fail_at = fail_at
        self._when = when
        self._error = error
        self._then_dead = then_dead
        self._dead = False
        self._lock = threading.Lock()

    @property
    def dead(self) -> bool:
        return self._dead

    def begin(self, call: Call) -> int:
        with self._lock:
            self.refuse_if_dead()
            self.calls.append(call)
            number = len(self.calls)
        self._fail_if_due(number, "before")
        return number

    def end(self, number: int) -> None:
        self._fail_if_due(number, "after")

    def refuse_if_dead(self) -> None:
        if self._dead:
            raise CrashedError("the store is dead since its planned fault")

    def _fail_if_due(self, number: int, moment: str) -> None:
        if number == self._fail_at and moment == self._when:
            self._dead = self._then_dead
            raise self._error


class _FaultyFile:
    """The writer of a faulty store. Each half of it can fail."""

    def __init__(self, store: FaultyStore, path: str, inner: AbstractContextManager[BinaryIO]) -> None:
        self._store = store
        self._path = path
        self._inner = inner

    def __enter__(self) -> BinaryIO:
        number = self._store._begin("writer", self._path)
        file = self._inner.__enter__()
        try:
            self._store._plan.end(number)
        except BaseException as fault:
            self._undo(fault)
            raise
        return file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            number = self._store._begin("writer_close", self._path)
        except BaseException as fault:
            self._undo(fault)
            raise
        swallowed = self._inner.__exit__(kind, error, trace)
        self._store._plan.end(number)
        return swallowed

    def _undo(self, fault: BaseException) -> None:
        """Remove the file as the contract has it; a dead process leaves it."""
        if not self._store._plan.dead:
            self._inner.__exit__(type(fault), fault, fault.__traceback__)


def _default_error(when: str, then_dead: bool) -> BaseException:
    if then_dead:
        return CrashedError("planned crash")
    return StorageError("planned fault", code="doubtful" if when == "after" else None)
