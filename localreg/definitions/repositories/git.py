"""The `git` program, run so that it asks nobody, runs nothing of a repository's, and ends in time.

Guaranteed: of the caller's variables `GIT_…` only those go on that say how a network is reached or where settings
stand (so `GIT_DIR` does not, nor a token that lies in `GIT_KEY`); a process that is given up takes its children along.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from localreg.errors import StorageError

__all__ = ["Done", "run", "started"]

OLDEST: Final = (2, 31)
"""Settings come by the environment from then on."""

STOP_S: Final = 2.0
"""For git to take its lock files away, when it is stopped."""

_KEPT = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|SSL_\w+|PROXY_\w+|HTTP_(USER_AGENT|PROXY_\w+|LOW_SPEED_\w+)|EXEC_PATH"
    r"|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|PARAMETERS|COUNT|KEY_\d+|VALUE_\d+)"
    r"|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)"
)

_SETTINGS: Final = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    # Nothing is ever dropped from a mirror, and no process goes on in the background.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    # A pack comes into being at once, when it is whole; loose objects would come one by one.
    ("fetch.unpackLimit", "1"),
    ("fetch.recurseSubmodules", "false"),
    ("submodule.recurse", "false"),
)


@dataclass(frozen=True, slots=True)
class Done:
    """What git did.

    Attributes:
        code: 0 = all went well.
        out: what it wrote.
        said: what it said beside, its errors.
    """

    code: int
    out: bytes
    said: str


def run(
    arguments: Sequence[str | Path],
    *,
    folder: Path,
    timeout_s: float,
    settings: Sequence[tuple[str, str]] = (),
    variables: Mapping[str, str] | None = None,
) -> Done:
    """Run git to its end.

    Args:
        arguments: what follows `git`. Others can see them: they hold no secret.
        folder: where it runs.
        timeout_s: after which it is stopped.
        settings: keys and values of git's configuration, for this run; may hold secrets.
        variables: of the environment, beside the usual ones.

    Raises:
        TimeoutError: it took longer.
        StorageError: git is not installed or too old, or cannot be started.
    """
    with started(arguments, folder=folder, settings=settings, variables=variables, stdin=subprocess.DEVNULL) as process:
        try:
            out, said = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"git took longer than {timeout_s:g} s") from None
    return Done(process.returncode, out, said.decode("utf-8", "replace"))


@contextmanager
def started(
    arguments: Sequence[str | Path],
    *,
    folder: Path,
    settings: Sequence[tuple[str, str]] = (),
    variables: Mapping[str, str] | None = None,
    stdin: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """A git that runs while the block does, and is stopped after it if it still does.

    Raises:
        StorageError: git is not installed or too old, or cannot be started.
    """
    program = _program()
    try:
        process = subprocess.Popen(
            [program, *map(str, arguments)],
            cwd=folder,
            env={**_environment(settings), **(variables or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # so that those that it starts can be stopped with it
        )
    except OSError as error:
        raise StorageError(
            f"git cannot be run in {folder}: {error.strerror or error}; check the folder and {program}", code="no_git"
        ) from error
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        if process.poll() is None:
            stop(process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
    finally:
        if process.returncode is None:
            stop(process, kill=True)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()


def stop(process: subprocess.Popen[bytes], *, kill: bool = False) -> None:
    """Ask a git that was `started`, and those that it started, to end; `kill` asks nobody."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
        else:
            process.kill()


def _environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or _KEPT.fullmatch(key)}
    said = kept.get("GIT_CONFIG_COUNT", "")
    first = int(said) if said.isascii() and said.isdecimal() else 0
    for number, (key, value) in enumerate((*_SETTINGS, *settings), first):
        kept[f"GIT_CONFIG_KEY_{number}"], kept[f"GIT_CONFIG_VALUE_{number}"] = key, value
    return {
        **kept,
        "GIT_CONFIG_COUNT": str(first + len(_SETTINGS) + len(settings)),
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GCM_INTERACTIVE": "never",
        "GIT_OPTIONAL_LOCKS": "0",
        # Traces that the user's settings ask for would hold our settings.
        "GIT_TRACE2": "0",
        "GIT_TRACE2_EVENT": "0",
        "GIT_TRACE2_PERF": "0",
    }


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise StorageError(
            "git is not installed, or not on PATH; install it (https://git-scm.com) to use code from repositories",
            code="no_git",
        )
    version = _version(found)
    if version is not None and version < OLDEST:
        raise StorageError(
            f"{found} is git {version[0]}.{version[1]}, and {OLDEST[0]}.{OLDEST[1]} is needed; install a newer one",
            code="no_git",
        )
    return found


@cache
def _version(program: str) -> tuple[int, int] | None:
    """None = it does not say."""
    try:
        done = subprocess.run(
            [program, "version"],
            capture_output=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_environment(()),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    told = re.search(rb"(\d+)\.(\d+)", done.stdout)
    return (int(told[1]), int(told[2])) if told else None
