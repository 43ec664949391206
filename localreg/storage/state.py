"""Where this machine keeps what must not be lost, and what no store has yet."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["state_folder"]


def state_folder() -> Path:
    """`LOCALREG_STATE`, else the platform's place for what a program must find again."""
    named = os.environ.get("LOCALREG_STATE")
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "localreg" / "State"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "localreg"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "localreg"
