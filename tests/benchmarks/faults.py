"""What is done against faults: checking, cleaning up, signing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import localreg
from tests.benchmarks.harness import Bench, Figure

FILES = 16
FILE_BYTES = 32 << 20


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    yield verify_bulk_files(bench)


def verify_bulk_files(bench: Bench) -> Figure:
    """What a nightly check costs: all bytes are read and hashed; both find them in the file system's cache."""
    folder, source = bench.fresh(), bench.fresh()
    registry = localreg.open(folder)
    model = registry.create_model("m")
    for number in range(FILES):
        source.write_bytes(os.urandom(FILE_BYTES))
        model.create_version(str(number)).upload(source)
    source.unlink()
    paths = [str(path) for path in (folder / "namespaces/default/artifacts").rglob("*") if path.is_file()]
    return bench.compare(
        f"verify of {FILES} bulk files of 32 MiB ÷ sha256sum of the same",
        lambda: registry.verify(),
        lambda: subprocess.run(["sha256sum", *paths], check=True, capture_output=True),
        at_most=1.2,
        times=3,
    )
