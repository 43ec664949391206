"""Bare copies of repositories in the cache: what was fetched once is there for ever, without the network.

Guaranteed: any number of processes share a mirror, and one of them fetches at a time; a commit counts as fetched
(`refs/localreg/<hash>` names it) only once git has made sure that all its files are there. A mirror keeps no settings
and no secrets, and may be deleted while nobody uses it.

Accepted: nothing is dropped from a mirror. A fetch that outlives its killed process may be disturbed by the next one,
and then fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from localreg.definitions.repositories.git import Done, run
from localreg.definitions.repositories.remote import Remote
from localreg.errors import StorageError
from localreg.storage.cache import cache_folder

__all__ = ["LOCAL_S", "Mirror", "mirrors_folder"]

LOCAL_S: Final = 120.0
"""For what needs no network."""

_ALL = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
_WHOLE_HISTORY: Final = 2**31 - 1  # as git fetch --unshallow, which fails where nothing is missing


def mirrors_folder() -> Path:
    """Where mirrors lie; it is made, for this user alone.

    Raises:
        StorageError: it cannot be made.
    """
    folder = cache_folder() / "repositories"
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


def _unusable(folder: Path, error: Exception) -> StorageError:
    return StorageError(
        f"cannot keep repositories in the cache {folder}: {getattr(error, 'strerror', None) or error}; make room or "
        "give it permissions, or set LOCALREG_CACHE to a folder that has both",
        code="cache_unusable",
    )


class Mirror:
    """The mirror of one url.

    Attributes:
        folder: where it lies; need not be there.
    """

    def __init__(self, url: str, hash_length: int) -> None:
        """Look at the mirror of `url`; git keeps hashes of 40 and of 64 characters apart."""
        self._hash = "sha256" if hash_length == 64 else "sha1"
        digest = sha256(url.encode("utf-8", "surrogateescape")).hexdigest()
        self.folder = mirrors_folder() / (digest if self._hash == "sha1" else f"{digest}-sha256")

    def kept(self, full_hash: str) -> str | None:
        """The commit that a hash means, of a commit or a tag, if all its files are here."""
        return self._commit(f"refs/localreg/{full_hash}")

    def fetch(self, remote: Remote, full_hash: str) -> str | None:
        """Have a commit here with all its files.

        Args:
            remote: where to fetch it, if it is not here.
            full_hash: of a commit, or of a tag.

        Returns:
            The commit; None = the remote has none of that hash.

        Raises:
            LocalregError: as for `Remote.tell`, or another process fetches for too long.
        """
        with self._alone(remote.timeout_s):
            if commit := self.kept(full_hash):
                return commit
            done = self._fetch(remote, ["--no-tags", "--depth=1"], [f"{full_hash}:refs/localreg/{full_hash}"])
            if done.code:
                if error := remote.known(done):
                    raise error
                self._fetch_all(remote)
                commit = self._commit(full_hash)
            else:
                commit = self.kept(full_hash)
            return self._keep(commit)

    def fetch_short(self, remote: Remote, short_hash: str) -> list[str]:
        """All commits whose hash begins so, fetched.

        Raises:
            LocalregError: as for `fetch`.
        """
        with self._alone(remote.timeout_s):
            self._fetch_all(remote)
            objects = self.git(["rev-parse", f"--disambiguate={short_hash}"]).out.decode().split()
            commits = [each for each in objects if self._commit(each) == each]
            if len(commits) == 1:
                self._keep(commits[0])
            return sorted(commits)

    def git(self, arguments: Sequence[str | Path]) -> Done:
        """Run git on the mirror alone.

        Raises:
            StorageError: it takes too long.
        """
        try:
            return run([*self.naming(), *arguments], folder=self.folder.parent, timeout_s=LOCAL_S)
        except TimeoutError as error:
            raise StorageError(f"{error} on {self.folder}; try again", code="timed_out") from None

    def naming(self) -> list[str]:
        """The arguments that lead git to the mirror."""
        return [f"--git-dir={self.folder}"]

    def _commit(self, name: str) -> str | None:
        if not self.folder.is_dir():
            return None
        done = self.git(["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"])
        return None if done.code else done.out.decode().strip()

    def _keep(self, commit: str | None) -> str | None:
        if commit is not None:
            done = self.git(["update-ref", f"refs/localreg/{commit}", commit])
            if done.code:
                raise self.damaged(done.said)
        return commit

    def damaged(self, why: str) -> StorageError:
        """Something is not there that was fetched."""
        line = (why.strip().splitlines() or ["it is not whole"])[-1]
        return StorageError(
            f"the copy of a repository in {self.folder} is damaged ({line}); delete that folder, and it is fetched "
            "anew",
            code="cache_damaged",
        )

    def _fetch_all(self, remote: Remote) -> None:
        deep = [f"--depth={_WHOLE_HISTORY}"] if (self.folder / "shallow").exists() else []
        done = self._fetch(remote, ["--prune", "--no-tags", "--update-shallow", *deep], _ALL)
        if done.code:
            raise remote.tell(done)

    def _fetch(self, remote: Remote, options: Sequence[str], refs: Sequence[str]) -> Done:
        fixed = ["fetch", "--quiet", "--no-write-fetch-head", *options, "--", remote.repository.url]
        done = remote.ask([*self.naming(), *fixed, *refs], self.folder.parent)
        if f"not a git repository: '{self.folder}'" in done.said:
            raise self.damaged(done.said)
        return done

    @contextmanager
    def _alone(self, timeout_s: float) -> Iterator[None]:
        """While no other process fetches; the mirror is there."""
        from filelock import FileLock, Timeout

        lock = FileLock(f"{self.folder}.lock", timeout=timeout_s)
        try:
            lock.acquire()
        except Timeout:
            raise StorageError(
                f"another process has been fetching into {self.folder} for more than {timeout_s:g} s; try again later",
                code="busy",
            ) from None
        except (OSError, NotImplementedError) as error:  # a share that cannot lock, too
            raise _unusable(self.folder.parent, error) from error
        try:
            self._make()
            self._unlock()
            yield
        finally:
            lock.release()

    def _make(self) -> None:
        if self.folder.is_dir():
            return
        made = self.folder.with_name(f"incoming-{os.urandom(8).hex()}")
        try:
            done = self._init(made)
            if done.code:
                raise StorageError(f"git cannot make {made}: {done.said.strip()}", code="cache_unusable")
            os.rename(made, self.folder)
        except StorageError:
            raise
        except OSError as error:
            raise _unusable(made, error) from error
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _init(self, made: Path) -> Done:
        arguments: list[str | Path] = [
            "init",
            "--quiet",
            "--bare",
            "--template=",
            f"--object-format={self._hash}",
            made,
        ]
        try:
            return run(arguments, folder=self.folder.parent, timeout_s=LOCAL_S)
        except TimeoutError as error:
            raise StorageError(f"{error} to make {made}; try again", code="timed_out") from None

    def _unlock(self) -> None:
        """Take away what a killed fetch left: nobody else is at it, and git would not go on."""
        left = [*self.folder.glob("*.lock"), *(self.folder / "refs").rglob("*.lock")]
        for each in [*left, *(self.folder / "objects" / "pack").glob("tmp_*")]:
            with suppress(OSError):
                each.unlink()
