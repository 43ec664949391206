"""The process behind a mount of `tests.fuse`: passes calls on to a folder, and lies where it was told to.

Apart from the tests, since a process that waits for its own mount may wait for ever. It is told by lines of JSON on its
standard input, and answers each with one; when that ends, it takes its mount away and ends, too.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import mfusepy

NOREPLACE = 1
SECONDS = ("st_atime", "st_mtime", "st_ctime")
FIELDS = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")
EVERYTHING = {"ops": ["*"], "path": "*", "skip": 0, "times": None, "mode": "before"}


class Rule:
    """One fault: where it applies, how often, and what it does."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.ops = told["ops"]
        self.path = told["path"]
        self.skip = told["skip"]
        self.left = told["times"]
        self.mode = told["mode"]
        self.number = getattr(errno, told["error"]) if told["error"] else 0
        self.hits = 0
        self.ended = threading.Event()

    def applies(self, op: str, path: str) -> bool:
        """Whether it does to this call, which is counted."""
        if (op not in self.ops and "*" not in self.ops) or not fnmatchcase(path, self.path) or self.left == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        self.hits += 1
        return True


class Passthrough(mfusepy.Operations):  # type: ignore[misc]
    """A folder, with faults."""

    use_ns = True

    def __init__(self, folder: str, told: dict[str, Any]) -> None:
        self._folder = folder
        self._insensitive = told["case_insensitive"]
        self._names = re.compile(told["names"])
        self._clock_ns = int(told["clock_s"] * 1e9)
        self._silly = told["silly_rename"]
        self._rules: list[Rule] = []
        self._lock = threading.RLock()
        self._open: dict[int, str] = {}
        self._ghosts: list[str] = []
        self._number = itertools.count(1)
        self.seen: set[str] = set()

    def init(self, path: str) -> None:
        """Called once it is mounted."""
        answer("mounted")

    # --- being told -------------------------------------------------------------------------------------------------

    def obey(self, command: dict[str, Any]) -> object:
        """Do what the tests say."""
        with self._lock:
            if command["do"] == "fault":
                self._rules.append(Rule(command["rule"]))
            elif command["do"] == "clear":
                for rule in self._rules:
                    rule.ended.set()
                self._rules, self._ghosts = [], []
            elif command["do"] == "ghost":
                self._ghosts.append(command["path"])
            elif command["do"] == "hits":
                return [rule.hits for rule in self._rules]
            elif command["do"] == "seen":
                return sorted(self.seen)
            return None

    def _rule(self, op: str, path: str) -> Rule | None:
        with self._lock:
            return next((rule for rule in self._rules if rule.applies(op, path)), None)

    @contextmanager
    def _faults(self, op: str, *paths: str) -> Iterator[Rule | None]:
        """Around one call: fails before it, after it, or hangs; what else a rule does is the caller's."""
        rule = self._rule(op, paths[-1])
        if rule is not None and rule.mode == "hang":
            rule.ended.wait()
        if rule is not None and rule.mode == "before":
            raise OSError(rule.number, os.strerror(rule.number))
        yield rule
        if rule is not None and rule.mode == "last":
            with self._lock:
                self._rules.insert(0, Rule({**EVERYTHING, "error": errno.errorcode[rule.number]}))
        if rule is not None and rule.mode in ("after", "last"):
            raise OSError(rule.number, os.strerror(rule.number))

    def _at(self, path: str, *, new: bool = False) -> str:
        """The file behind, by the rules for names of this share."""
        if new:
            name = path.rpartition("/")[2]
            if not self._names.fullmatch(name):
                raise OSError(errno.EINVAL, "a name that this share refuses")
            with self._lock:
                self.seen.add(path)
        if not self._insensitive:
            return self._folder + path
        where = self._folder
        for name in path.strip("/").split("/"):
            alike = [each for each in os.listdir(where) if each.casefold() == name.casefold()] if name else []
            where = f"{where}/{alike[0] if alike else name}"
        return where

    # --- names ------------------------------------------------------------------------------------------------------

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        with self._faults("getattr" if fh is None else "fgetattr", path) as rule:
            status = os.lstat(self._at(path)) if fh is None else os.fstat(fh)
            attributes = {name: int(getattr(status, name)) for name in FIELDS}
            for name in SECONDS:
                attributes[name] = int(getattr(status, f"{name}_ns")) + self._clock_ns
            if rule is not None and rule.mode == "short":
                attributes["st_size"] //= 2
            return attributes

    def access(self, path: str, amode: int) -> int:
        with self._faults("access", path):
            if not os.access(self._at(path), amode):
                raise OSError(errno.EACCES, "refused")
        return 0

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        with self._faults("readdir", path), os.scandir(self._at(path)) as entries:
            found = {entry.name: (stat.S_IFDIR if entry.is_dir() else stat.S_IFREG, entry.inode()) for entry in entries}
        base = path.rstrip("/")
        found = {name: told for name, told in found.items() if self._rule("listed", f"{base}/{name}") is None}
        for each in self._ghosts:
            if each.rpartition("/")[0] == base:
                found.setdefault(each.rpartition("/")[2], (stat.S_IFREG, 1 << 60))
        found |= dict.fromkeys((".", ".."), (stat.S_IFDIR, 1))
        return [(name, {"st_mode": mode, "st_ino": number}, 0) for name, (mode, number) in found.items()]

    def mkdir(self, path: str, mode: int) -> int:
        with self._faults("mkdir", path):
            os.mkdir(self._at(path, new=True), mode)
        return 0

    def rmdir(self, path: str) -> int:
        with self._faults("rmdir", path):
            os.rmdir(self._at(path))
        return 0

    def unlink(self, path: str) -> int:
        with self._faults("unlink", path), self._lock:
            where, is_open = self._at(path), path in self._open.values()
            if self._silly and is_open:  # as the client of NFS does, so that its own programs can read on
                hidden = f"{path.rpartition('/')[0]}/.nfs{next(self._number):024x}"
                os.rename(where, self._folder + hidden)
                self._open = {fh: hidden if at == path else at for fh, at in self._open.items()}
            else:
                os.unlink(where)
        return 0

    def rename(self, old: str, new: str) -> int:
        return self.rename_with_flags(old, new, 0)

    def rename_with_flags(self, old: str, new: str, flags: int) -> int:
        """What `rename` is, with what was asked of it."""
        with self._faults("rename_noreplace" if flags & NOREPLACE else "rename", old, new), self._lock:
            source, target = self._at(old), self._at(new, new=True)
            if flags & NOREPLACE and os.path.lexists(target):
                raise OSError(errno.EEXIST, "exists")
            os.rename(source, target)
        return 0

    def link(self, target: str, source: str) -> int:
        with self._faults("link", source, target) as rule:
            if rule is None or rule.mode != "skip":
                os.link(self._at(source), self._at(target, new=True))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        with self._faults("chmod", path):
            os.chmod(self._at(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._at(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        if times is None:
            os.utime(self._at(path))
        else:
            os.utime(self._at(path), ns=times)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        told = os.statvfs(self._at(path))
        return {name: getattr(told, name) for name in dir(told) if name.startswith("f_") and name != "f_fsid"}

    # --- files ------------------------------------------------------------------------------------------------------

    def _opened(self, path: str, descriptor: int) -> int:
        with self._lock:
            self._open[descriptor] = path
        return descriptor

    def create(self, path: str, mode: int, flags: int) -> int:
        with self._faults("create", path):
            return self._opened(path, os.open(self._at(path, new=True), flags | os.O_CREAT, mode))

    def open(self, path: str, flags: int) -> int:
        with self._faults("open", path):
            return self._opened(path, os.open(self._at(path), flags & ~os.O_APPEND))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        with self._faults("read", path):
            return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self._faults("write", path) as rule:
            data = data[: max(1, len(data) // 2)] if rule is not None and rule.mode == "short" else data
            return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def flush(self, path: str, fh: int) -> int:
        is_read = fcntl.fcntl(fh, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        with self._faults("close_read" if is_read else "close", path):
            return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        with self._faults("fsync", path):
            os.fsync(fh)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        with self._faults("fsyncdir", path):
            return 0

    def flock(self, path: str, fh: int, op: int) -> int:
        with self._faults("flock", path):
            fcntl.flock(fh, op)
        return 0

    def release(self, path: str, fh: int) -> int:
        with self._lock:
            at = self._open.pop(fh, path)
            os.close(fh)
            if at.rpartition("/")[2].startswith(".nfs") and at not in self._open.values():
                Path(self._folder + at).unlink(missing_ok=True)
        return 0


class Fuse(mfusepy.FUSE):  # type: ignore[misc]
    """With the flags of `renameat2`, which the library leaves out."""

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        return int(self.operations.rename_with_flags(os.fsdecode(old), os.fsdecode(new), flags))


def answer(told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def listen(obey: Callable[[dict[str, Any]], object], mountpoint: str) -> None:
    for line in sys.stdin:
        answer(obey(json.loads(line)))
    subprocess.run(["umount", "-l", mountpoint], check=False, capture_output=True)
    os._exit(0)


def main() -> None:
    folder, mountpoint, text = sys.argv[1:]
    told = json.loads(text)
    os.umask(0)  # the callers' was taken off already
    share = Passthrough(folder, told)
    threading.Thread(target=listen, args=(share.obey, mountpoint), daemon=True).start()
    kept_s = told["kept_s"]
    Fuse(
        share,
        mountpoint,
        foreground=True,
        fsname="server:/export",
        subtype=told["subtype"],
        entry_timeout=kept_s,
        negative_timeout=kept_s,
        attr_timeout=kept_s,
        use_ino=told["use_ino"],
        hard_remove=True,
        **({"allow_other": True} if os.getuid() == 0 else {}),
    )


if __name__ == "__main__":
    main()
