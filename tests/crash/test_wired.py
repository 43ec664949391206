"""Many writers on a bucket, each request of which may be cut, delayed, doubled or swallowed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

import localreg
from tests.crash.forks import PROJECT
from tests.crash.many_acts import HOT, hot
from tests.crash.many_checks import Told, check
from tests.crash.wire import Fault, Wire
from tests.remote import Server, options

WRITERS, OPERATIONS, SPOILED = 4, 50, 0.08
PATIENCE_S = 600
RARE = (Fault.SWALLOW,)
"""They cost the client its patience."""
FAULTS = [fault for fault in Fault for _ in range(1 if fault in RARE else 5)]


@pytest.mark.slow
def test_writers_through_a_wire_that_fails_at_random_lose_and_double_nothing(s3: Server, tmp_path: Path) -> None:
    bucket = s3.bucket()
    uri = f"s3://{bucket}/registry"
    first = localreg.open(uri, storage_options=options(s3.endpoint))
    for number in range(HOT):
        first.create_model(hot(number))
    chance = random.Random(20261122)
    met: Counter[Fault] = Counter()

    def choose() -> Fault | None:
        fault = chance.choice(FAULTS) if chance.random() < SPOILED else None
        met.update([] if fault is None else [fault])
        return fault

    with Wire(s3.endpoint) as wire:
        wire.haunt(choose)
        told = worked(uri, wire.endpoint)
    assert met.keys() == set(Fault)
    counts = check(copied(s3, bucket, tmp_path), told)
    assert counts["acts"] == WRITERS * OPERATIONS
    assert counts["acts done"] > counts["acts"] / 2, counts


def worked(uri: str, endpoint: str) -> list[Told]:
    """Let all writers work to their end; what they said."""
    with ExitStack() as stack:
        writers = []
        for number in range(WRITERS):
            words = [uri, endpoint, f"w{number}", str(number), str(OPERATIONS)]
            command = [sys.executable, "-m", "tests.crash.wired", *words]
            writer = stack.enter_context(subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True))
            stack.callback(writer.kill)
            writers.append(writer)
        told = []
        for writer in writers:
            said, _ = writer.communicate(timeout=PATIENCE_S)
            assert writer.returncode == 0
            told += [Told(**json.loads(line)) for line in said.splitlines()]
        return told


def copied(s3: Server, bucket: str, folder: Path) -> Path:
    """The registry as a folder."""
    for key in s3.keys(bucket):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return folder / "registry"
