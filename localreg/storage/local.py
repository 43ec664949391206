"""A store in a folder of a local disk, or of a mount that behaves like one.

Publishing is `link`: of all ways to make a file appear on POSIX it alone is at once exclusive (unlike `rename`) and
whole (unlike `O_EXCL`, which shows the file before its content). The order of a publish is fixed, and held by a test:
write the temporary file, fsync it, link, fsync the folder, unlink. A crash at any point leaves either nothing or
the whole file, and at most a temporary file that no listing shows. Where there are no links (Windows shares, exFAT) a
rename that replaces nothing takes its place, in the same order. The two exclude each other, too.

Accepted: a folder is made durable by whoever makes it, a moment after it appears. If that process dies in between,
others who find the folder rely on the file system to write a folder's own entry no later than what is synced within it,
as journals do. And when the sync of a folder fails, and one that is asked for while reading back does not, the second
is believed: the content was synced before, and no other way is left to ask.
"""

from __future__ import annotations

import builtins
import copy
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from localreg.errors import (
    InvalidInputError,
    NotFoundError,
    StorageError,
)
from localreg.storage.bulk import BulkFile
from localreg.storage.disk import (
    POSIX,
    SPOOL,
    Gone,
    discard,
    grant,
    look_into,
    persistent,
    settle,
    sync_folder,
    unpublished,
    unreadable,
    unwritable,
    write_all,
)
from localreg.storage.listing import Listing
from localreg.storage.mounts import is_on_network
from localreg.storage.near import NearStore
from localreg.storage.protection import impose, imposed_mode
from localreg.storage.publishing import PUBLISH, UNSUPPORTED, is_exclusive, is_possible, rename_folder
from localreg.storage.queue import LockQueue
from localreg.storage.store import STAGING, FileSize, check_path
from localreg.storage.whole import most_bytes, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager


__all__ = ["FOLDER_BITS", "LocalStore"]

_T = TypeVar("_T")

_FILE_BITS: Final[dict[str, int]] = {"umask": 0, "group": 0o660, "all": 0o664}
# Setgid hands the folder's group down, so that members of one project need not share their primary group.
FOLDER_BITS: Final[dict[str, int]] = {"umask": 0, "group": 0o2770, "all": 0o2775}

_LOCK: Final = "queue.lock"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class LocalStore(NearStore):
    """The `Store` of a folder. Opens and makes nothing until used; can be pickled.

    Folders are made when a write finds them missing, never looked for before: a commit into folders that exist costs
    its eight system calls and no look-up. Within a registry they are made only while the registry is there: what was
    unmounted or moved under an open handle leaves an empty folder or none, and a commit written there would be lost.
    """

    def __init__(
        self,
        root: Path,
        *,
        staging: str = STAGING,
        shared: str = "umask",
        marker: str = "",
        commit_mode: str = "link",
    ) -> None:
        """Look at `root`, which need not exist.

        Args:
            root: the folder; made absolute now, so that a later change of directory does not move it.
            staging: folder below the root for temporary files, on the same mount; "" puts them beside their targets,
                for a root whose own files are few.
            shared: who else may use the files and folders that this store makes, as git's `core.sharedRepository`:
                `"umask"`, whom the umask lets; `"group"`, also the group; `"all"`, everybody may also read.
            marker: name of the file by which the root is known; scopes make folders only where it is. "" = no such.
            commit_mode: how `put_if_absent` publishes: `"link"`, `"rename-noreplace"`, or `"single-writer"`, which is
                exclusive only among callers that keep each other out by other means.
        """
        if commit_mode not in PUBLISH:
            raise InvalidInputError(f"unknown commit mode {commit_mode!r}: choose one of {', '.join(PUBLISH)}")
        if shared not in _FILE_BITS:
            raise InvalidInputError(f"unknown shared mode {shared!r}: choose 'umask', 'group' or 'all'")
        self._root = os.path.abspath(root)
        self._base = self._root.rstrip(os.sep) + "/"
        self._staging = check_path(staging) if staging else ""
        self._shared = shared
        self._marker = check_path(marker) if marker else ""
        self._commit_mode = commit_mode
        self._top = ""  # of a scope in a root with a marker: that root

    def __repr__(self) -> str:
        return f"LocalStore({self._root!r})"

    @property
    def uri(self) -> str:
        """The absolute path of the folder, in the platform's own spelling."""
        return self._root

    def get(self, path: str, *, fresh: bool = False) -> bytes | None:
        """See `Store.get`; nothing is cached, but by clients of network shares: `fresh` has them ask again."""
        where, most = self._native(path), most_bytes(path)
        data = read_whole(where, most)
        if data is None and fresh and is_on_network(self._root):
            look_into(os.path.dirname(where))
            data = read_whole(where, most)
        return data

    def put(self, path: str, data: bytes) -> None:
        """See `Store.put`."""
        final = self._native(path)
        temporary = self._stage(final, data)
        try:
            self._with_folder(lambda: os.replace(temporary, final), final)
        except OSError as error:
            raise unpublished(final, error) from error
        finally:
            discard(temporary)
        settle(final)

    def put_if_absent(
        self, path: str, data: bytes, *, make: bool = True, visible: Callable[[], None] | None = None
    ) -> bool:
        """See `Store.put_if_absent`."""
        final = self._native(path)
        temporary = self._stage(final, data, make=make)
        try:
            created = self._link(temporary, final, make=make)
            if created:
                if visible is not None:
                    visible()
                settle(final)
        finally:
            discard(temporary)
        return created

    def queue(self) -> LockQueue | None:
        """See `Store.queue`; a lock on a file in the staging folder. A store without that folder has no queue."""
        if not self._staging:
            return None
        return LockQueue(self._open_lock, may_hang=lambda: is_on_network(self._root))

    def _open_lock(self) -> int:
        where = f"{self._base}{self._staging}/{_LOCK}"
        try:
            return os.open(where, os.O_RDWR)
        except FileNotFoundError:
            temporary = self._stage(where, b"")  # so that nobody meets it without the permissions that it needs
            try:
                self._link(temporary, where, make=True)
            finally:
                discard(temporary)
            return os.open(where, os.O_RDWR)

    def sync(self, path: str) -> None:
        """See `Store.sync`."""
        settle(self._existing(path))

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See `Store.writer`."""
        final = self._native(path)
        return BulkFile(final, lambda: self._create(final, final))

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        return self._listing().paths(_folder_prefix(prefix))

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        """See `Store.sizes`."""
        return self._listing().sizes(_folder_prefix(prefix))

    def folders(self, prefix: str) -> builtins.list[str]:
        """See `Store.folders`."""
        return sorted(name[:-1] for name in self._listing().names(_folder_prefix(prefix)) if name.endswith("/"))

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        where = self._base + check_path(path, temporary=True)
        try:
            os.unlink(where)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            pass
        except OSError as error:
            raise unwritable(where, error, verb="delete") from error

    def size(self, path: str) -> int | None:
        """See `Store.size`."""
        where = self._native(path)
        try:
            status = persistent(lambda: os.stat(where))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(where, error) from error
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        """See `Store.local_file`; the file itself, nothing is copied."""
        return Path(self._existing(path))

    def spool_folder(self) -> Path:
        """See `Store.spool_folder`; beside what is staged."""
        return Path(self._base, STAGING, "spool")

    def new_spool(self, path: Path) -> int:
        """See `Store.new_spool`."""
        return self._create(str(path), str(path), flags=SPOOL)

    def scope(self, folder: str) -> LocalStore:
        """See `Store.scope`."""
        scope = LocalStore(
            Path(self._native(folder)), shared=self._shared, marker=self._marker, commit_mode=self._commit_mode
        )
        scope._top = self._top or (self._root if self._marker else "")
        return scope

    def writable(self) -> bool:
        """See `Store.writable`; asks the root, or the folder in which it would be made."""
        root = Path(self._root)
        nearest = next((folder for folder in (root, *root.parents) if os.path.lexists(folder)), root)
        effective = os.access in os.supports_effective_ids
        return os.path.isdir(nearest) and os.access(nearest, os.W_OK | os.X_OK, effective_ids=effective)

    def commit_mode(self) -> str | None:
        """See `Store.commit_mode`; asks the file system by doing it. Makes the folder if it is missing."""
        names = [f"{self._base}.probe.{os.urandom(8).hex()}.tmp" for _ in range(2)]
        try:
            for name in names:  # not synced: whether a mode works shows without
                os.close(self._create(name, name))
            return next((mode for mode in ("link", "rename-noreplace") if is_exclusive(mode, *names)), None)
        except OSError as error:
            raise unwritable(names[0], error) from error
        finally:
            for name in names:
                discard(name)

    def publishing(self, commit_mode: str) -> LocalStore:
        """See `Store.publishing`; what was made in a bucket goes on by the means of this folder."""
        twin = copy.copy(self)
        twin._commit_mode = commit_mode if commit_mode in PUBLISH else "link"
        return twin

    def _listing(self) -> Listing:
        return Listing(self._base, self._staging)

    def _native(self, path: str) -> str:
        return self._base + check_path(path)

    def _existing(self, path: str) -> str:
        where = self._native(path)
        if self.size(path) is None:
            if is_on_network(self._root):
                look_into(os.path.dirname(where))
            if self.size(path) is None:
                raise NotFoundError(f"no file {path!r} in {self.uri}")
        return where

    def _stage(self, final: str, data: bytes, *, make: bool = True) -> str:
        """Write and sync a temporary file on the mount of `final`; its path."""
        folder, _, name = final.rpartition("/")
        if self._staging:
            folder = self._base + self._staging
        temporary = f"{folder}/.{name}.{os.urandom(8).hex()}.tmp"
        try:
            self._write(temporary, data, final, make=make)
        except OSError as error:
            raise unwritable(final, error) from error
        return temporary

    def _write(self, where: str, data: bytes, final: str, *, make: bool) -> None:
        descriptor = self._create(where, final, make=make)
        try:
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            except BaseException:
                with suppress(OSError):
                    os.close(descriptor)
                raise
            os.close(descriptor)  # may fail itself, where a share reports a lost write only now
        except BaseException:
            discard(where)
            raise

    def _create(self, where: str, final: str, *, make: bool = True, flags: int = _NEW_FILE) -> int:
        """Open a new file with its final permissions: nobody is to meet it with others.

        Where its folder is missing, so mostly is that of `final`: both are made at once.
        """
        descriptor = self._with_folder(lambda: os.open(where, flags, 0o666), where, final, make=make)
        try:
            imposed = imposed_mode(self._root) if self._top else None
            if imposed is None:
                grant(descriptor, _FILE_BITS[self._shared])
            else:
                impose(descriptor, imposed)
        except BaseException:
            os.close(descriptor)
            discard(where)
            raise
        return descriptor

    def _link(self, temporary: str, final: str, *, make: bool) -> bool:
        publish = PUBLISH[self._commit_mode]
        try:
            self._with_folder(lambda: publish(temporary, final), final, make=make)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in UNSUPPORTED and not is_possible(self._commit_mode, temporary):
                raise self._no_such_mode(final, error) from error
            raise unpublished(final, error) from error
        return True

    def _no_such_mode(self, final: str, error: OSError) -> StorageError:
        means = {"link": "hard links"}.get(self._commit_mode, "renames that replace nothing")
        return StorageError(
            f"cannot write {final}: this registry is committed to by {means} (commit_mode {self._commit_mode!r}), and "
            f"the file system that it lies on now has none ({error.strerror}); nothing was changed; copy it to one "
            "that has",
            code="no_commit_mode",
        )

    def _with_folder(self, act: Callable[[], _T], *wheres: str, make: bool = True) -> _T:
        """Try first, and make the folders of `wheres` only if that fails: usually they are there.

        Args:
            act: what to try, and to try again.
            wheres: files; the last is the one that is wanted in the end.
            make: whether the folder of that last one may be made, too.
        """
        try:
            return act()
        except FileNotFoundError:
            self._refuse_if_gone(os.path.dirname(wheres[-1]), make)
            self._make_folders(os.path.dirname(where) for where in wheres)
        return act()

    def _refuse_if_gone(self, folder: str, make: bool) -> None:
        """Tell a folder that is new from one that was lost, before one is made in its place."""
        marker = f"{self._top}/{self._marker}"
        if self._top and not os.path.isfile(marker):
            raise Gone(marker)
        if not make and not os.path.isdir(folder):
            raise Gone(folder)

    def _make_folders(self, folders: Iterable[str]) -> None:
        missing: builtins.list[str] = []
        for folder in folders:
            chain: builtins.list[str] = []
            while not os.path.isdir(folder) and folder not in (self._top, os.path.dirname(folder)):
                chain.insert(0, folder)
                folder = os.path.dirname(folder)
            missing += [new for new in chain if new not in missing]
        for new in missing:
            # Another process may be faster; it has perhaps not synced yet when we go on.
            with suppress(FileExistsError):
                self._make_folder(new)
        # All made first, then synced from the deepest up: a journal that writes one of them writes the others, too.
        for parent in sorted({os.path.dirname(new) for new in missing}, key=len, reverse=True):
            sync_folder(parent)

    def _make_folder(self, new: str) -> None:
        """Make one folder; a shared one appears with its permissions, lest the group be shut out for a moment."""
        bits, imposed = FOLDER_BITS[self._shared], imposed_mode(self._root) if self._top else None
        if not (bits and POSIX) and imposed is None:
            os.mkdir(new)
            return
        parent, _, name = new.rpartition("/")
        staged = f"{parent}/.{name}.{os.urandom(8).hex()}.tmp"
        os.mkdir(staged)
        try:
            if imposed is None:
                grant(staged, bits)
            else:
                os.chmod(staged, imposed)
            rename_folder(staged, new)
        except BaseException:
            with suppress(OSError):
                os.rmdir(staged)
            raise


def _folder_prefix(prefix: str) -> str:
    return check_path(prefix) + "/" if prefix else ""
