"""What is done against faults: cleaning up, checking, signing."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow as pa

import localreg
from localreg import Registry
from localreg.access import make_key
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session import Changes
from tests.benchmarks.harness import Bench, Figure

FILES = 100_000
PARTS = 10_000
BULK_FILES = 16
BULK_BYTES = 32 << 20


def figures(bench: Bench) -> Iterator[Figure]:
    """All rows of this group."""
    yield from upkeep(bench)
    yield verify_bulk_files(bench)
    yield signed_commit(bench)


def upkeep(bench: Bench) -> Iterator[Figure]:
    """Garbage collection, and merged parts."""
    registry = many_files(bench.fresh())
    taken = []
    for _ in range(bench.rounds):
        begun = time.perf_counter()
        (found,) = localreg.open(registry.uri).gc().garbage
        taken.append(time.perf_counter() - begun)
        assert found.files == FILES // 2
    slowest = max(taken)
    yield Figure(f"gc() of {FILES:,} files, half of them garbage, dry run ÷ 1 s", slowest, 10, slowest, 1)
    merged, one = (reported(bench.fresh(), at_once=at_once) for at_once in (False, True))
    merged.compact()
    what = f"a query over {PARTS:,} parts of one row after compact() ÷ over one file"
    yield bench.compare(what, partial(counted, merged), partial(counted, one), at_most=2, times=10)


def many_files(folder: Path) -> Registry:
    """A registry of as many files, half of which a commit names."""
    registry = localreg.open(folder)
    owner = registry.create_model("m").id
    pointers = []
    for number in range(FILES):
        if number % 1_000 == 0:
            place = folder / f"namespaces/default/data/inferences/{new_id()}"
            place.mkdir(parents=True)
        path = place / f"{new_id()}.parquet"
        path.write_bytes(b"")
        if number % 2:
            name = str(path.relative_to(folder / "namespaces/default"))
            pointers.append(FilePointer(name, "inferences", owner, 0, 0, "00" * 32, {}))

    def bring(changes: Changes) -> None:
        model = changes.draft.children("model")[0]
        for begin in range(0, len(pointers), 1_000):
            changes.note(model, action="upload", files=tuple(pointers[begin : begin + 1_000]))

    registry._session.change(bring)
    return registry


def reported(folder: Path, *, at_once: bool) -> Registry:
    """A registry of as many events, each a part of its own, or all in one."""
    registry = localreg.open(folder)
    model = registry.create_model("m")
    names = [f"step {number}" for number in range(PARTS)]
    if at_once:
        model.log_events(pa.table({"name": names}))
        return registry
    with registry.transaction():
        for name in names:
            model.event(name)
    return registry


def counted(registry: Registry) -> int:
    """How many events there are of a name."""
    return len(registry.sql("SELECT name, count(*) AS n FROM events WHERE name LIKE '%7%' GROUP BY name").dicts())


def verify_bulk_files(bench: Bench) -> Figure:
    """What a nightly check costs: all bytes are read and hashed; both find them in the file system's cache."""
    folder, source = bench.fresh(), bench.fresh()
    registry = localreg.open(folder)
    model = registry.create_model("m")
    for number in range(BULK_FILES):
        source.write_bytes(os.urandom(BULK_BYTES))
        model.create_version(str(number)).upload(source)
    source.unlink()
    paths = [str(path) for path in (folder / "namespaces/default/artifacts").rglob("*") if path.is_file()]
    return bench.compare(
        f"verify of {BULK_FILES} bulk files of 32 MiB ÷ sha256sum of the same",
        lambda: registry.verify(),
        lambda: subprocess.run(["sha256sum", *paths], check=True, capture_output=True),
        at_most=1.2,
        times=3,
    )


def signed_commit(bench: Bench) -> Figure:
    """What it costs that an entry counts only if a signer has signed it."""
    file = bench.fresh()
    public = make_key(os.fspath(file))
    plain = localreg.open(bench.fresh())
    signed = localreg.open(bench.fresh(), signing_key=file)
    signed.create_model("first")
    signed.add_signer("bench", public)
    numbers = count()
    return bench.compare(
        "signed commit ÷ unsigned",
        lambda: signed.create_model(f"model {next(numbers)}", metadata={"framework": "pytorch"}),
        lambda: plain.create_model(f"model {next(numbers)}", metadata={"framework": "pytorch"}),
        at_most=1.2,
        times=200,
    )
