"""What git says when a repository cannot be read, as errors of ours that name the next step.

Git has no codes for it. Its words are those of the C locale, and words that nobody foresaw are shown as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from localreg.errors import InvalidInputError, LocalregError, NotFoundError, StorageError

__all__ = ["UNREACHABLE", "known_failure", "last_line", "unreachable"]

UNREACHABLE: Final = "unreachable"
"""The `code` of the `StorageError` that says: this remote does not answer now."""

_TOKEN_STEP = "write access_token: ${GIT_KEY} beside its url, and set GIT_KEY to a token that may read it"
_STEPS = {
    "https": _TOKEN_STEP,
    "http": _TOKEN_STEP,
    "ssh": "have a key that may read it known to your ssh agent, and try `git ls-remote` of the same url",
    "git": "use its https or ssh url",
    "file": "have the permission to read that folder given to you",
}

_NOISE = re.compile(
    r"^(warning:|hint:|Please make sure|and the repository exists|fatal: Could not read from remote repository"
    r"|fatal: the remote end hung up|fatal: unable to fork|error: RPC failed|To add an exception|\s*git config)",
    re.IGNORECASE,
)
_TELLING = re.compile(r"^(fatal|error|ssh|remote|ERROR):? ", re.IGNORECASE)
_USERINFO = re.compile(r"://[^/\s'\"]*@")


def known_failure(said: str, url: str, scheme: str, *, secrets: Iterable[str] = ()) -> LocalregError | None:
    """The error that git's words mean; None = they are not among those known.

    Args:
        said: by git.
        url: of the repository, without secrets.
        scheme: of the url.
        secrets: texts that no message holds.
    """
    heard = said.replace(url, "")
    line = last_line(said, secrets)
    for pattern, made in _KNOWN:
        if pattern.search(heard):
            return made(url, scheme, line)
    return None


def last_line(said: str, secrets: Iterable[str] = ()) -> str:
    """What tells most of what git said, on one line, without secrets."""
    lines = [each for line in said.splitlines() if (each := line.strip())]
    useful = [line for line in lines if not _NOISE.match(line)]
    telling = [line for line in useful if _TELLING.match(line)]
    line = (telling or useful or lines or ["it said nothing"])[-1]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        line = line.replace(secret, "…")
    # Settings of the user's may lead to a url that holds a password.
    line = _USERINFO.sub("://", line)
    return "".join(character if character.isprintable() else " " for character in line)[:400]


def unreachable(url: str, why: str) -> StorageError:
    """The remote does not answer."""
    return StorageError(
        f"the repository {url} cannot be reached ({why}); check the url and the network, and try again",
        code=UNREACHABLE,
    )


def _denied(url: str, scheme: str, line: str) -> LocalregError:
    return StorageError(f"the repository {url} may not be read ({line}); {_STEPS[scheme]}", code="forbidden")


def _absent(url: str, scheme: str, line: str) -> LocalregError:
    return NotFoundError(
        f"there is no repository {url}, or none that may be read ({line}); check the url, or {_STEPS[scheme]}",
        code="no_repository",
    )


def _no_repository(url: str, scheme: str, line: str) -> LocalregError:
    return InvalidInputError(
        f"{url} is no git repository ({line}); write the url as git clone takes it", code="no_repository"
    )


def _foreign(url: str, scheme: str, line: str) -> LocalregError:
    return StorageError(
        f"the repository {url} belongs to another user, and git does not trust it; if you do, say so with "
        "git config --global --add safe.directory and its folder",
        code="forbidden",
    )


def _unknown_host(url: str, scheme: str, line: str) -> LocalregError:
    return StorageError(
        f"ssh does not know the host of {url}, or its key has changed ({line}); run `git ls-remote` of the same url "
        "once, and look at the key",
        code="forbidden",
    )


def _moved(url: str, scheme: str, line: str) -> LocalregError:
    return InvalidInputError(
        f"{url} leads on to another url, where its access_token does not go ({line}); write the url that it has now"
    )


def _no_ssh(url: str, scheme: str, line: str) -> LocalregError:
    return StorageError(
        f"ssh cannot be run for {url} ({line}); install it, or use the https url of the repository", code="no_ssh"
    )


def _words(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


_KNOWN: Final[tuple[tuple[re.Pattern[str], Callable[[str, str, str], LocalregError]], ...]] = (
    (_words("cannot run .*ssh", "ssh: (command )?not found"), _no_ssh),
    (_words("host key verification failed", "no .*host key is known"), _unknown_host),
    (_words("dubious ownership", "unsafe repository"), _foreign),
    (
        _words(
            *("authentication failed", "could not read (username|password)", "terminal prompts disabled"),
            *("permission denied", "returned error: 40[13]", "access denied", "invalid credentials", "http basic:"),
        ),
        _denied,
    ),
    (_words("unable to update url base from redirection", r"returned error: 30\d"), _moved),
    (
        _words(
            *("is this a git repository", "does not appear to be a git repository", "not a git repository"),
            *("invalid gitfile format", "bad line length", "protocol error: bad"),
        ),
        _no_repository,
    ),
    (
        _words("repository '?.*'? ?not found", "returned error: 4(04|10)", "not exported", "no such (project|repo)"),
        _absent,
    ),
    (
        _words(
            *(
                "could not resolve (host|proxy)",
                "(failed|couldn't|could not|unable) (to )?connect",
                "unable to look up",
            ),
            *("connection (refused|reset|closed|timed out)", "(operation|connection) timed out", "timeout was reached"),
            *("no route to host", "(network|host) is (unreachable|down)", "name or service not known"),
            *("temporary failure in name", "recv failure", "send failure", "empty reply from server"),
            *(r"returned error: (429|5\d\d)", "remote end hung up", "early eof", "unexpected disconnect"),
        ),
        lambda url, scheme, line: unreachable(url, line),
    ),
)
