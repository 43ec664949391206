"""The repository itself, wherever it lies: what it is asked, and how a token is handed to git.

A token goes to git by the environment alone, as a header for this url: it stands on no command line, in no url and in
no file. Redirects are not followed with one, as git would take it along to another host.
"""

from __future__ import annotations

import os
import re
import shlex
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path, PurePath
from typing import Final

from localreg.definitions.repositories.failures import UNREACHABLE, known_failure, last_line, unreachable
from localreg.definitions.repositories.git import Done, run
from localreg.definitions.repositories.url import Repository
from localreg.errors import NotFoundError, StorageError

__all__ = ["UNREACHABLE", "Refs", "Remote"]

CONNECT_S: Final = 20
LISTED_S: Final = 60.0
"""At most, for what a repository offers; to fetch may take long."""

# Hosts that hand out no single commit say so, or hang up.
_PERHAPS_FOR_THE_HASH = re.compile(
    r"not our ref|unadvertised object|want \w+ not valid|couldn't find remote ref"
    r"|remote end hung up|early eof|unexpected disconnect|empty reply|expected '",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refs:
    """What a repository offers.

    Attributes:
        heads: the commit of each branch, by its name.
        tags: the commit of the tag that was asked for, by its name.
        head: the commit that the repository stands on; None = it has none.
        branch: the branch that it stands on; None = none, or it does not say.
    """

    heads: Mapping[str, str]
    tags: Mapping[str, str]
    head: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository that can be asked.

    Attributes:
        repository: which.
        token: for http and https, as a password of anybody, or `user:password`; None = as git itself would.
        timeout_s: how long one question may take, or one fetch.
    """

    repository: Repository
    token: str | None = field(repr=False)
    timeout_s: float

    def refs(self, name: str, folder: Path) -> Refs:
        """Its branches, the tag of that name, and what it stands on.

        Args:
            name: of a tag; "" = none.
            folder: to run git in; its parents have no say.

        Raises:
            LocalregError: as for `tell`.
        """
        tag = f"refs/tags/{name}"
        patterns = ["HEAD", "refs/heads/*", *([tag, f"{tag}^{{}}"] if name else [])]
        done = self.ask(["ls-remote", "--symref", "--", self.repository.url, *patterns], folder, most_s=LISTED_S)
        if done.code:
            raise self.tell(done)
        found: dict[str, str] = {}
        branch = None
        for line in done.out.decode("utf-8", "surrogateescape").splitlines():
            value, _, ref = line.partition("\t")
            if ref == "HEAD" and value.startswith("ref: refs/heads/"):
                branch = value.removeprefix("ref: refs/heads/")
            elif not value.startswith("ref: "):
                found[ref] = value
        peeled = found.get(f"{tag}^{{}}") or found.get(tag)
        heads = {ref.removeprefix("refs/heads/"): oid for ref, oid in found.items() if ref.startswith("refs/heads/")}
        return Refs(heads, {name: peeled} if name and peeled else {}, found.get("HEAD"), branch)

    def ask(self, arguments: Sequence[str | Path], folder: Path, *, most_s: float = inf) -> Done:
        """Run git on what may go over the network; that it failed is for the caller to look at.

        Args:
            arguments: of git.
            folder: to run git in; its parents have no say.
            most_s: how long this may take, if the repository may be asked for longer.

        Raises:
            StorageError: of code `UNREACHABLE`: there is no such path, or no answer in time.
        """
        path = self.repository.path
        if path is not None and not path.exists():
            raise unreachable(self.repository.url, f"there is no {path}")
        # What lies above the cache has no say: its settings are those of another repository.
        variables = {"GIT_CEILING_DIRECTORIES": str(folder.parent), **self._ssh(folder)}
        settings, timeout_s = self._credentials(), min(self.timeout_s, most_s)
        try:
            return run(arguments, folder=folder, timeout_s=timeout_s, settings=settings, variables=variables)
        except TimeoutError:
            raise unreachable(self.repository.url, f"it took longer than {timeout_s:g} s") from None

    def tell(self, done: Done) -> Exception:
        """The error for a question that failed.

        Returns:
            `StorageError` of code `UNREACHABLE`, `"forbidden"`, or another; `NotFoundError` for no repository, and
            `InvalidInputError` for what is none.
        """
        return self._known(done) or StorageError(
            f"git could not read the repository {self.repository.url}: {last_line(done.said, self._secrets())}; try "
            "`git ls-remote` of the same url"
        )

    def known(self, done: Done) -> Exception | None:
        """The error, where it is clear that asking in another way would not help."""
        return None if _PERHAPS_FOR_THE_HASH.search(done.said) else self._known(done)

    def _known(self, done: Done) -> Exception | None:
        return known_failure(done.said, self.repository.url, self.repository.scheme, secrets=self._secrets())

    def absent(self, what: str, hint: str) -> NotFoundError:
        """There is no such branch or commit."""
        return NotFoundError(f"the repository {self.repository.url} has no {what}{hint}")

    def _credentials(self) -> list[tuple[str, str]]:
        if not self.token or self.repository.scheme not in ("http", "https"):
            return []
        header = f"http.{self.repository.url}.extraHeader"
        return [
            (header, ""),  # of the user's own settings, which would come on top
            (header, f"Authorization: Basic {self._basic()}"),
            ("http.followRedirects", "false"),
            ("credential.helper", ""),  # they would be asked, and might ask, once the token is refused
        ]

    def _basic(self) -> str:
        token = self.token or ""
        return b64encode(
            (token if ":" in token else f"x-access-token:{token}").encode("utf-8", "surrogateescape")
        ).decode()

    def _secrets(self) -> tuple[str, ...]:
        return (self.token, self._basic(), self.token.rpartition(":")[2]) if self.token else ()

    def _ssh(self, folder: Path) -> dict[str, str]:
        """The user's own command, which is to ask nobody and not to wait for ever."""
        if self.repository.scheme != "ssh":
            return {}
        command = os.environ.get("GIT_SSH_COMMAND")
        if not command:
            done = run(["config", "--get", "core.sshCommand"], folder=folder, timeout_s=self.timeout_s)
            command = done.out.decode("utf-8", "surrogateescape").strip()
        if not command:
            command = shlex.quote(os.environ.get("GIT_SSH") or "ssh")
        words = command.split()
        if PurePath(words[0].strip("'\"")).stem.lower() != "ssh":
            return {}  # of another program nobody knows the options
        return {"GIT_SSH_COMMAND": f"{command} -o BatchMode=yes -o ConnectTimeout={CONNECT_S}"}
