"""The ground: import, a fresh registry, one commit, a thousand models at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import localreg
from tests.benchmarks.harness import Bench, Figure, process_seconds, raw_commit, sync_folder

OURS = "import localreg; localreg.Registry"
PYDANTIC = "import pydantic\nclass Model(pydantic.BaseModel):\n    name: str\n    owner: str | None = None"


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    yield import_time(bench)
    yield fresh_registry(bench)
    yield one_commit(bench)
    yield from thousand_models(bench)


def import_time(bench: Bench) -> Figure:
    """What a user waits for before the first line of work."""
    return bench.compare(
        "import localreg; localreg.Registry ÷ import pydantic and one model class",
        lambda: process_seconds(OURS),
        lambda: process_seconds(PYDANTIC),
        at_most=1.5,
        times=8,
    )


def fresh_registry(bench: Bench) -> Figure:
    """What a test suite pays in each test."""
    raw = _folder(bench)
    return bench.compare(
        "fresh registry with one model ÷ raw commit",
        lambda: localreg.open(bench.fresh()).create_model("meadow-5"),
        lambda: raw_commit(raw),
        at_most=6,
        times=60,
    )


def one_commit(bench: Bench) -> Figure:
    """What every act costs."""
    raw = _folder(bench)
    registry = localreg.open(bench.fresh())
    numbers = count()
    return bench.compare(
        "one durable one-event commit ÷ raw commit",
        lambda: registry.create_model(f"model {next(numbers)}", metadata={"framework": "pytorch"}),
        lambda: raw_commit(raw),
        at_most=2.0,
        times=200,
    )


def thousand_models(bench: Bench) -> Iterator[Figure]:
    """A bulk import of records."""
    rows: list[dict[str, Any]] = [
        {"name": f"model {n}", "metadata": {f"key {k}": k * 0.1 if k % 2 else f"value {k}" for k in range(10)}}
        for n in range(1000)
    ]

    def ours() -> None:
        registry = localreg.open(bench.fresh())
        with registry.transaction("import"):
            for row in rows:
                registry.create_model(row["name"], metadata=row["metadata"])

    def as_text() -> None:
        _write_synced([{**row, "metadata": json.dumps(row["metadata"])} for row in rows], bench.fresh())

    what = "1,000 models with 10 metadata keys in one transaction ÷ pyarrow writing the rows, synced"
    yield bench.compare(f"{what} (metadata as JSON text)", ours, as_text, at_most=8, times=12)
    yield bench.compare(
        f"{what} (metadata as a struct)", ours, lambda: _write_synced(rows, bench.fresh()), at_most=None, times=12
    )


def _write_synced(rows: list[dict[str, Any]], path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(pa.Table.from_pylist(rows), file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _folder(bench: Bench) -> Path:
    folder = bench.fresh()
    folder.mkdir()
    return folder
