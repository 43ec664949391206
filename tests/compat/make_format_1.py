"""Make the registries of format 1 that are kept, as this release writes them, with what is in each.

    PYTHONPATH=. python -m tests.compat.make_format_1 everything format_1_2027_05

`format_1` was made by `scenario`, before there were experiments, artifacts, policies and data sets;
`format_1_2026_11` by `everything`, with all of these; `format_1_2026_11_features` by `features`,
with signers, an import and garbage. They stay as they are, and each release opens them: none is made anew. When the
format has gained something, let `everything` or `features` have it, and make another one.
"""

from __future__ import annotations

import json
import lzma
import sys
import tarfile
import tempfile
from pathlib import Path

import localreg
from localreg.log import log, snapshot
from tests.compat import everything, features

HERE = Path(__file__).parent
SNAPSHOT_EVERY = 8
"""So that there are snapshots, and entries after the last one, though the registry is small."""
SMALL = 16
"""So that a snapshot is a set of several layers."""


SCENARIOS = {"everything": everything, "features": features}


def make(scenario: str, folder: Path) -> None:
    """Write `registry.tar.xz` and `expected.json.xz` into a folder."""
    folder.mkdir()
    expected = {}
    with tempfile.TemporaryDirectory() as temporary:
        registry = Path(temporary) / "registry"
        usual = log.SNAPSHOT_EVERY, snapshot.SMALL
        log.SNAPSHOT_EVERY, snapshot.SMALL = SNAPSHOT_EVERY, SMALL
        try:
            SCENARIOS[scenario].build(registry, Path(temporary)).close()
        finally:
            log.SNAPSHOT_EVERY, snapshot.SMALL = usual
        for namespace in SCENARIOS[scenario].NAMESPACES:
            with localreg.open(registry, namespace=namespace, read_only=True) as opened:
                expected[namespace] = SCENARIOS[scenario].answers(opened)
        _pack(registry, folder / "registry.tar.xz")
    (folder / "expected.json.xz").write_bytes(lzma.compress(json.dumps(expected).encode(), preset=9))


def _pack(registry: Path, target: Path) -> None:
    """Compressed as one: entries repeat each other's ids and words."""
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in sorted(path for path in registry.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(path.relative_to(registry).as_posix())
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(member, file)


if __name__ == "__main__":
    make(sys.argv[1], HERE / sys.argv[2])
    for made in sorted((HERE / sys.argv[2]).iterdir()):
        print(f"{made.name}: {made.stat().st_size:,} bytes")
