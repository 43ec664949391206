"""Make `tests/compat/format_1/`: a registry of format 1 as this release writes it, and what is in it.

    PYTHONPATH=. python tests/compat/make_format_1.py

Run it only while format 1 may still change: once released, the registry stays as it is, and each release opens it.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import localreg
from localreg.log import log
from tests.compat import scenario

FOLDER = Path(__file__).parent / "format_1"
SNAPSHOT_EVERY = 8
"""So that the registry has a snapshot, and entries after it, though it is small."""


def make(folder: Path) -> None:
    """Write `registry.tar.xz` and `expected.json` into a folder."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        registry = Path(temporary) / "registry"
        usual, log.SNAPSHOT_EVERY = log.SNAPSHOT_EVERY, SNAPSHOT_EVERY
        try:
            scenario.build(registry, filler=0).close()
        finally:
            log.SNAPSHOT_EVERY = usual
        with localreg.open(registry, read_only=True) as opened:
            expected = scenario.answers(opened)
        _pack(registry, folder / "registry.tar.xz")
    (folder / "expected.json").write_text(_lines({"localreg": localreg.__version__, **expected}), encoding="utf-8")


def _lines(expected: dict[str, Any]) -> str:
    """JSON with one line an event or row: short, and differences can be read."""
    parts = []
    for key, value in expected.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value)
            text = f"[\n{rows}\n]"
        parts.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _pack(registry: Path, target: Path) -> None:
    """Compressed as one: entries repeat each other's ids and words."""
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in sorted(path for path in registry.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(path.relative_to(registry).as_posix())
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(member, file)


if __name__ == "__main__":
    make(FOLDER)
    for made in sorted(FOLDER.iterdir()):
        print(f"{made.name}: {made.stat().st_size:,} bytes")
