"""Test runs on executors: as in this thread, with each sample once, whatever becomes of a worker."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import localreg
from localreg import InvalidInputError, Registry, StorageError
from localreg.workflow import TestRun, chunks, evaluating_apart, executors, processes, spreading, test
from localreg.workflow.executors import opened
from localreg.workflow.processes import Processes, WorkerDied
from tests import executing
from tests.crash.pipes import PATIENCE_S, read_line
from tests.executing import (
    DEADLY,
    HALTS,
    ODD,
    AtLeast,
    Case,
    Count,
    DiesOnce,
    Evens,
    Model,
    Number,
    Parity,
    Suite,
    Truth,
    parity,
)

PROJECT = Path(__file__).parents[2]
COUNT = 60


class Inline(Executor):
    """Makes calls at once, as another process would: with bytes. Some fail, if told so."""

    def __init__(self, fails: Callable[[list[int]], Exception | None] = lambda _: None) -> None:
        self.fails = fails
        self.sent: list[tuple[Any, ...]] = []
        self.chunks: list[list[int]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.sent.append(args)
        numbers = np.frombuffer(args[2], np.int64).tolist() if fn is chunks.infer_packed else []
        self.chunks.append(numbers)
        future: Future[Any] = Future()
        error = self.fails(numbers) if numbers else None
        if error is None:
            future.set_result(pickle.loads(pickle.dumps(fn(*args, **kwargs))))
        else:
            future.set_exception(error)
        return future


@contextmanager
def spawned(count: int) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def suite(registry: Registry) -> Any:
    return filled()


def filled(count: int = COUNT) -> Any:
    pairs = [(Number(value), Truth("the truth")) for value in range(count)]
    return Suite("numbers", test_cases=[Case("all", test_samples=pairs)])


def check(registry: Registry, model: str = "m", *, failed: tuple[int, ...] = (), is_clean: bool = True) -> None:
    """All is inferred, and right, but for what failed; each sample has one row; nothing is left over."""
    made = [(sample.value, made) for sample, _, made in Model.load(model).load_inferences(Case.load("all"))]
    assert made == [(value, parity(Number(value))) for value in range(COUNT) if value not in failed]
    rows = registry.sql("SELECT count(*) AS rows, count(DISTINCT sample_idx) AS samples FROM inferences").dicts()
    assert rows == [{"rows": COUNT, "samples": COUNT}]
    if is_clean:  # else a run failed before: what it leaves goes with the next one of its kind
        store = registry._session.store
        assert not [path for path in store.list("data") if "open-" in path]
        assert not list(store.list("tmp/test_runs"))


# --- as in this thread ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["threads", "spawned", "processes", "inline"])
def test_a_run_on_any_executor_is_as_one_in_this_thread(kind: str, registry: Registry, suite: Any) -> None:
    pool: Executor | str = "processes:2"
    if kind == "threads":
        pool = ThreadPoolExecutor(2)
    elif kind == "spawned":
        pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    elif kind == "inline":
        pool = Inline()
    before = registry.commit
    run = test(Model("m", parity), suite, executor=pool)
    assert "60 samples inferred now" in repr(run)
    check(registry)
    assert registry.commit == before + 2, "the model, and all that it inferred"
    assert TestRun(Model("m", parity), suite, executor=pool).run() == 0
    if isinstance(pool, ThreadPoolExecutor | ProcessPoolExecutor):
        assert pool.submit(abs, -1).result() == 1, "it is the user's"
        pool.shutdown()


def test_only_what_is_lacking_is_sent_and_nothing_starts_a_process_for_nothing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    test(Model("m", parity), filled(40))
    pairs = [(Number(value), Truth("the truth")) for value in range(COUNT)]
    with Case.load("all").edit() as editor:
        for number, truth in pairs[40:]:
            editor.add(number, truth)
    suite, pool = Suite("more", test_cases=[Case.load("all")]), Inline()
    assert TestRun(Model("m", parity), suite, executor=pool).run() == 20
    assert sorted(number for chunk in pool.chunks for number in chunk) == list(range(40, 60))
    check(registry)
    monkeypatch.setattr(processes, "_Worker", None)  # cannot be called
    assert TestRun(Model("m", parity), suite, executor="processes:2").run() == 0


def test_batches_are_whole_but_for_the_last(registry: Registry, suite: Any) -> None:
    pool, sizes = Inline(), []

    def infer(numbers: list[Number]) -> list[Parity]:
        sizes.append(len(numbers))
        return executing.parities(numbers)

    run = test(Model("threads", cast(Any, infer)), suite, batch_size=8, executor=ThreadPoolExecutor(1))
    assert "60 samples" in repr(run)
    assert sizes == [8] * 7 + [4]
    test(Model("m", cast(Any, executing.parities)), suite, batch_size=8, executor=pool)
    assert all(len(chunk) % 8 == 0 or chunk[-1] == COUNT - 1 for chunk in pool.chunks)


def test_reset_replaces_in_one_commit(registry: Registry, suite: Any) -> None:
    test(Model("m", lambda number: Parity(False, number.value)), suite)
    before = registry.commit
    run = test(Model("m", parity), suite, reset=True, executor=Inline())
    assert "60 samples inferred now" in repr(run)
    assert registry.commit == before + 1
    made = [(sample.value, made) for sample, _, made in Model("m").load_inferences(Case.load("all"))]
    assert made == [(value, parity(Number(value))) for value in range(COUNT)]


def test_a_reset_that_fails_changes_nothing(registry: Registry, suite: Any) -> None:
    test(Model("m", parity), suite)
    before = registry.commit
    with pytest.raises(ValueError, match="cannot see"):
        test(Model("m", executing.raises), suite, reset=True, executor=Inline())
    assert registry.commit == before
    check(registry, is_clean=False)


def test_a_run_within_a_transaction_is_part_of_its_commit(registry: Registry) -> None:
    before = registry.commit
    with registry.transaction():
        test(Model("m", executing.raises), filled(), on_error="record", executor=Inline())
        assert registry.commit == before
    assert registry.commit == before + 1
    check(registry, failed=ODD)


def test_two_runs_that_share_infer_each_sample_once(registry: Registry, suite: Any, other: Registry) -> None:
    asked: list[int] = []
    meeting, met = threading.Barrier(2), threading.local()

    def infer(number: Number) -> Parity:
        if not hasattr(met, "here"):
            met.here = True
            meeting.wait(PATIENCE_S)  # each has claimed some when the other goes on
        asked.append(number.value)
        return parity(number)

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two, ThreadPoolExecutor(2) as drivers:
        runs = [TestRun(Model("m", infer), suite, executor=one)]
        with localreg.use(other):
            runs.append(TestRun(Model("m", infer), Suite.load("numbers"), executor=two))
        counts = [future.result(PATIENCE_S) for future in [drivers.submit(run.run) for run in runs]]
    assert Counter(asked) == Counter(range(COUNT))
    assert sum(counts) == COUNT
    assert min(counts) > 0
    check(registry)


def test_no_ground_truth_and_no_place_reaches_a_worker(registry: Registry, suite: Any) -> None:
    pool = Inline()
    test(Model("m", parity), suite, executor=pool)
    sent = b"".join(argument for call in pool.sent for argument in call if isinstance(argument, bytes))
    assert b"value" in sent
    assert b"the truth" not in sent
    assert registry.uri.encode() not in sent


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_exceptions_are_kept_by_sample_with_the_traceback_of_the_worker(registry: Registry, suite: Any) -> None:
    run = test(Model("m", executing.raises), suite, on_error="record", executor=Inline())
    assert [(sample.value, why["type"], why["message"]) for sample, why in run.errors()] == [
        (number, "ValueError", f"cannot see {number}") for number in ODD
    ]
    assert all("in raises" in str(why["traceback"]) for _, why in run.errors())
    assert "2 failed" in repr(run)
    check(registry, failed=ODD)
    assert TestRun(Model("m", parity), suite, executor=Inline()).run() == 2
    check_counts(registry, ok=COUNT)


def check_counts(registry: Registry, **counts: int) -> None:
    rows = registry.sql("SELECT status, count(*) AS n FROM inferences GROUP BY ALL ORDER BY ALL").dicts()
    assert rows == [{"status": status, "n": count} for status, count in sorted(counts.items())]


@pytest.mark.parametrize("pool", ["processes:1", "threads"])
def test_an_exception_ends_the_run_and_what_was_inferred_is_kept(pool: str, registry: Registry, suite: Any) -> None:
    with pytest.raises(ValueError, match="cannot see 11") as caught:
        test(Model("m", executing.raises), suite, executor=ThreadPoolExecutor(1) if pool == "threads" else pool)
    notes = " ".join(caught.value.__notes__)
    assert "raised this for Number(value=11" in notes
    assert pool == "threads" or "in raises" in notes
    kept = [sample.value for sample, _, _ in Model("m").load_inferences(Case.load("all"))]
    assert kept[:11] == list(range(11))
    assert 11 not in kept
    assert TestRun(Model("m", parity), suite).run() == COUNT - len(kept)
    check_counts(registry, ok=COUNT)


def test_an_exception_that_cannot_travel_is_told(registry: Registry, suite: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"infer of model 'm' raised .*OddError: 11: odd") as caught:
        test(Model("m", executing.raises_oddly), suite, executor=Inline())
    assert caught.value.code == "raised_in_worker"


def test_an_exit_ends_the_run_as_it_would_here(registry: Registry, suite: Any) -> None:
    with pytest.raises(SystemExit, match="enough"):
        test(Model("m", executing.leaves), suite, on_error="record", executor=Inline())
    made = Model("m").load_inferences(Case.load("all"))
    assert [sample.value for sample, _, _ in made][:11] == list(range(11))
    assert len(TestRun(Model("m"), suite).errors()) == 0


def test_a_model_that_cannot_be_sent_is_refused_before_anything_is_done(registry: Registry, suite: Any) -> None:
    lock = threading.Lock()

    def infer(number: Number) -> Parity:
        with lock:
            return parity(number)

    before = registry.commit
    with pytest.raises(InvalidInputError, match=r"infer of model 'm', .*<locals>\.infer, cannot be sent"):
        test(Model("m", infer), suite, executor=Inline())
    assert registry.commit == before + 1, "the model"
    test(Model("m", infer), suite, executor=ThreadPoolExecutor(2))
    check(registry)


def test_a_model_that_cannot_be_made_in_the_worker_is_refused(registry: Registry, suite: Any) -> None:
    pool = Inline()
    with pytest.raises(InvalidInputError, match=r"cannot load infer of model 'm': ModuleNotFoundError.*'weights'"):
        test(Model("m", executing.Unloadable()), suite, executor=pool)
    assert not any(pool.chunks), "no sample was at stake"


@pytest.mark.parametrize(
    ("infer", "how", "why"),
    [
        (executing.exits, {}, "with exit code 3"),
        pytest.param(executing.kills_itself, {}, "by SIGKILL", marks=pytest.mark.slow),
        pytest.param(executing.exits_in_batches, {"batch_size": 20}, "with exit code 3", marks=pytest.mark.slow),
    ],
)
def test_a_sample_that_kills_its_worker_is_an_error_and_no_other_is(
    infer: Any, how: dict[str, Any], why: str, registry: Registry, suite: Any
) -> None:
    run = test(Model("m", infer), suite, on_error="record", executor="processes:2", **how)
    assert [(sample.value, told["type"], told["message"]) for sample, told in run.errors()] == [
        (DEADLY, "WorkerDied", f"the worker process died {why}")
    ]
    check(registry, failed=(DEADLY,))


def test_a_sample_that_kills_its_worker_ends_the_run_if_exceptions_do(registry: Registry, suite: Any) -> None:
    with pytest.raises(InvalidInputError, match=rf"Number\(value={DEADLY}.*exit code 3.*on_error='record'") as caught:
        test(Model("m", executing.exits), suite, executor="processes:1")
    assert caught.value.code == "worker_died"
    assert isinstance(caught.value.__cause__, WorkerDied)
    assert TestRun(Model("m", parity), suite).run() <= COUNT - DEADLY
    check_counts(registry, ok=COUNT)


def test_a_chunk_that_fails_once_is_tried_again_as_it_is(registry: Registry, suite: Any) -> None:
    failures = iter([None, None, ConnectionError("lost")])
    pool = Inline(lambda _: next(failures, None))
    test(Model("m", parity), suite, executor=pool)
    again = [chunk for chunk, count in Counter(map(tuple, pool.chunks)).items() if count == 2 and chunk]
    assert len(again) == 1
    check(registry)


def test_a_chunk_whose_executor_fails_is_halved_until_the_sample_is_known(registry: Registry, suite: Any) -> None:
    pool = Inline(lambda numbers: ConnectionError("lost") if DEADLY in numbers else None)
    run = test(Model("m", parity), suite, on_error="record", executor=pool)
    assert [(sample.value, why["type"], why["message"]) for sample, why in run.errors()] == [
        (DEADLY, "ConnectionError", "lost")
    ]
    assert pool.chunks.count([DEADLY]) == spreading.ATTEMPTS
    check(registry, failed=(DEADLY,))


def test_an_executor_that_only_fails_ends_the_run(
    registry: Registry, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "FRUITLESS", 10)
    pool = Inline(lambda numbers: ConnectionError("lost"))
    with pytest.raises(InvalidInputError, match=r"executor Inline is broken .*ConnectionError: lost") as caught:
        test(Model("m", parity), suite, on_error="record", executor=pool)
    assert caught.value.code == "executor_broken"
    assert len(pool.chunks) < 30


def test_a_pool_of_the_users_that_breaks_is_told_and_what_came_stays(registry: Registry, suite: Any) -> None:
    with (
        spawned(1) as pool,
        pytest.raises(InvalidInputError, match="executor ProcessPoolExecutor is broken") as caught,
    ):
        test(Model("m", executing.exits), suite, on_error="record", executor=pool)
    assert caught.value.code == "executor_broken"
    kept = len(Model("m").load_inferences(Case.load("all")))
    assert kept > 0
    assert TestRun(Model("m", parity), suite, executor="processes:1").run() == COUNT - kept
    check(registry, is_clean=False)


def test_a_pool_that_was_shut_down_is_told(registry: Registry, suite: Any) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(InvalidInputError, match=r"executor ThreadPoolExecutor is broken .*run it again, with another"):
        test(Model("m", parity), suite, executor=pool)


def test_an_interruption_keeps_what_came(registry: Registry, suite: Any) -> None:
    def interrupted(numbers: list[int]) -> None:
        if DEADLY in numbers:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        test(Model("m", parity), suite, executor=Inline(interrupted))
    kept = len(Model("m").load_inferences(Case.load("all")))
    assert 0 < kept < COUNT
    assert TestRun(Model("m", parity), suite, executor=Inline()).run() == COUNT - kept
    check(registry, is_clean=False)


def test_vectors_metadata_and_extras_travel_both_ways(registry: Registry) -> None:
    photos = [executing.Photo(str(n), np.arange(n, n + 3, dtype=np.float32), {"iso": n}) for n in range(5)]
    case = executing.PhotoCase("photos", test_samples=[(photo, Truth("the truth")) for photo in photos])
    suite = executing.PhotoSuite("photos", test_cases=[case])
    test(executing.PhotoModel("here", executing.doubled), suite)
    test(executing.PhotoModel("there", executing.doubled), suite, executor=Inline())
    here, there = (executing.PhotoModel(name).load_inferences(case) for name in ("here", "there"))
    assert repr(there) == repr(here)
    assert [made.embedding.tolist() for _, _, made in there if made] == [
        [2.0 * n, 2 * n + 2, 2 * n + 4] for n in range(5)
    ]
    assert [made.iso for _, _, made in there if made] == list(range(5))


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        ("processes:0", "it must be 'processes'"),
        ("processes:", "it must be"),
        ("processes:-1", "it must be"),
        ("threads:8", "it must be"),
        ("dask://", "it must be"),
        (8, "executor is 8; it must be"),
    ],
)
def test_what_is_no_executor_is_refused(executor: Any, message: str, registry: Registry, suite: Any) -> None:
    with pytest.raises(InvalidInputError, match=message):
        test(Model("m", parity), suite, executor=executor)


def test_processes_without_a_number_are_as_many_as_there_are_cores() -> None:
    with opened("processes") as workers:
        assert workers is not None
        assert workers.width == executors._cores()


# --- evaluation -------------------------------------------------------------------------------------------------------


def evaluated(run: TestRun) -> list[Any]:
    """All that is stored of each configuration."""
    found = [run.results(AtLeast(least)) for least in (0, 10, 30)]
    return [(view.samples, view.cases, view.suite, view.plots) for view in found]


@pytest.mark.parametrize("kind", ["processes:2", "inline"])
def test_configurations_are_evaluated_by_workers_as_they_are_here(
    kind: str, registry: Registry, suite: Any, tmp_path: Path
) -> None:
    executor = Inline() if kind == "inline" else kind
    (told := tmp_path / "told").mkdir()
    here = test(Model("m", parity), suite, Evens(told))
    expected = evaluated(here)
    assert len(list(told.iterdir())) == 3
    before = registry.commit
    there = TestRun(Model("m", parity), suite, Evens(told), executor=executor)
    there.evaluate(refresh=True)
    assert registry.commit == before + 1
    assert evaluated(there) == expected
    pids = {path.name.split("-")[1] for path in told.iterdir()} - {str(os.getpid())}
    assert len(pids) in ((0,) if kind == "inline" else (1, 2))
    if isinstance(executor, Inline):
        assert len(executor.sent) == 3


def test_an_evaluator_that_raises_in_a_worker_raises_here_and_nothing_of_it_is_kept(
    registry: Registry, suite: Any, tmp_path: Path
) -> None:
    test(Model("m", parity), suite)
    before = registry.commit
    run = TestRun(Model("m", parity), suite, Evens(tmp_path, fails_at=10), executor=Inline())
    with pytest.raises(ValueError, match="cannot count from 10 in all") as caught:
        run.run()
    assert "Nothing of this evaluation is kept" in " ".join(caught.value.__notes__)
    assert len(registry.sql("FROM metric_values")) == 0
    assert registry.commit <= before + 1


def test_a_worker_that_dies_of_an_evaluator_is_told(registry: Registry, suite: Any, tmp_path: Path) -> None:
    pool = Inline()
    run = TestRun(Model("m", parity), suite, Evens(tmp_path), executor=pool)
    run.run()
    assert len(pool.sent) > 3
    pool.submit = lambda *_: failing()  # type: ignore[method-assign]
    with pytest.raises(InvalidInputError, match=r"evaluator 'Evens' could not be asked on Inline \(WorkerDied: gone\)"):
        run.evaluate(refresh=True)


def failing() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(WorkerDied("gone"))
    return future


@pytest.mark.parametrize("why", ["threads", "unportable", "memory", "transaction"])
def test_what_workers_cannot_do_of_an_evaluation_is_done_here(
    why: str, registry: Registry, suite: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pool: Executor = ThreadPoolExecutor(2) if why == "threads" else Inline()
    evaluator = Evens(tmp_path)
    submit, called = pool.submit, []

    def noted(function: Any, *arguments: Any) -> Future[Any]:
        called.append(function)
        return submit(function, *arguments)

    pool.submit = noted  # type: ignore[method-assign,assignment]
    if why == "unportable":
        evaluator.lock = threading.Lock()  # type: ignore[attr-defined]
    if why == "memory":
        localreg.use(localreg.open(f"memory://{request.node.name}"))
        suite = filled()
    with registry.transaction() if why == "transaction" else contextlib.nullcontext():
        run = test(Model("m", parity), suite, evaluator, executor=pool)
    assert [of_suite["cases"] for _, _, of_suite, _ in evaluated(run)] == [1, 1, 1]
    assert {path.name.split("-")[1] for path in tmp_path.glob("asked-*")} == {str(os.getpid())}
    assert called
    assert evaluating_apart._evaluated not in called


# --- chunks -----------------------------------------------------------------------------------------------------------


def test_a_worker_makes_a_model_once(
    registry: Registry, suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.workflow.running.FLUSHED_S", 1e-4)  # many chunks
    (tmp_path / "told").mkdir()
    model = Count(tmp_path / "told")  # small: it goes with each chunk
    run = TestRun(Model("m", model), suite, executor="processes:2")
    assert run.run() == COUNT
    assert sum(model.told("called")) == COUNT
    assert set(model.told("made")) == {1}, "in each process once"
    check(registry)


def test_a_large_model_goes_only_to_workers_that_lack_it(
    registry: Registry, suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "_cores", lambda: 1)
    monkeypatch.setattr("localreg.workflow.running.FLUSHED_S", 1e-4)
    pool = Inline()
    forgotten = iter([False, False, False, False, True])

    def forgets(_: list[int]) -> None:
        if next(forgotten, False):
            chunks._jobs._jobs.clear()  # as a worker does that was started anew

    pool.fails = forgets
    test(Model("m", Count(tmp_path, b"w" * 100_000)), suite, executor=pool)
    with_job = [call[1] is not None for call in pool.sent]
    assert len(with_job) > 10
    assert sum(with_job) == 3, "for the greeting, and the two chunks that a new worker had got"
    check(registry)


def test_a_worker_gives_back_what_it_has_of_a_long_chunk(
    registry: Registry, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "_cores", lambda: 1)
    pool = Inline()
    test(Model("quick", parity), suite, executor=pool)
    assert len(pool.chunks) < COUNT / 2, "whole chunks came"
    monkeypatch.setattr(chunks, "LONGEST_S", 0.0)
    pool = Inline()
    TestRun(Model("m", parity), suite, executor=pool).run()
    assert len([chunk for chunk in pool.chunks if chunk]) == COUNT, "one sample came of each"
    assert len(Model("m").load_inferences(Case.load("all"))) == COUNT


def test_a_worker_forgets_all_but_the_last_jobs() -> None:
    column = Model.workflow.types(cast(Any, NoState())).inference
    jobs = [chunks.Job(name, parity, column, column, "raise", None).packed(imports_main=True) for name in "abc"]
    kept = chunks._Jobs()
    for job in jobs:
        assert kept.get(job.key, job.data) is not None
    assert [kept.get(job.key, None) is not None for job in jobs] == [False, True, True]


class NoState:
    """A state in which no workflow is recorded yet."""

    def find(self, *_: object) -> None:
        return None


# --- processes --------------------------------------------------------------------------------------------------------


def test_the_death_of_one_process_fails_its_call_alone() -> None:
    pool = Processes(2)
    try:
        futures: list[Future[Any]] = [
            pool.submit(cast(Any, os._exit if number == 3 else abs), number) for number in range(8)
        ]
        failed = [number for number, future in enumerate(futures) if future.exception(PATIENCE_S) is not None]
        assert failed == [3]
        assert str(futures[3].exception()) == "the worker process died with exit code 3"
    finally:
        pool.shutdown()


def test_what_a_call_raises_or_cannot_give_back_is_told() -> None:
    pool = Processes(1)
    try:
        with pytest.raises(ValueError, match="invalid literal"):
            pool.submit(int, "x").result(PATIENCE_S)
        with pytest.raises(RuntimeError, match="cannot be sent back"):
            pool.submit(threading.Lock).result(PATIENCE_S)
        assert pool.submit(abs, -2).result(PATIENCE_S) == 2
    finally:
        pool.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(abs, -2)


def test_processes_that_are_called_off_are_killed_in_the_middle_of_a_call() -> None:
    pool = Processes(1)
    running = pool.submit(signal.pause)
    waiting = pool.submit(abs, 1)
    process = started(pool)
    pool.shutdown(cancel_futures=True)
    assert waiting.cancelled()
    assert isinstance(running.exception(PATIENCE_S), WorkerDied)
    assert process.exitcode == -signal.SIGKILL


def started(pool: Processes) -> Any:
    """The process of a pool of one, once it is there."""
    while True:
        for worker in list(pool._workers.values()):
            return worker._process


# --- programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_driver_that_was_killed_is_taken_up_and_its_workers_end(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    registry = localreg.open(folder)
    with localreg.use(registry):
        filled()
        driver = subprocess.Popen(
            [sys.executable, "-m", "tests.executing", os.fspath(folder)], cwd=PROJECT, stdout=subprocess.PIPE, bufsize=0
        )
        with driver:
            try:
                workers = {int(read_line(driver.stdout)) for _ in range(HALTS + 1)}
            finally:
                driver.kill()
            assert driver.stdout is not None
            rest = driver.stdout.read()  # ends once no process holds the other end: the workers are gone, too
        asked = []

        def infer(number: Number) -> Parity:
            asked.append(number.value)
            return parity(number)

        assert workers
        assert rest.count(b"\n") < COUNT - HALTS
        test(Model("tester", infer), Suite.load("numbers"), executor=ThreadPoolExecutor(2))
        assert HALTS in asked
        assert 0 < len(asked) < COUNT
        assert max(Counter(asked).values()) == 1
        check(registry, "tester")
        assert registry.verify().ok


SCRIPT = """
from __future__ import annotations
from dataclasses import dataclass
import os, sys
import localreg
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow, test

@dataclass(frozen=True)
class Number(TestSample):
    value: int

@dataclass(frozen=True)
class Truth(GroundTruth):
    even: bool

@dataclass(frozen=True)
class Guess(Inference):
    label: ScoredLabel

_, Case, Suite, Model = define_workflow("numbers", Number, Truth, Guess)

def infer(number):
    return Guess(ScoredLabel(str(number.value), 0.5))

def main():
    localreg.use(localreg.open(os.environ["FOLDER"]))
    pairs = [(Number(value), Truth(value % 2 == 0)) for value in range(20)]
    suite = Suite("numbers", test_cases=[Case("all", test_samples=pairs)])
    print(test(Model("m", infer), suite, executor="processes:1"))

"""


def ran(how: str, text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, *(["-c", text] if how == "-c" else [os.fspath(script)])],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": os.fspath(PROJECT), "FOLDER": os.fspath(tmp_path / "registry")},
    )


@pytest.mark.parametrize("how", ["script", "-c"])
def test_types_and_functions_of_a_script_and_of_a_prompt_reach_worker_processes(how: str, tmp_path: Path) -> None:
    if how == "-c":
        pytest.importorskip("cloudpickle")
    done = ran(how, SCRIPT + "if __name__ == '__main__':\n    main()\n", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "20 samples inferred now" in done.stdout


def test_a_script_without_the_guard_is_told_so(tmp_path: Path) -> None:
    done = ran("script", SCRIPT + "main()\n", tmp_path)
    assert done.returncode != 0
    assert "if __name__ == '__main__'" in done.stderr.splitlines()[-1]


# --- Dask -------------------------------------------------------------------------------------------------------------


def test_without_dask_the_error_says_what_to_install(
    registry: Registry, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidInputError, match=r"pip install 'localreg-registry\[dask\]'"):
        test(Model("m", parity), suite, executor="dask://127.0.0.1:1")


class Lossy(Executor):
    """A cluster of one worker: its death is told of all calls that waited there."""

    _max_workers = 2

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.deaths = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, fn, args))
        return future

    def wait(self, futures: Iterable[Future[Any]], **_: Any) -> tuple[set[Future[Any]], set[Future[Any]]]:
        """As `concurrent.futures.wait`; this is when it works."""
        waiting, self.waiting = self.waiting, []
        is_deadly = any(DEADLY in np.frombuffer(args[2], np.int64) for _, _, args in waiting)
        self.deaths += is_deadly
        for future, fn, args in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(ConnectionError("lost")) if is_deadly else future.set_result(fn(*args))
        done = {future for future in futures if future.done()}
        return done, set(futures) - done


def test_a_sample_that_kills_its_worker_takes_the_blame_alone(
    registry: Registry, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = Lossy()
    monkeypatch.setattr("localreg.workflow.spreading.wait", executor.wait)
    run = test(Model("m", parity), suite, on_error="record", executor=executor)
    assert [(sample.value, told["type"]) for sample, told in run.errors()] == [(DEADLY, "ConnectionError")]
    assert executor.deaths > 2


@pytest.mark.slow
def test_a_run_on_dask_outlives_its_workers(registry: Registry, suite: Any, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    (tmp_path / "told").mkdir()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        model = DiesOnce(tmp_path / "told")
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        run = TestRun(Model("m", model), suite, executor=address)
        assert run.run() == COUNT
        assert run.errors() == []
        assert len(model.told("died")) == 1
        check(registry)
        cluster.scheduler.allowed_failures = 0  # else Dask, too, tries each call again, four times
        pool = client.get_executor()
        run = test(Model("deadly", executing.exits), suite, on_error="record", executor=pool)
        assert [(sample.value, told["type"]) for sample, told in run.errors()] == [(DEADLY, "KilledWorker")]
        cluster.scheduler.allowed_failures = 3  # a worker may be on its way out still
        assert pool.submit(abs, -1).result(PATIENCE_S) == 1, "it is the user's"
        with pytest.raises(InvalidInputError, match=r"pass client\.get_executor\(\)"):
            test(Model("m", parity), suite, executor=client)


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_told(
    registry: Registry, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr(executors, "CONNECTED_S", 0.2)
    with pytest.raises(StorageError, match=r"no Dask scheduler answers at dask://127\.0\.0\.1:1"):
        test(Model("m", parity), suite, executor="dask://127.0.0.1:1")
