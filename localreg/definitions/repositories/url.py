"""Where a repository lies, as a definition says it: which urls are taken, and which are refused before git sees them.

A url that is taken holds no secret, so it may stand in messages, logs and on a command line.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import url2pathname

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.storage.new_file import checked_local

__all__ = ["Repository", "absolute_url"]

SCHEMES: Final = ("https", "http", "ssh", "git", "file")
FORMS: Final = "write https://host/path, ssh://git@host/path, git@host:path, file:///path or a local path"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9_+.-]+::")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_HOST = re.compile(r"\[[0-9A-Fa-f:.%]+\]|[\w.][\w.-]*")
_USER = re.compile(r"[\w.][\w.-]*")
_SCP = re.compile(r"(?:(?P<user>[^@:/]*)@)?(?P<host>\[[^\]]*\]|[^@:/]*):(?P<path>.*)")
_HASH = re.compile(r"[0-9a-f]{4,40}|[0-9a-f]{64}")
_NO_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock(/|$)")


@dataclass(frozen=True, slots=True)
class Repository:
    """Which code is meant.

    Attributes:
        url: of the repository: https, http, ssh, git or file, `[user@]host:path` or an absolute local path.
        branch: whose newest commit is meant; None = that which the repository stands on.
        commit: the commit itself, which goes before the branch: a full hash, or its first characters, 4 at least.

    Raises:
        InvalidInputError: a url of another form, or one that holds a password or token, which is not repeated; no name
            of a branch, no hash.
    """

    url: str
    branch: str | None = None
    commit: str | None = None

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.branch is not None and (not isinstance(self.branch, str) or _is_no_branch(self.branch)):
            raise InvalidInputError(f"{shown_value(self.branch)} is no name of a branch; write one such as 'main'")
        if self.commit is not None:
            commit = self.commit.lower() if isinstance(self.commit, str) else ""
            if not _HASH.fullmatch(commit):
                raise InvalidInputError(
                    f"{shown_value(self.commit)} is no hash of a commit; write 4 to 40 of its characters 0-9 and a-f "
                    "(or all 64), in quotes"
                )
            object.__setattr__(self, "commit", commit)

    @property
    def scheme(self) -> str:
        """`https`, `http`, `ssh`, `git` or `file`, which local paths are, too."""
        return _scheme(self.url)

    @property
    def path(self) -> Path | None:
        """Where a local one lies; None for all others."""
        if self.scheme != "file":
            return None
        named = _SCHEME.match(self.url)
        return Path(url2pathname(urlsplit(self.url).path) if named else self.url)


def absolute_url(url: str, folder: Path) -> str:
    """A relative local path as one from `folder` on, `~` as the home folder; any other url as it is.

    Raises:
        InvalidInputError: as for `Repository`.
    """
    if not isinstance(url, str) or not url.strip() or not _is_local(url):
        _check_url(url)
        return url
    if "@" in url.partition("/")[0]:
        raise _secret()
    checked_local(url, what="the path of a repository")
    return os.path.abspath(folder / os.path.expanduser(url))


def _check_url(url: object) -> None:
    if not isinstance(url, str) or not url.strip():
        raise InvalidInputError(f"the url of a repository is {shown_value(url)}; {FORMS}")
    if not url.isprintable() or url != url.strip() or url.startswith("-") or _HELPER.match(url):
        raise _unknown(url)
    if _SCHEME.match(url):
        _check_named(url)
    elif _is_local(url):
        if not os.path.isabs(url):
            if "@" in url.partition("/")[0]:
                raise _secret()
            raise InvalidInputError(f"the path {shown_value(url)} of a repository is relative; write all of it")
    else:
        _check_scp(url)


def _check_named(url: str) -> None:
    """One that begins with `scheme://`."""
    if (scheme := _scheme(url)) not in SCHEMES:
        raise _unknown(url)
    parts = _split(url)
    user, at, _ = parts.netloc.rpartition("@")
    if at and (scheme != "ssh" or ":" in unquote(user)):
        raise _secret()
    if scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise _unknown(url)
        return
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InvalidInputError(
            f"the url of a repository on {parts.hostname} goes on after a '?' or '#'; write it as git clone takes it, "
            "and a token as access_token: ${GIT_KEY}"
        )
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}")
    if not _HOST.fullmatch(host) or (at and not _USER.fullmatch(user)) or len(parts.path) < 2:
        raise _unknown(url)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its message repeats a part of the url, which may be one of a password
        raise (_secret() if "@" in url else _unknown(url)) from None
    return parts


def _check_scp(url: str) -> None:
    """One such as `git@host:path`."""
    told = _SCP.fullmatch(url)
    if told is None or ("@" in told["path"] and told["user"] is None) or told["host"].lower() in SCHEMES:
        raise _secret() if "@" in url else _unknown(url)
    is_user = told["user"] is None or _USER.fullmatch(told["user"])
    if not is_user or not _HOST.fullmatch(told["host"]) or not told["path"] or told["path"].startswith("-"):
        raise _unknown(url)


def _scheme(url: str) -> str:
    if named := _SCHEME.match(url):
        return named[1].lower()
    return "file" if _is_local(url) else "ssh"


def _is_local(url: str) -> bool:
    """As git sees it: a colon before the first slash makes an address of it."""
    return not _SCHEME.match(url) and (bool(_DRIVE.match(url)) or ":" not in url.partition("/")[0])


def _is_no_branch(name: str) -> bool:
    """Source: git, check-ref-format(1)."""
    return not name or name == "@" or bool(_NO_BRANCH.search(name)) or not name.isprintable()


def _unknown(url: str) -> InvalidInputError:
    """Shows no more of a url than cannot be a secret."""
    named = _SCHEME.match(url)
    shown = f", which begins with {named[0]}," if named else "" if "@" in url or ":" in url else f" {shown_value(url)}"
    return InvalidInputError(f"the url of a repository{shown} has no known form; {FORMS}")


def _secret() -> InvalidInputError:
    return InvalidInputError(
        "the url of a repository holds a password or token, which would be stored with it; write "
        "access_token: ${GIT_KEY} beside the url instead, and set GIT_KEY in the environment"
    )
