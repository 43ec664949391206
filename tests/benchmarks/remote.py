"""A registry in a bucket: a commit beside the one request that it cannot do without; the requests of an opening."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import localreg
from localreg import Registry
from localreg.log.entry import entry_path
from localreg.log.layer import Layer
from localreg.log.snapshot import HINT, LayeredBase
from localreg.storage.address import parse_address
from localreg.storage.remote import RemoteStore
from tests.benchmarks.harness import Bench, Figure
from tests.crash.wire import Wire
from tests.remote import Server, options, served

COMMITS = 10_000
"""In the log that is opened; all but the tail are behind a snapshot."""
TAIL = 10
"""Entries after the snapshot."""
COLD_REQUESTS = 6
WARM_REQUESTS = 2
"""Besides one for each entry that is read."""


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    with served() as server:
        with own_cache(bench.fresh()):
            yield one_commit(bench, server)
        yield from opening(bench, server)


def one_commit(bench: Bench, server: Server) -> Figure:
    """The probe of the tail and the conditional put, beside a bare conditional put by the same library."""
    uri = f"s3://{server.bucket()}/registry"
    registry = localreg.open(uri, storage_options=options(server.endpoint))
    fs, root = parse_address(uri, options(server.endpoint)).connect()
    numbers = count()
    registry.create_model("first")
    return bench.compare(
        "one commit on S3 (moto's server, loopback) ÷ one bare conditional PUT",
        lambda: registry.create_model(f"model {next(numbers)}", metadata={"framework": "pytorch"}),
        lambda: fs.pipe_file(f"{root}/bare/{next(numbers)}", b"x" * 4096, mode="create"),
        at_most=2.5,
        times=50,
    )


def opening(bench: Bench, server: Server) -> Iterator[Figure]:
    """Requests until the newest state is there, counted on the wire, with an empty cache and with a full one."""
    uri = long_registry(bench, server)
    with Wire(server.endpoint) as wire, own_cache(bench.fresh()):

        def requests() -> int:
            wire.requests.clear()
            opened = localreg.open(uri, storage_options=options(wire.endpoint), read_only=True)
            assert opened.commit >= COMMITS
            return len(wire.requests)

        what = f"opening a remote registry of {COMMITS:,} commits, {{}}: requests ÷ (as few as planned)"
        cold = COLD_REQUESTS + TAIL
        yield counted(what.format(f"{TAIL} after the snapshot, cold cache"), requests(), cold)
        yield counted(what.format("warm cache, nothing new"), requests(), WARM_REQUESTS)
        # Its endpoint is another, and so is its part of the cache: what it writes is new to us.
        writer = localreg.open(uri, storage_options=options(server.endpoint))
        for number in range(TAIL):
            writer.create_model(f"new {number}")
        yield counted(what.format(f"warm cache, {TAIL} new"), requests(), WARM_REQUESTS + TAIL)


def counted(what: str, ours: int, planned: int) -> Figure:
    """A row of numbers of requests; the columns of times stay empty."""
    return Figure(f"{what}: {ours} ÷ {planned}", ours / planned, 1.0)


def long_registry(bench: Bench, server: Server) -> str:
    """A registry with its last snapshot `TAIL` entries before the end, made in a folder and copied up."""
    folder = bench.fresh()
    registry = localreg.open(folder)
    fill(registry)
    bucket = server.bucket()
    store = RemoteStore(parse_address(f"s3://{bucket}", options(server.endpoint)))
    for path in newest(registry):
        store.put(path, (folder / path).read_bytes())
    return f"s3://{bucket}"


def fill(registry: Registry) -> None:
    """Commits until the log is long enough, and the snapshot `TAIL` behind."""
    model = registry.create_model("the one")
    for commit in range(1, COMMITS):
        model.update(metadata={"step": commit})
    while registry.commit - layers(registry)[-1].head.commit != TAIL:
        model.update(metadata={"step": registry.commit})


def layers(registry: Registry) -> list[Layer]:
    """The files of the newest snapshot: the last one names those that it lies upon."""
    shown = registry._session.log.snapshot()
    assert shown is not None
    assert isinstance(shown.base, LayeredBase)
    return list(shown.base.layers)


def newest(registry: Registry) -> list[str]:
    """What is needed to open: the upload of ten thousand entries would take minutes and be read by nobody."""
    snapshot = layers(registry)
    entries = range(snapshot[-1].head.commit, registry.commit + 1)
    within = [HINT, *(layer.path for layer in snapshot), *map(entry_path, entries)]
    return ["localreg.json", *(f"namespaces/default/{path}" for path in within)]


@contextmanager
def own_cache(folder: Path) -> Iterator[None]:
    """An empty cache for a block."""
    before = os.environ.get("LOCALREG_CACHE")
    os.environ["LOCALREG_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["LOCALREG_CACHE"]
        else:
            os.environ["LOCALREG_CACHE"] = before
