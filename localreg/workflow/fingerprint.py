"""The fingerprint of the code that ran: what a later difference can be told by."""

from __future__ import annotations

import inspect
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from localreg.canonical import JsonObject, sha256_hex

__all__ = ["TellsWhatRuns", "changes_since", "code_digest", "fingerprint", "packages_of", "surroundings"]

WEIGHTS_BYTES = 2**30
"""Files of weights up to this length are hashed."""


@runtime_checkable
class TellsWhatRuns(Protocol):
    """An `infer` that only hands samples on, such as to the process of a registered model: what runs, it tells."""

    def __localreg_fingerprint__(self) -> JsonObject:
        """What stands in the fingerprint in the place of what is found out about functions.

        At least `infer` (sha256 of the code, or null) and `git` (`commit` and `dirty`, or null). `packages` is left out
        as long as it cannot be known what the code has loaded.
        """
        ...


def fingerprint(infer: Callable[..., Any] | None, metadata: Mapping[str, object]) -> JsonObject:
    """What ran: Python, platform, packages, git commit, the code of `infer`, weights and seed.

    Args:
        infer: the model's function; or what tells it itself.
        metadata: of the model version; its `weights` (a local file) and `seed` are looked at.

    Returns:
        A JSON object; what cannot be known is null.
    """
    said = _said(infer)
    told: JsonObject = {**_interpreter(), **said}
    if not said:
        told = {
            **surroundings(_folder(infer)),
            "infer": code_digest(infer),
            "weights": _weights(metadata.get("weights")),
        }
    if isinstance(seed := metadata.get("seed"), int | str):
        told["seed"] = seed
    return told


def surroundings(folder: Path | None = None) -> JsonObject:
    """What this process runs in: Python, platform, packages that it has loaded, git commit.

    Args:
        folder: where the code lies; None = where the process was started.
    """
    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    return {**_interpreter(), "packages": packages_of(loaded), "git": _git(folder or Path.cwd())}


def _interpreter() -> JsonObject:
    return {"python": platform.python_version(), "platform": sys.platform, "machine": platform.machine()}


def code_digest(infer: Callable[..., Any] | None) -> str | None:
    """sha256 of the source of a function, or of the class of a callable object; None where there is none to read."""
    if infer is None:
        return None
    if said := _said(infer):
        return None if said["infer"] is None else str(said["infer"])
    sources = []
    for each in _functions(infer):
        target: Any = each if inspect.isroutine(each) else type(each)
        try:
            sources.append(inspect.getsource(inspect.unwrap(target)))
        except (OSError, TypeError):
            return None
    return sha256_hex("\n".join(sources))


def _said(infer: object) -> JsonObject:
    """What a function says of itself; nothing if it says nothing."""
    return infer.__localreg_fingerprint__() if isinstance(infer, TellsWhatRuns) else {}


def _functions(infer: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """What the user wrote: of a function of ours that calls it, the functions that it names as `__localreg_calls__`."""
    return getattr(infer, "__localreg_calls__", (infer,))


def _folder(infer: Callable[..., Any] | None) -> Path:
    try:
        if infer is None:
            return Path.cwd()
        return Path(inspect.getfile(inspect.unwrap(_functions(infer)[0]))).resolve().parent
    except (OSError, TypeError):
        return Path.cwd()


def _git(folder: Path) -> JsonObject | None:
    """The commit that is checked out where the code lies, and whether files differ from it."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    if done.returncode or commit == "(initial)":
        return None
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def packages_of(modules: Collection[str]) -> JsonObject:
    """The installed packages that top-level modules of some names belong to, with their versions."""
    loaded = set(modules)
    return {name: version for name, version, of_package in _installed() if of_package & loaded}


@cache
def _installed() -> list[tuple[str, str, set[str]]]:
    """Name, version and top-level modules of each installed package, looked for once.

    By the names of their folders, `name-version.dist-info`: to parse what is in them takes a third of a second.
    Source: PyPA, Recording installed projects, "The .dist-info directory".
    """
    found: dict[str, tuple[str, str, set[str]]] = {}
    for place in map(Path, sys.path):
        with suppress(OSError):
            for folder in sorted(place.glob("*.dist-info")):
                name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
                modules = {name.replace("-", "_").lower()}
                with suppress(OSError, UnicodeError):
                    modules |= set((folder / "top_level.txt").read_text(encoding="utf-8").split())
                found.setdefault(name, (name, version, modules))
    return list(found.values())


def _weights(place: object) -> JsonObject | None:
    """What a local file of weights holds, and when it was changed last."""
    if not isinstance(place, str) or "://" in place:
        return None
    path = Path(place).expanduser()
    try:
        told = path.stat()
        if not path.is_file() or told.st_size > WEIGHTS_BYTES:
            return None
        return {"sha256": sha256_hex(path.read_bytes()), "bytes": told.st_size, "modified_ns": told.st_mtime_ns}
    except OSError:
        return None


def changes_since(was: JsonObject, infer: Callable[..., Any], metadata: Mapping[str, object]) -> list[str]:
    """What of a model is not as an earlier fingerprint tells, in words; cheap if nothing changed."""
    changed = []
    if was.get("infer") is not None and code_digest(infer) not in (None, was["infer"]):
        changed.append("the code of infer")
    weights, place = was.get("weights"), metadata.get("weights")
    if isinstance(weights, dict) and isinstance(place, str):
        try:
            told = Path(place).expanduser().stat()
        except OSError:
            return changed
        if (told.st_size, told.st_mtime_ns) != (weights["bytes"], weights["modified_ns"]):
            now = _weights(place)
            if now is not None and now["sha256"] != weights["sha256"]:
                changed.append("the file of weights")
    return changed
