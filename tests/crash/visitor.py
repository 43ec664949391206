"""A program that looks at a registry in every way that there is, in a process whose memory and time are bounded.

Each life takes a folder, and how often: `once` leaves it as it was, `writing` commits, too. For each act it says a line
of JSON: what it did, how that ended (`answered`, `refused`, or the name of a foreign exception), and with which words.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import duckdb  # noqa: F401 - loaded before the forks
import pyarrow.compute
import pyarrow.parquet  # noqa: F401

import localreg
from localreg import LocalregError, Registry, Result
from tests.compat.everything import MODEL
from tests.crash.forks import say, serve

__all__ = ["MOST_BYTES", "PATIENCE_S", "Outcome"]

PATIENCE_S = 50
"""After so long an act is a hang, and the system ends the process."""
MOST_BYTES = 6 << 30
"""Of address space, which is far more than of memory: whoever asks for more gets `MemoryError`."""


class Outcome(NamedTuple):
    """How one act ended."""

    act: str
    how: str
    words: str


Act = Callable[[Registry, Path], object]


TABLES = ("models", "audit_events", "test_samples", "inferences", "metric_points", "sample_metrics", "plots")


def _queried(table: str) -> Act:
    return lambda registry, beside: registry.sql(f"FROM {table} ORDER BY ALL")


def _downloaded(registry: Registry, beside: Path) -> object:
    from localreg.artifacts.download import copy_out

    artifact = registry.get_model(MODEL).get_artifact("logs")
    copy_out(artifact, beside / "copy", overwrite=True, storage_options={})
    return [(path.name, path.read_text()) for path in sorted((beside / "copy").rglob("*.txt"))]


READS: dict[str, Act] = {
    "commit": lambda registry, beside: registry.commit,
    **{f"sql {table}": _queried(table) for table in TABLES},
    "model": lambda registry, beside: registry.get_model(MODEL).metadata,
    "find": lambda registry, beside: registry.find_model("nobody"),
    "history": lambda registry, beside: registry.get_model(MODEL).history(),
    "past": lambda registry, beside: registry.at(commit=12).models(),
    "points": lambda registry, beside: registry.get_experiment("run").points("loss"),
    "card": lambda registry, beside: registry.model_card(MODEL),
    "download": _downloaded,
    "diff": lambda registry, beside: str(registry.diff(5, 40)),
}
LOOKS: dict[str, Act] = {
    "room": lambda registry, beside: len(registry.disk_usage().dicts()) > 0,
    "doctor": lambda registry, beside: len(registry.doctor().findings) > 0,
    "namespaces": lambda registry, beside: list(registry.namespaces()),
    "compact": lambda registry, beside: registry.compact(dry_run=True).dry_run,
}
WRITES: dict[str, Act] = {
    "create": lambda registry, beside: registry.create_model("by the visitor").name,
    "update": lambda registry, beside: registry.get_model("worse").update(metadata={"note": "x"}).name,
    "event": lambda registry, beside: registry.get_model("worse").event("seen"),
    "upload": lambda registry, beside: registry.get_model("worse").upload(b"bytes", name="bytes").name,
    "snapshot": lambda registry, beside: registry.snapshot() > 0,
}


def live(folder: str, beside: str, manner: str) -> None:
    """Do all acts, each in a registry that is opened for it: what one has in memory helps no other."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, hard))
    warnings.simplefilter("ignore")
    for outcome in _outcomes(Path(folder), Path(beside), manner == "writing"):
        say(json.dumps(outcome))
    say(json.dumps(Outcome("memory", "answered", str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10))))


def _outcomes(folder: Path, beside: Path, writing: bool) -> Iterator[Outcome]:
    def opened(how: bool) -> Registry:
        return localreg.open(folder, actor="ana", read_only=how)

    reader: list[Registry] = []
    yield _outcome("open", lambda: reader.append(opened(True)))
    for registry in reader:
        for name, act in {**READS, **LOOKS}.items():
            yield _outcome(name, partial(act, registry, beside))
    for name, act in WRITES.items() if writing else ():
        yield _outcome(name, lambda act=act: act(opened(False), beside))  # type: ignore[misc]
    yield _outcome("verify", lambda: opened(True).verify().ok)


def _outcome(name: str, act: Callable[[], object]) -> Outcome:
    signal.alarm(PATIENCE_S)
    try:
        return Outcome(name, "answered", _digest(act()))
    except LocalregError as error:
        return Outcome(name, "refused", f"{error.code}: {str(error)[:300]}")
    except Exception as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-4:]
        steps = " < ".join(f"{Path(each.filename).name}:{each.lineno}" for each in reversed(where))
        return Outcome(name, type(error).__name__, f"{str(error)[:300]} ({steps})")
    finally:
        signal.alarm(0)


def _digest(answer: object) -> str:
    """Short answers as they are."""
    if isinstance(answer, Result):
        rows: list[dict[str, Any]] = answer.dicts()
        answer = rows
    text = repr(answer)
    return text if len(text) < 60 else f"{len(text)} {sha256(text.encode()).hexdigest()[:16]}"


if __name__ == "__main__":
    sys.setrecursionlimit(1000)
    say("ready")
    serve(live)
