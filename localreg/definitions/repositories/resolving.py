"""Which commit a definition means, and its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from localreg.definitions.repositories.mirror import Mirror, mirrors_folder
from localreg.definitions.repositories.remote import Refs, Remote
from localreg.definitions.repositories.tree import Tree, read_tree
from localreg.definitions.repositories.url import Repository
from localreg.errors import InvalidInputError
from localreg.names import did_you_mean

__all__ = ["FETCH_S", "Resolved", "cached", "open_tree", "resolve"]

FETCH_S: Final = 600.0
_FULL = (40, 64)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is meant, as of now.

    Attributes:
        commit: its full hash, 40 or 64 characters.
        branch: which was followed, or that was named beside a hash; None = none.
    """

    commit: str
    branch: str | None


def resolve(repository: Repository, *, token: str | None = None, timeout_s: float = FETCH_S) -> Resolved:
    """Which commit is meant now. Asks the repository, but for a full hash that is in the cache.

    A branch is only looked up. A commit named by its hash is fetched, and an abbreviated one needs all branches.

    Args:
        repository: as the definition says it.
        token: for http and https, as a password of anybody, or `user:password`; None or "" = as git itself would.
        timeout_s: how long the fetch may take; to look up a branch takes a minute at most.

    Raises:
        NotFoundError: there is no such branch or commit, or no such repository on its host.
        StorageError: of code `UNREACHABLE`: no such host or path, no answer; of code `"forbidden"`: it may not be
            read; of code `"no_git"`: git is not installed.
        InvalidInputError: what is there is no repository; several commits begin so.
    """
    remote = Remote(repository, (token or "").strip() or None, timeout_s)
    if repository.commit is None:
        return _branch(remote, repository.branch)
    if len(repository.commit) in _FULL:
        return Resolved(_fetched(remote, repository.commit)[1], repository.branch)
    return Resolved(_short(remote, repository.commit), repository.branch)


def cached(repository: Repository, commit: str) -> bool:
    """Whether a commit, by its full hash, can be had without the network."""
    return Mirror(repository.url, len(commit)).kept(_full(commit)) is not None


def open_tree(repository: Repository, commit: str, *, token: str | None = None, timeout_s: float = FETCH_S) -> Tree:
    """The files of a commit, which is fetched if it is not in the cache.

    Args:
        repository: where to fetch it.
        commit: its full hash.
        token: as for `resolve`.
        timeout_s: how long the fetch may take.

    Raises:
        LocalregError: as for `resolve`.
        IntegrityError: of code `"bad_path"`: a file or link of it leads out of its folder.
    """
    remote = Remote(repository, (token or "").strip() or None, timeout_s)
    mirror, found = _fetched(remote, _full(commit))
    return read_tree(mirror, found)


def _full(commit: str) -> str:
    if len(commit) not in _FULL:
        raise InvalidInputError(f"{commit!r} is no full hash of a commit; resolve it first")
    return commit.lower()


def _fetched(remote: Remote, commit: str) -> tuple[Mirror, str]:
    mirror = Mirror(remote.repository.url, len(commit))
    found = mirror.kept(commit) or mirror.fetch(remote, commit)
    if found is None:
        raise remote.absent(f"commit {commit}", "; check the hash, and that it was pushed")
    return mirror, found


def _short(remote: Remote, commit: str) -> str:
    lengths = map(len, _refs(remote, "").heads.values())
    found = Mirror(remote.repository.url, next(lengths, 40)).fetch_short(remote, commit)
    if not found:
        raise remote.absent(
            f"commit that begins with {commit} on any branch or tag", "; check the hash, and that it was pushed"
        )
    if len(found) > 1:
        raise InvalidInputError(
            f"{len(found)} commits of the repository {remote.repository.url} begin with {commit}: "
            f"{', '.join(found[:3])}{', …' if len(found) > 3 else ''}; write more of the hash"
        )
    return found[0]


def _branch(remote: Remote, name: str | None) -> Resolved:
    refs = _refs(remote, name or "")
    if name is None:
        if refs.head is None:
            hint = f"; name a branch{did_you_mean('main', refs.heads)}" if refs.heads else "; push one first"
            raise remote.absent("commit that it stands on", hint)
        return Resolved(refs.head, refs.branch)
    if name not in refs.heads:
        hint = f"; it is a tag: write hash: {refs.tags[name]}" if name in refs.tags else did_you_mean(name, refs.heads)
        raise remote.absent(f"branch {name!r}", hint or "; check the name, and that it was pushed")
    return Resolved(refs.heads[name], name)


def _refs(remote: Remote, name: str) -> Refs:
    return remote.refs(name, mirrors_folder())
