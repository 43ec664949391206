"""What safety costs: signatures, verification, garbage, small parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import localreg
from localreg.access import make_key
from tests.benchmarks.harness import Bench, Figure


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    yield signed_commit(bench)


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
