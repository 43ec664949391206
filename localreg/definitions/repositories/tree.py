"""The files of a commit, read out of a mirror, and proof that none of them leads out of its folder."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from localreg.artifacts.manifest import checked_path
from localreg.definitions.repositories.git import started, stop
from localreg.definitions.repositories.mirror import Mirror
from localreg.errors import IntegrityError, StorageError
from localreg.names import shown_value

__all__ = ["Contents", "Tree", "TreeFile", "read_tree"]

READ_S: Final = 600.0
"""For all files of a commit."""

CHUNK: Final = 1 << 20
MOST_LINKS: Final = 40
"""In one path, as Linux allows."""

_INVISIBLE = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)  # what macOS leaves out of names


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a commit.

    Attributes:
        path: relative, parted by `/`.
        object: git's name of its content.
        is_program: whether it may be executed.
        target: of a symbolic link; None = it is none.
    """

    path: str
    object: str
    is_program: bool
    target: str | None = None


class Contents:
    """Contents of one mirror, read one after another by one git."""

    def __init__(self, mirror: Mirror, process: subprocess.Popen[bytes]) -> None:
        """Take the two ends of `git cat-file --batch`."""
        assert process.stdin is not None
        assert process.stdout is not None
        self._mirror, self._asked, self._told = mirror, process.stdin, process.stdout

    def read(self, name: str) -> bytes:
        """One content.

        Raises:
            StorageError: the mirror does not have it.
        """
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """One content, bit by bit; has to be taken to its end.

        Raises:
            StorageError: the mirror does not have it.
        """
        try:
            self._asked.write(name.encode() + b"\n")
            self._asked.flush()
            words = self._told.readline().split()
        except OSError:
            words = []
        if len(words) != 3 or words[1] != b"blob":
            raise self._mirror.damaged(f"{name} is missing")
        left = int(words[2])
        while left:
            chunk = self._told.read(min(left, CHUNK))
            if not chunk:
                raise self._mirror.damaged(f"{name} breaks off")
            left -= len(chunk)
            yield chunk
        self._told.read(1)


@dataclass(frozen=True)
class Tree:
    """The files of a commit. Paths are relative, parted by `/`.

    Attributes:
        commit: its full hash.
        files: by path, in git's order; each stays within the folder, and so does the target of each link.
        submodules: places of other repositories, which are left out.
    """

    commit: str
    files: Mapping[str, TreeFile]
    submodules: tuple[str, ...]
    mirror: Mirror

    def paths(self) -> list[str]:
        """Of all files and links."""
        return list(self.files)

    def read(self, path: str) -> bytes | None:
        """The content of a file, by way of links; None = there is no such file.

        Raises:
            StorageError: the mirror was damaged.
        """
        links = {each.path: each.target for each in self.files.values() if each.target is not None}
        found = _followed(path.split("/"), links)
        file = None if found is None else self.files.get("/".join(found))
        if file is None or file.target is not None:
            return None
        with self.contents() as contents:
            return contents.read(file.object)

    @contextmanager
    def contents(self) -> Iterator[Contents]:
        """A reader of contents, for the block."""
        with _contents(self.mirror) as contents:
            yield contents


def read_tree(mirror: Mirror, commit: str) -> Tree:
    """The tree of a commit that a mirror has.

    Raises:
        StorageError: the mirror was damaged.
        IntegrityError: of code `"bad_path"`: a path or a link leads out of the folder.
    """
    done = mirror.git(["ls-tree", "-r", "-z", "--full-tree", commit])
    if done.code:
        raise mirror.damaged(done.said)
    files: dict[str, TreeFile] = {}
    submodules, links = [], []
    for row in done.out.split(b"\0")[:-1]:
        told, _, raw = row.partition(b"\t")
        mode, _, name = told.decode().split()
        path = raw.decode("utf-8", "surrogateescape")
        _check(path)
        if path in files or path in submodules:
            raise _bad(path, "is there twice")
        if mode == "160000":
            submodules.append(path)
        else:
            files[path] = TreeFile(path, name, is_program=mode == "100755")
            if mode == "120000":
                links.append(path)
    _check_folders([*files, *submodules])
    files |= _links(mirror, [files[path] for path in links])
    return Tree(commit, files, tuple(submodules), mirror)


def _links(mirror: Mirror, files: list[TreeFile]) -> dict[str, TreeFile]:
    """Links with their targets."""
    if not files:
        return {}
    with _contents(mirror) as contents:
        targets = {each.path: contents.read(each.object).decode("utf-8", "surrogateescape") for each in files}
    for path, target in targets.items():
        is_odd = not target or "\0" in target or "\\" in target or ":" in target.partition("/")[0]
        if is_odd or _followed(path.split("/"), targets) is None:
            raise _bad(path, f"is a link to {shown_value(target)}, which leads out of the folder, or round in a ring")
    return {each.path: TreeFile(each.path, each.object, is_program=False, target=targets[each.path]) for each in files}


def _followed(parts: list[str], links: Mapping[str, str]) -> list[str] | None:
    """Where a path leads, in parts; None = out of the folder, or round for ever."""
    left, place, followed = list(reversed(parts)), list[str](), 0
    while left:
        part = left.pop()
        if part == "..":
            if not place:
                return None
            place.pop()
        elif part not in ("", "."):
            place.append(part)
            target = links.get("/".join(place))
            if target is not None:
                followed += 1
                if followed > MOST_LINKS or target.startswith("/"):
                    return None
                place.pop()
                left += reversed(target.split("/"))
    return place


def _check(path: str) -> None:
    checked_path(path)
    for part in path.split("/"):
        # NTFS and HFS+ take all of these for .git. Source: git, path.c, is_ntfs_dotgit; utf8.c, is_hfs_dotgit.
        plain = part.translate(_INVISIBLE).partition(":")[0].replace("\\", "/").partition("/")[0].rstrip(". ")
        if plain.casefold() in (".git", "git~1"):
            raise _bad(path, "lies in a folder of git's own")


def _check_folders(paths: list[str]) -> None:
    """That nothing is a file and a folder at once: what is written into a link would go where it leads."""
    known = set(paths)
    for path in paths:
        for end in (place for place, character in enumerate(path) if character == "/"):
            if path[:end] in known:
                raise _bad(path, f"lies in {shown_value(path[:end])}, which is no folder")


def _bad(path: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{shown_value(path)} {why}: the commit is not used; have it mended where it was made", code="bad_path"
    )


@contextmanager
def _contents(mirror: Mirror) -> Iterator[Contents]:
    arguments = [*mirror.naming(), "cat-file", "--batch"]
    with started(arguments, folder=mirror.folder.parent, stderr=subprocess.DEVNULL) as process:
        late = threading.Event()

        def end() -> None:
            late.set()
            stop(process, kill=True)

        timer = threading.Timer(READ_S, end)
        timer.daemon = True
        timer.start()
        try:
            yield Contents(mirror, process)
        except StorageError as error:
            if late.is_set():
                message = f"git took longer than {READ_S:g} s to read {mirror.folder}; try again"
                raise StorageError(message, code="timed_out") from error
            raise
        finally:
            timer.cancel()
            _close(process.stdin)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None and not stream.closed:
        try:
            stream.close()
        except OSError:
            return
