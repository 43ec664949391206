"""Registries that earlier releases wrote, as they are kept beside this file: an archive, and what was said of it."""

from __future__ import annotations

import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

__all__ = ["answers", "unpacked"]


def unpacked(kept: Path, to: Path) -> Path:
    """A copy of the registry, in a new folder."""
    with tarfile.open(kept / "registry.tar.xz") as archive:
        archive.extractall(to / "registry", filter="data")
    return to / "registry"


def answers(kept: Path) -> dict[str, Any]:
    """What the release that wrote it said of it."""
    plain = kept / "expected.json"
    data = plain.read_bytes() if plain.exists() else lzma.decompress((kept / "expected.json.xz").read_bytes())
    said: dict[str, Any] = json.loads(data)
    return said
