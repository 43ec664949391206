"""The fingerprint of the code that ran: what a later difference can be told by."""

from __future__ import annotations

import inspect
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from localreg.canonical import JsonObject, sha256_hex

__all__ = ["changes_since", "code_digest", "fingerprint", "surroundings"]

WEIGHTS_BYTES = 2**30
"""Files of weights up to this length are hashed."""


def fingerprint(infer: Callable[..., Any] | None, metadata: Mapping[str, object]) -> JsonObject:
    """What ran: Python, platform, packages, git commit, the code of `infer`, weights and seed.

    Args:
        infer: the model's function.
        metadata: of the model version; its `weights` (a local file) and `seed` are looked at.

    Returns:
        A JSON object; what cannot be known is null.
    """
    registered = getattr(infer, "told", None)
    if isinstance(registered, dict):  # the code is that of a definition, and not what calls it here
        return {**surroundings(), **registered}
    told: JsonObject = {
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
    return {
        "python": platform.python_version(),
        "platform": sys.platform,
        "machine": platform.machine(),
        "packages": _packages(),
        "git": _git(folder or Path.cwd()),
    }


def code_digest(infer: Callable[..., Any] | None) -> str | None:
    """sha256 of the source of a function, or of the class of a callable object; None where there is none to read."""
    if infer is None:
        return None
    if isinstance(registered := getattr(infer, "told", None), dict):
        return str(registered["infer"])
    sources = []
    for each in _functions(infer):
        target: Any = each if inspect.isroutine(each) else type(each)
        try:
            sources.append(inspect.getsource(inspect.unwrap(target)))
        except (OSError, TypeError):
            return None
    return sha256_hex("\n".join(sources))


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


def _packages() -> JsonObject:
    """The installed packages that the program has loaded, with their versions."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    return {name: version for name, version, modules in _installed() if modules & loaded}


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
