"""The code that an experiment runs: what differs from the commit that is checked out, or the sources themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["Code", "captured_code"]

MOST_BYTES = 16 * 2**20
"""Of what is kept of one experiment."""
DIFF, SOURCES = "uncommitted.diff", "sources"

Code = tuple[str, "bytes | Mapping[str, bytes]"]
"""Name of an artifact, and its content: bytes, or files by their relative path."""


def captured_code() -> Code | None:
    """What tells which code runs, beside the commit that the environment names; None = that commit says it all.

    Where the program was started in a working tree of git, it is the difference to the commit, files included that are
    added but not committed. Elsewhere it is the sources of the program, as far as they lie in its folder.
    """
    diff = _diff()
    if diff is not None:
        return (DIFF, diff) if diff and len(diff) <= MOST_BYTES else None
    files = dict(_sources())
    return (SOURCES, files) if files and sum(map(len, files.values())) <= MOST_BYTES else None


def _diff() -> bytes | None:
    """None = there is no git, or no commit."""
    try:
        done = subprocess.run(
            ["git", "diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv", "--no-color"],
            capture_output=True,
            timeout=30,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return None if done.returncode else done.stdout


def _sources() -> Iterator[tuple[str, bytes]]:
    """The program and the modules that it has loaded from its own folder."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if not isinstance(main, str) or "site-packages" in main:
        return
    folder = Path(main).resolve().parent
    modules = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for file in sorted({Path(each).resolve() for each in modules if isinstance(each, str)}):
        if file.suffix == ".py" and file.is_relative_to(folder) and "site-packages" not in file.parts:
            with suppress(OSError):
                yield file.relative_to(folder).as_posix(), file.read_bytes()
