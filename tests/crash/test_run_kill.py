"""Test runs that are killed, and runs that several processes share."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

import localreg
from localreg.workflow import TestRun, test
from tests.crash.pipes import PATIENCE_S, read_line
from tests.crash.testers import Case, Model, Number, Parity, Suite, Truth, parity

SAMPLES, FEWER = 1797, 400
PROJECT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills by signal")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "fewer", FEWER)


def filled(folder: Path, count: int) -> Path:
    with localreg.use(localreg.open(folder)):
        pairs = [(Number(value), Truth(value % 2 == 0)) for value in range(count)]
        Suite("numbers", test_cases=[Case("all", test_samples=pairs)])
    return folder


@contextmanager
def running_tester(folder: Path, *how: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of `tests.crash.testers` that is ready, dead and reaped afterwards whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.testers", os.fspath(folder), *how],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    with process:
        try:
            assert heard(process.stdout) == "ready"
            answer(process)
            yield process
        finally:
            process.kill()


def heard(stream: IO[bytes] | None) -> str:
    return read_line(stream).strip()


def answer(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


def killed_at(folder: Path, count: int, *how: str) -> set[int]:
    """Run and kill at the n-th sample; the samples that were inferred wholly before."""
    with running_tester(folder, *how) as process:
        asked = []
        for _ in range(count):
            asked.append(int(heard(process.stdout)))
            if len(asked) < count:
                answer(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(set(asked)) == count
    return set(asked[:-1])


def rerun(folder: Path) -> list[int]:
    """Run again, here; the samples that were inferred now."""
    asked: list[int] = []

    def infer(number: Number) -> Parity:
        asked.append(number.value)
        return parity(number)

    with localreg.use(localreg.open(folder)):
        test(Model("tester", infer), Suite.load("numbers"))
    return asked


def check(folder: Path, count: int) -> None:
    """All inferences are there, once, and right; nothing is left over."""
    registry = localreg.open(folder)
    with localreg.use(registry):
        loaded = Model.load("tester").load_inferences(Case.load("all"))
        assert [(sample.value, made) for sample, _, made in loaded] == [
            (value, parity(Number(value))) for value in range(count)
        ]
        assert TestRun(Model.load("tester"), Suite.load("numbers")).run() == 0
    rows = registry.sql("SELECT count(*) AS rows, count(DISTINCT sample_idx) AS samples FROM inferences").dicts()
    assert rows == [{"rows": count, "samples": count}]
    assert len(registry.sql("FROM test_runs")) == 1
    assert registry.verify().ok
    store = registry._session.store
    assert not [path for path in store.list("data") if "open-" in path]
    assert not list(store.list("tmp/test_runs"))


def test_a_run_that_was_killed_infers_only_what_is_missing(tmp_path: Path) -> None:
    folder = filled(tmp_path / "registry", SAMPLES)
    kept = killed_at(folder, 700, "eager")
    assert len(kept) == 699
    with localreg.use(localreg.open(folder)):
        assert Model.load("tester").load_inferences(Case.load("all")) == []  # a view shows commits alone
        lacking = TestRun(Model.load("tester"), Suite.load("numbers")).load_test_samples()
    assert len(lacking) == SAMPLES
    again = rerun(folder)
    # The sample at which it was killed, and the last one before it, whose part may have been on its way.
    assert SAMPLES - 699 <= len(again) <= SAMPLES - 698
    assert len(set(again)) == len(again)
    assert set(range(SAMPLES)) - kept <= set(again)
    check(folder, SAMPLES)


def test_what_was_written_before_a_kill_is_never_made_again(folder: Path) -> None:
    killed_at(folder, 50)
    killed_at(folder, 200)
    store = localreg.open(folder)._session.store
    assert [path for path in store.list("data/inferences") if "open-" in path]
    again = rerun(folder)
    assert len(again) < FEWER
    check(folder, FEWER)


def test_two_processes_share_a_run_and_infer_each_sample_once(folder: Path) -> None:
    asked: Counter[int] = Counter()
    shares = []
    with running_tester(folder, "eager") as one, running_tester(folder, "eager") as other:
        running = {process.stdout: process for process in (one, other) if process.stdout is not None}
        counts = dict.fromkeys(running, 0)
        while running:
            ready, _, _ = select.select(list(running), [], [], PATIENCE_S)
            assert ready, "both wait for each other"
            for stream in ready:
                word = heard(stream)
                if word == "done":
                    assert running.pop(stream).wait(PATIENCE_S) == 0
                    shares.append(counts[stream])
                    continue
                asked[int(word)] += 1
                counts[stream] += 1
                answer(running[stream])
    assert asked == Counter(range(FEWER))
    assert min(shares) > 0
    check(folder, FEWER)


def test_who_is_left_of_two_infers_what_the_other_had_claimed(folder: Path) -> None:
    with running_tester(folder, "eager") as doomed:
        for _ in range(10):
            heard(doomed.stdout)
            answer(doomed)
        with running_tester(folder, "eager") as survivor:
            asked = [int(heard(survivor.stdout))]
            doomed.send_signal(signal.SIGKILL)
            doomed.wait()
            answer(survivor)
            while (word := heard(survivor.stdout)) != "done":
                asked.append(int(word))
                answer(survivor)
            assert survivor.wait(PATIENCE_S) == 0
    assert len(asked) == len(set(asked))
    assert len(asked) >= FEWER - 11
    check(folder, FEWER)
