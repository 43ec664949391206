"""Comparisons that workers count: the same to the last bit as those that are counted here."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import localreg
from localreg import InvalidInputError, Registry
from localreg.cli import run
from localreg.compare import counting_apart
from localreg.tables import Vocabulary, coded_rows, labels
from localreg.workflow import (
    GroundTruth,
    Inference,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    test,
)
from localreg.workflow.samples import absolute_indices, files_of, staged_range


@dataclass(frozen=True)
class Frame(TestSample):
    n: int
    site: str


@dataclass(frozen=True)
class Word(GroundTruth):
    label: str | None


@dataclass(frozen=True)
class Said(Inference):
    animal: ScoredClassificationLabel


@dataclass(frozen=True)
class Size(GroundTruth):
    size: float


@dataclass(frozen=True)
class Guess(Inference):
    size: float


COUNT, STRETCH = 300, 40
ASKED: list[dict[str, Any]] = [
    {},
    {"strict": True, "by": ["site", "n", "test_case"]},
    {"by": "site", "group_by": "n % 17"},
    {"group_by": "n % 40", "bootstrap": 200},
]


class Elsewhere(Executor):
    """Makes calls at once, as another process would: with bytes."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls.append(args)
        future: Future[Any] = Future()
        call, given = pickle.loads(pickle.dumps((fn, args)))
        future.set_result(pickle.loads(pickle.dumps(call(*given, **kwargs))))
        return future


class Failing(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("a worker is gone"))
        return future


@pytest.fixture(autouse=True)
def _small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting_apart, "LEAST_SAMPLES", STRETCH)
    monkeypatch.setattr(counting_apart, "STRETCHES_OF_A_WORKER", 5)


def fill(words: str) -> None:
    """Three models on a suite of three test cases: samples come in no order, some twice, some with another truth.

    Inferences are of several runs, partly again, with gaps of each kind; some labels are only said late.
    """
    _, case, suite, net = define_workflow("frames", Frame, Word, Said)
    dice = random.Random(4)
    frames = [Frame(n, dice.choice("pqr")) for n in range(COUNT)]
    truths = [None if n % 50 == 7 else dice.choice(words) for n in range(COUNT)]
    order = dice.sample(range(COUNT), COUNT)
    rows = [(frames[n], Word(truths[n])) for n in order]
    again = [(frame, truth if frame.n % 3 else Word(words[0])) for frame, truth in rows[80:150]]
    cases = [
        case("first", test_samples=rows[:120]),
        case("rest", test_samples=rows[120:]),
        case("again", test_samples=again),
    ]
    part = suite("part", test_cases=cases[:1])
    whole = suite("whole", test_cases=cases)
    for name, level in (("a", 0.6), ("b", 0.7), ("c", 0.5)):

        def infer(frame: Frame, name: str = name, level: float = level) -> Said | None:
            own = random.Random(f"{name} {frame.n}")
            if name == "b" and frame.n % 23 == 0:
                return None
            if name == "c" and frame.n % 29 == 0:
                raise ValueError("too dark")
            late = words if frame.n < COUNT - 30 or len(words) == 2 else f"{words}z"
            said = truths[frame.n] if own.random() < level else own.choice(late)
            return Said(ScoredClassificationLabel(said or words[-1], 0.5 + own.random() / 2))

        test(net(name, infer), part, on_error="record")
        if name != "c":
            test(net(name, infer), whole, on_error="record")
    test(net("a", lambda frame: Said(ScoredClassificationLabel(words[0], 0.9))), part, reset=True)


@pytest.fixture
def filled(registry: Registry) -> Registry:
    fill("xyw")
    return registry


def found(registry: Registry, executor: Any, *models: str, **asked: Any) -> str:
    comparison = registry.compare(*(models or ("a", "b", "c")), suite="whole", executor=executor, **asked)
    return json.dumps([comparison.to_dict(), comparison.to_markdown()])


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_what_workers_count_is_what_is_counted_here(filled: Registry, asked: dict[str, Any]) -> None:
    executor = Elsewhere()
    expected = found(filled, None, **asked)
    assert found(filled, executor, **asked) == expected
    assert len(executor.calls) >= 2 * (COUNT // STRETCH), "for each candidate several stretches"
    with ThreadPoolExecutor(3) as pool:
        assert found(filled, pool, **asked) == expected


def test_scores_are_looked_at_here(registry: Registry) -> None:
    fill("xy")
    expected = found(registry, None, "a", "b")
    assert "roc_auc" in expected
    assert found(registry, Elsewhere(), "a", "b") == expected


def test_samples_are_listed_as_without(filled: Registry) -> None:
    here, apart = (filled.compare("a", "b", suite="whole", executor=each) for each in (None, Elsewhere()))
    assert apart.broken.arrow().equals(here.broken.arrow())
    assert len(here.broken) > 0


def test_each_row_is_counted_by_one_worker(filled: Registry) -> None:
    executor = Elsewhere()
    filled.compare("a", "b", suite="whole", executor=executor)
    spans = [pickle.loads(own).span for _, own, _ in executor.calls]
    assert [number for span in spans for number in span] == list(range(COUNT))


def test_at_an_earlier_commit(filled: Registry) -> None:
    commit, before = filled.compare("a", "b", suite="part").commit, found(filled, None, "a", "b")
    _, _, suite, net = define_workflow("frames", Frame, Word, Said)
    test(net("b", lambda frame: Said(ScoredClassificationLabel("x", 0.5))), suite("whole"), reset=True)
    assert found(filled.at(commit=commit), Elsewhere(), "a", "b") == before
    assert found(filled, None, "a", "b") != before


@pytest.mark.slow
def test_other_processes(filled: Registry) -> None:
    expected = found(filled, None, by="site")
    assert found(filled, "processes:2", by="site") == expected
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert found(filled, pool, by="site") == expected


@pytest.mark.slow
def test_dask(filled: Registry, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path / "dask"),
    ) as cluster:
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        assert found(filled, address, by="site") == found(filled, None, by="site")


def test_the_command_line_takes_an_executor(filled: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for more in ([], ["--executor", "processes:1"]):
        assert run(["-r", filled.uri, "compare", "a", "b", "--suite", "whole", "--format", "json", *more]) == 0
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert json.loads(said[0].out)


def test_a_worker_that_fails(filled: Registry) -> None:
    with pytest.raises(InvalidInputError, match=r"could not be counted on Failing .*; compare without executor"):
        filled.compare("a", "b", suite="whole", executor=Failing())


def test_what_is_wrong_with_the_files_is_told_as_without(filled: Registry, tmp_path: Path) -> None:
    for path in Path(filled.uri).rglob("inferences/**/*.parquet"):
        path.write_bytes(b"PAR1")
    with pytest.raises(localreg.IntegrityError) as here:
        filled.compare("a", "b", suite="whole")
    with pytest.raises(localreg.IntegrityError) as apart:
        filled.compare("a", "b", suite="whole", executor=Elsewhere())
    assert str(apart.value) == str(here.value)


def test_what_other_processes_cannot_see_is_counted_here() -> None:
    with localreg.open("memory://counted") as registry, localreg.use(registry):
        fill("xyw")
        assert found(registry, Elsewhere()) == found(registry, None)


def test_within_a_transaction(filled: Registry) -> None:
    executor = Elsewhere()
    with filled.transaction():
        filled.create_model("another")
        found(filled, executor)
    assert not executor.calls


def test_only_labels_are_counted_apart(registry: Registry) -> None:
    _, case, suite, net = define_workflow("sizes", Frame, Size, Guess)
    frames = [Frame(n, "p") for n in range(5)]
    suite("s", test_cases=[case("all", test_samples=[(frame, Size(float(frame.n))) for frame in frames])])
    for name in "ab":
        test(net(name, lambda frame: Guess(1.0)), suite("s"))
    with pytest.raises(InvalidInputError, match=r"an executor counts labels, .* leave executor out"):
        registry.compare("a", "b", suite="s", executor="processes:2")
    with pytest.raises(InvalidInputError, match="executor is 'threads'; it must be"):
        registry.compare("a", "b", suite="s", executor="threads")


def test_row_groups_without_samples_that_are_wanted_are_not_read(
    filled: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = filled._session
    state = session.state()
    (version,) = (row for row in state.children("model_version", filled.get_model("b").id))
    pointer = max(
        (each for run in state.children("test_run", version.id) for each in files_of(state, run.id, "inferences")),
        key=lambda each: each.rows,
    )
    read: list[int] = []
    whole = labels._group

    def counting(parquet: Any, file: Any, group: int, columns: Any) -> Any:
        read.append(group)
        return whole(parquet, file, group, columns)

    monkeypatch.setattr(labels, "_group", counting)

    def rows(wanted: range) -> Iterator[int]:
        for _, (indices,), _ in coded_rows(
            session.store, pointer, [(("status",), Vocabulary())], ["sample_idx"], where=("sample_idx", wanted)
        ):
            yield from np.asarray(indices).tolist()

    assert list(rows(range(10**6, 10**7))) == []
    assert list(rows(range(-10, 0))) == []
    assert read == []
    assert set(range(50, 60)) & set(rows(range(COUNT))) == set(range(50, 60)) & set(rows(range(50, 60)))


def test_samples_that_another_commit_moved_are_looked_for_where_they_were_staged() -> None:
    details: dict[str, Any] = {"staged_first": 100, "first": 130}
    stored = np.arange(40, 120)
    for begin, end in [(0, 10), (90, 131), (131, 140), (100, 130), (145, 300)]:
        wanted = range(begin, end)
        moved = absolute_indices(stored, details)
        asked = staged_range(wanted, details)
        assert set(stored[(moved >= begin) & (moved < end)].tolist()) <= set(asked)
