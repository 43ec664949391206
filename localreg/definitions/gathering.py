"""What a definition names, looked for before anything is stored: code, files, functions; all faults at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from localreg.definitions import repositories
from localreg.definitions.credentials import storage_options
from localreg.definitions.entrypoints import Code, check_entrypoints
from localreg.definitions.faults import Faults
from localreg.definitions.parsing import Entry
from localreg.definitions.schema import File
from localreg.definitions.snapshot import code_files
from localreg.definitions.templates import parsed
from localreg.errors import LocalregError
from localreg.names import shown_value

__all__ = ["Gathered", "GatheredFile", "Gathering", "is_local", "local_path"]


class GatheredFile(NamedTuple):
    """A file that a definition names.

    Attributes:
        said: by the definition.
        path: where it lies here; None = elsewhere.
        is_stored: it goes into the registry.
        storage_options: for its place.
        place: where it is said, for messages.
    """

    said: File
    path: Path | None
    is_stored: bool
    storage_options: Mapping[str, object]
    place: str


@dataclass(frozen=True)
class Gathered:
    """What one entry comes with.

    Attributes:
        entry: it.
        repository: as its record says it; None = there is none.
        snapshot: files of local code, with their relative paths; None = there is none.
        git: the commit that local code lies at, and whether it differs from that.
        files: weights and the like.
        notes: what could not be known, in words.
        model: id of the model that gets a version; None = the one of that name, which is made if there is none.
    """

    entry: Entry
    repository: dict[str, Any] | None
    snapshot: list[tuple[str, Path]] | None
    git: dict[str, Any] | None
    files: list[GatheredFile]
    notes: list[str] = field(default_factory=list)
    model: str | None = None


class Gathering:
    """Looks for what the entries of one document name.

    Args:
        folder: relative paths are meant from there.
        code: folder of the code of entries without a repository; None = these have none.
        leave_out: what of it is no code.
        faults: takes what is wrong.
        environment: environment variables.
        network: whether repositories are asked.
    """

    def __init__(
        self,
        folder: Path,
        code: Path | None,
        leave_out: Iterable[Path],
        faults: Faults,
        environment: Mapping[str, str],
        *,
        network: bool,
    ) -> None:
        self._folder = folder
        self._code = code
        self._leave_out = list(leave_out)
        self._faults = faults
        self._environment = environment
        self._network = network
        self._snapshot: list[tuple[str, Path]] | None = None
        self._judged: dict[Path, str | None] = {}

    def gathered(self, entry: Entry) -> Gathered:
        """What an entry names; what is missing stands among the faults."""
        notes: list[str] = []
        repository, code = self._repository(entry, notes)
        snapshot = None if entry.definition.repository is not None else self._local(entry)
        if snapshot:
            by_name = dict(snapshot)
            code = Code(by_name.keys(), lambda name: by_name[name].read_bytes())
        runtime = entry.definition.runtime
        if runtime is not None and code is not None:
            check_entrypoints(runtime, (*entry.path, "runtime"), code, self._faults)
        elif runtime is not None and repository is None and not self._faults.under(entry.path):
            self._faults.add((*entry.path, "runtime"), "has no code to run; give a repository, or a folder with code")
        git = self._git if snapshot else None
        return Gathered(entry, repository, snapshot or None, git, self._files(entry), notes)

    # --- code ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _git(self) -> dict[str, Any] | None:
        """The commit that local code lies at."""
        tree = None if self._code is None else repositories.working_tree(self._code)
        return None if tree is None else asdict(tree)

    def _local(self, entry: Entry) -> list[tuple[str, Path]] | None:
        if self._code is None:
            return None
        if self._snapshot is None:
            try:
                self._snapshot = code_files(self._code, self._leave_out)
            except LocalregError as error:
                self._faults.add(entry.path, str(error))
                return None
        return self._snapshot

    def _repository(self, entry: Entry, notes: list[str]) -> tuple[dict[str, Any] | None, Code | None]:
        said = entry.definition.repository
        if said is None:
            return None, None
        path = (*entry.path, "repository")
        if self._faults.under(path):
            return {}, None
        record = {key: value for key, value in said.model_dump().items() if value is not None}
        try:
            url = repositories.absolute_url(said.url, self._folder)
            repository = repositories.Repository(url, said.branch, said.hash)
        except LocalregError as error:
            self._faults.add((*path, "url"), str(error))
            return record, None
        record["url"] = url
        if not self._network:
            notes.append(f"{self._faults.place(path)}: was not asked, as the network is off")
            return {**record, "commit": repository.commit if is_full(repository.commit) else None}, None
        token = self._secret(said.access_token, (*path, "access_token"))
        if said.access_token is not None and token is None:
            return record, None
        try:
            commit = repositories.resolve(repository, token=token).commit
            tree = repositories.open_tree(repository, commit, token=token)
            return {**record, "commit": commit}, Code(tree.paths(), lambda name: tree.read(name) or b"")
        except LocalregError as error:
            key = "hash" if said.hash is not None else "branch" if said.branch is not None else "url"
            self._faults.add((*path, key if error.code == "not_found" else "url"), str(error))
            return record, None

    def _secret(self, text: str | None, path: tuple[str | int, ...]) -> str | None:
        """A secret, from the environment; what is not set is a fault."""
        if text is None:
            return None
        values = []
        for each in parsed(text).environment:
            values.append(each.value(self._environment))
            if values[-1] is None:
                reason = f"refers to the environment variable {each.name}, which is not set; set it"
                self._faults.add(path, reason)
        return None if None in values else "".join(map(str, values))

    # --- files --------------------------------------------------------------------------------------------------------

    def _files(self, entry: Entry) -> list[GatheredFile]:
        found = []
        for number, said in enumerate(entry.definition.files):
            path = (*entry.path, "files", number)
            if self._faults.under(path):
                continue
            if said.name == "code":
                self._faults.add((*path, "name"), "is 'code', as the code itself is called; choose another name")
            place = local_path(said.url, self._folder)
            is_stored = said.upload if said.upload is not None else place is not None
            options: Mapping[str, object] = {}
            if place is not None and place not in self._judged:
                self._judged[place] = _wrong_file(place, self._code or self._folder)
            reason = None if place is None else self._judged[place]
            if reason is not None:
                self._faults.add((*path, "url"), reason)
            elif place is None and is_stored and not self._network:
                self._faults.add((*path, "upload"), "needs the network, which is off; let it be false, or turn it on")
            elif place is None and is_stored and said.credentials is not None:
                options = self._options(said, path)
            found.append(GatheredFile(said, place, is_stored, options, self._faults.place((*path, "url"))))
        return found

    def _options(self, said: File, path: tuple[str | int, ...]) -> Mapping[str, object]:
        resolved: dict[str, str] | str | None
        if isinstance(said.credentials, str):
            resolved = self._secret(said.credentials, (*path, "credentials"))
        else:
            values = {key: self._secret(each, (*path, "credentials", key)) for key, each in said.credentials.items()}
            resolved = {key: each for key, each in values.items() if each is not None}
        if resolved is None:
            return {}
        try:
            return storage_options(said.url, resolved)
        except LocalregError as error:
            self._faults.add((*path, "credentials"), str(error))
            return {}


def _wrong_file(place: Path, code: Path) -> str | None:
    """What is wrong with a file on this machine."""
    try:
        if not place.exists():
            return f"there is no file {str(place)!r}; correct the path"
        if not (place.is_file() or place.is_dir()):
            return f"is {str(place)!r}, which is neither a file nor a folder"
        if code.resolve().is_relative_to(place.resolve()):
            return f"is {str(place)!r}, the folder of the code itself; name a file or folder within"
    except (OSError, ValueError) as error:
        return f"is {shown_value(str(place))}, which is no path that a file can have: {error}"
    return None


def is_full(commit: str | None) -> bool:
    """Whether a hash is that of one commit, and not only its beginning."""
    return commit is not None and len(commit) in (40, 64)


def local_path(url: str, folder: Path) -> Path | None:
    """Where a file lies here, that is named by a path or a `file://` address; None = it lies elsewhere."""
    if url.startswith("file://"):
        return Path(url2pathname(urlsplit(url).path))
    return folder / os.path.expanduser(url) if is_local(url) else None


def is_local(url: str) -> bool:
    """Whether a file is named by a path or a `file://` address."""
    return url.startswith("file://") or not ("://" in url or "::" in url)
