"""The registry at size: many models, many commits; what was promised in milliseconds is measured against that."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import localreg
from localreg import Registry
from localreg.log import State, fold
from tests.benchmarks.harness import Bench, Figure, raw_commit, seconds

FRAMEWORKS = ("pytorch", "jax", "onnx", "sklearn", "tensorflow")
TWO_KEYS = "metadata.framework = 'jax' AND metadata.optim.lr > 0.97"
TAIL = 63
"""Commits after the last snapshot, at their most."""

OPEN_AND_SEARCH = f"""
import resource, localreg
registry = localreg.open({{path!r}}, read_only=True)
registry.get_model("model 7").metadata
assert len(registry.models({TWO_KEYS!r})) > 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 ** 2)
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    yield from many_models(bench)
    yield from many_commits(bench)
    if bench.large:
        yield from a_million_models(bench)
        yield from a_hundred_thousand_commits(bench)


def many_models(bench: Bench) -> Iterator[Figure]:
    """Search, the first time after a commit; a listing as a process of its own."""
    for models, at_most in ((1_000, 0.020), (100_000, 0.200)):
        path = bench.fresh()
        registry = with_models(path, models)
        numbers = count()

        def search(registry: Registry = registry, numbers: Iterator[int] = numbers) -> float:
            registry.create_model(f"newcomer {next(numbers)}")
            return seconds(lambda: registry.models(TWO_KEYS).dicts())

        yield promised(f"search on two metadata keys among {models:,} models, first after a commit", search, at_most)
        if models == 1_000:
            yield listing(bench, path)


def listing(bench: Bench, path: Path) -> Figure:
    """What a person waits for at the prompt."""
    command = [sys.executable, "-m", "localreg", "-r", str(path), "models", "list"]
    # As at a prompt: what is installed is compiled once, which here it is in the first round.
    ours = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    compiled = {name: value for name, value in os.environ.items() if name not in ours}
    compiled["PYTHONPYCACHEPREFIX"] = str(bench.fresh())
    return bench.compare(
        "`localreg models list` of 1,000 models ÷ a process that imports duckdb and pyarrow",
        lambda: subprocess.run(command, check=True, capture_output=True, env=compiled),
        lambda: subprocess.run([sys.executable, "-c", "import duckdb, pyarrow"], check=True, env=compiled),
        at_most=1.5,
        times=6,
    )


def many_commits(bench: Bench) -> Iterator[Figure]:
    """Ten thousand commits: what opening, looking back and checking cost."""
    path = bench.fresh()
    with_commits(path, 10_000 // 64 * 64 + TAIL, models=1_000)

    def opened() -> float:
        return seconds(lambda: localreg.open(path).get_model("model 7").metadata)

    yield promised("opening 10,000 commits and reading one model", opened, 0.060)
    registry = localreg.open(path)
    log = registry._session.log
    last = registry.commit
    yield promised(
        "rebuild of 10,000 commits without any snapshot",
        lambda: seconds(lambda: fold(State(log.origin), log.entries(log.origin, upto=last))),
        5,
        times=3,
    )
    yield promised("verify of 10,000 commits (aim 1.5 s)", lambda: seconds(registry.verify), 5, times=3)

    def past() -> float:
        return seconds(lambda: registry.at(commit=5_000).get_model("model 7").metadata)

    yield promised("at(commit=5000) of 10,000 commits and reading one model", past, 0.300)


def a_million_models(bench: Bench) -> Iterator[Figure]:
    """One namespace with a million models."""
    path = bench.fresh()
    with_models(path, 1_000_000, at_once=20_000)
    what = "1,000,000 models:"
    yield promised(f"{what} opening", lambda: seconds(lambda: localreg.open(path).commit), 0.100)
    registry = localreg.open(path)
    numbers = count()
    yield promised(
        f"{what} get_model",
        lambda: seconds(lambda: registry.get_model(f"model {next(numbers) * 7919 % 1_000_000}").metadata),
        0.050,
        times=20,
    )
    yield promised(f"{what} search on two metadata keys", lambda: seconds(lambda: registry.models(TWO_KEYS).dicts()), 1)
    raw = bench.fresh()
    raw.mkdir()
    yield bench.compare(
        f"{what} one more commit ÷ raw commit",
        lambda: registry.create_model(f"newcomer {next(numbers)}"),
        lambda: raw_commit(raw),
        at_most=3,
        times=60,
    )
    code = OPEN_AND_SEARCH.format(path=str(path))
    gigabytes = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    yield Figure(f"{what} memory of a process that opens, reads and searches (GB ÷ 1 GB)", gigabytes, 1)


def a_hundred_thousand_commits(bench: Bench) -> Iterator[Figure]:
    """The same thousand models behind 1,000 and behind 100,000 commits."""
    short, long = bench.fresh(), bench.fresh()
    for path, commits in ((short, 1_000), (long, 100_000)):
        with_commits(path, commits, models=1_000)
    registries = {path: localreg.open(path) for path in (short, long)}
    numbers = count()
    acts: dict[str, Callable[[Path], object]] = {
        "open": lambda path: localreg.open(path).get_model("model 7").metadata,
        "one commit": lambda path: registries[path].create_model(f"newcomer {next(numbers)}"),
        "listing": lambda path: registries[path].models().dicts(),
    }
    for name, act in acts.items():
        yield bench.compare(
            f"100,000 commits, 1,000 models: {name} ÷ the same after 1,000 commits",
            lambda act=act: act(long),  # type: ignore[misc]
            lambda act=act: act(short),  # type: ignore[misc]
            at_most=1.5,
            times=20,
        )


def promised(what: str, taken: Callable[[], float], at_most: float, *, times: int = 8) -> Figure:
    """A row whose limit is a time: what a person should not have to wait longer for."""
    taken()
    ours = statistics.median(taken() for _ in range(times))
    return Figure(f"{what} ÷ {at_most * 1e3:g} ms", ours / at_most, 1, ours, at_most)


def with_models(path: Path, models: int, *, at_once: int = 10_000) -> Registry:
    """A registry with that many models of some metadata, made by a few transactions."""
    registry = localreg.open(path)
    for begin in range(0, models, at_once):
        with registry.transaction("import"):
            for number in range(begin, min(models, begin + at_once)):
                registry.create_model(
                    f"model {number}",
                    metadata={
                        "framework": FRAMEWORKS[number % 5],
                        "optim": {"lr": number * 7 % 100 / 100},
                        "dataset": f"set {number % 37}",
                        "weights": f"s3://models/run-{number}.pt",
                        "accuracy": number * 7919 % 1000 / 1000,
                    },
                    tags={f"tag {number % 11}"},
                    owner="ana",
                )
    return registry


def with_commits(path: Path, commits: int, *, models: int) -> None:
    """A registry with that many commits; those after the models are made update one of them each."""
    registry = localreg.open(path)
    handles = [registry.create_model(f"model {number}", metadata={"seed": 0}) for number in range(models)]
    for number in range(models, commits):
        handles[number % models].update(metadata={"seed": number})
