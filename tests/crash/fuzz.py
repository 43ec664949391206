"""Spoil files of a small registry at random, and look at it: what it says is right, or refused, or `verify` tells.

`python -m tests.crash.fuzz --count N --first S` plays so many seeds; `--seed S` plays one and says what came of it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import localreg
from localreg import LocalregError, Registry, Result
from localreg.artifacts.download import copy_out
from localreg.query.tables import TABLES
from tests.compat.everything import MODEL
from tests.compat.kept import unpacked
from tests.compat.test_format_1_everything import FOLDER

__all__ = ["Fuzzer", "Mutation"]

PATIENCE_S = 60
"""After so long an act is a hang."""


class Outcome(NamedTuple):
    """How an act ended: what it gave, or the code of our error."""

    answered: bool
    words: str


# --- acts -------------------------------------------------------------------------------------------------------------

LARGE = (
    "test_samples",
    "ground_truths",
    "inferences",
    "embeddings",
    "metric_points",
    "metric_values",
    "plots",
    "events",
)
"""Tables whose rows lie in files of their own."""
Act = Callable[[Registry], object]


def _table(name: str, registry: Registry) -> object:
    return registry.sql(f"FROM {name} ORDER BY ALL")


READS: dict[str, Act] = {
    "commit": lambda registry: registry.commit,
    "models": lambda registry: registry.models(),
    "models where": lambda registry: registry.models(where="name <> 'x'"),
    **{f"sql {table}": partial(_table, table) for table in (*TABLES, *LARGE)},
    "model": lambda registry: [version.name for version in registry.get_model(MODEL).versions()],
    "history": lambda registry: registry.get_model(MODEL).history(),
    "audit": lambda registry: registry.audit(),
    "at": lambda registry: registry.at(commit=12).models(),
    "points": lambda registry: registry.get_experiment("run").points("loss"),
    "card": lambda registry: registry.model_card(MODEL),
    "artifact": lambda registry: _read(registry),
}
LOOKS: dict[str, Act] = {
    "room": lambda registry: registry.disk_usage(),
    "doctor": lambda registry: registry.doctor(),
    "garbage": lambda registry: registry.gc(),
}
WRITES: dict[str, Act] = {
    "create": lambda registry: registry.create_model("by the fuzzer").name,
    "update": lambda registry: registry.get_model("worse").update(metadata={"note": "x"}).name,
    "snapshot": lambda registry: registry.snapshot() > 0,
}


def _read(registry: Registry) -> object:
    with tempfile.TemporaryDirectory() as folder:
        copy_out(
            registry.get_model(MODEL).get_artifact("logs"), Path(folder) / "copy", overwrite=True, storage_options={}
        )
        return [(path.name, path.read_bytes()) for path in sorted(Path(folder).rglob("*")) if path.is_file()]


# --- mutations --------------------------------------------------------------------------------------------------------


class Mutation(NamedTuple):
    """What is done to a file."""

    how: str
    path: str
    other: str


def _places(chance: random.Random, data: bytes) -> tuple[int, int]:
    """A stretch of it, in half of all cases near its end, where Parquet says what it holds."""
    size = len(data)
    begin = chance.randrange(size) if chance.random() < 0.5 else size - 1 - chance.randrange(min(size, 2_000))
    return begin, min(size, begin + chance.choice((1, 1, 2, 8, 100)))


def _flip(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 16))):
        begin, _ = _places(chance, data)
        changed[begin] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _drop(chance: random.Random, data: bytes) -> bytes:
    begin, end = _places(chance, data)
    return data[:begin] + data[end:]


def _insert(chance: random.Random, data: bytes) -> bytes:
    begin, end = _places(chance, data)
    return data[:begin] + chance.choice((chance.randbytes(end - begin), data[begin:end])) + data[begin:]


def _zero(chance: random.Random, data: bytes) -> bytes:
    begin, end = _places(chance, data)
    return data[:begin] + bytes(end - begin) + data[end:]


def _scribble(chance: random.Random, data: bytes) -> bytes:
    begin, end = _places(chance, data)
    return data[:begin] + chance.randbytes(end - begin) + data[end:]


def _append(chance: random.Random, data: bytes) -> bytes:
    return data + chance.choice((b"\0", b"PAR1", data, chance.randbytes(100)))


def _empty(chance: random.Random, data: bytes) -> bytes:
    return b""


CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "flip": _flip,
    "cut": _cut,
    "drop": _drop,
    "insert": _insert,
    "zero": _zero,
    "scribble": _scribble,
    "append": _append,
    "empty": _empty,
}
WITH_ANOTHER = ("swap", "replace", "copy beside")


def group_of(path: str) -> str:
    """The kind of a file: kinds are drawn first, for entries are many."""
    parts = path.split("/")
    if parts[0] != "namespaces":
        return path
    return "/".join(parts[2:4]) if parts[2] == "data" else parts[2]


def spoil(folder: Path, chance: random.Random) -> list[Mutation]:
    """Do one to three things to the registry in a folder."""
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    groups: dict[str, list[str]] = {}
    for file in files:
        groups.setdefault(group_of(file), []).append(file)
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        group = groups[chance.choice(sorted(groups))]
        path = chance.choice(group)
        other = chance.choice(group if chance.random() < 0.7 else files)
        how = chance.choice([*CHANGES, *CHANGES, *WITH_ANOTHER, "delete"])
        _do(folder, chance, Mutation(how, path, other))
        done.append(Mutation(how, path, other))
    return done


def _do(folder: Path, chance: random.Random, mutation: Mutation) -> None:
    path, other = folder / mutation.path, folder / mutation.other
    if not path.is_file() or not other.is_file():
        return
    data = path.read_bytes()
    if mutation.how in CHANGES:
        path.write_bytes(CHANGES[mutation.how](chance, data) if data else b"x")
    elif mutation.how == "delete":
        path.unlink()
    elif mutation.how == "copy beside":
        shutil.copy(path, path.with_name(f"0{path.name}"))
    else:
        path.write_bytes(other.read_bytes())
        if mutation.how == "swap":
            other.write_bytes(data)


# --- looking ----------------------------------------------------------------------------------------------------------


def some_acts(chance: random.Random) -> list[str]:
    """Of all that can be done, in the order in which it is."""
    chosen = {*chance.sample(sorted(READS), 4), *chance.sample(sorted(LOOKS), 1), *chance.sample(sorted(WRITES), 1)}
    return [name for name in (*READS, *LOOKS, *WRITES) if name in chosen]


def looked_at(folder: Path, acts: Sequence[str]) -> Iterator[tuple[str, Outcome]]:
    """What comes of each act. A foreign exception is let out."""

    def opened(read_only: bool) -> Registry:
        return localreg.open(folder, actor="ana", read_only=read_only)

    with contextlib.ExitStack() as stack:
        readers: list[Registry] = []
        yield "open", outcome(lambda: readers.append(stack.enter_context(opened(True))))
        for reader in readers:
            for name in acts:
                if name not in WRITES:
                    yield name, outcome(partial((READS | LOOKS)[name], reader))
    for name in acts:
        if name in WRITES:
            yield name, outcome(partial(_acted, opened, WRITES[name]))
    yield "verify", outcome(lambda: opened(True).verify().ok)


def _acted(opened: Callable[[bool], Registry], act: Act) -> object:
    with opened(False) as registry:
        return act(registry)


def outcome(act: Callable[[], object]) -> Outcome:
    try:
        answer: Any = act()
        rows = answer.dicts() if isinstance(answer, Result) else answer
    except LocalregError as error:
        return Outcome(False, error.code)
    text = repr(rows)
    return Outcome(True, text if len(text) < 60 else f"{len(text)} {sha256(text.encode()).hexdigest()[:16]}")


class Fuzzer:
    """A registry to spoil, again and again.

    Attributes:
        whole: what comes of each act while it is whole.
    """

    def __init__(self, room: Path) -> None:
        self._room = room
        self._template = unpacked(FOLDER, room / "whole")
        self._add_small_files()
        self.whole = dict(looked_at(self._template, [*READS, *LOOKS]))
        assert all(each.answered for each in self.whole.values()), self.whole

    def _add_small_files(self) -> None:
        """What lies in a registry at work."""
        namespace = self._template / "namespaces/default"
        (namespace / "tmp").mkdir(exist_ok=True)
        (namespace / "protection.json").write_text('{"group": "root", "members": "write", "others": "read"}')
        (namespace / "lease.json").write_text(
            '{"holder": "x", "host": "h", "pid": 1, "actor": "ana", "acquired": "", "renewed": 1, "seconds": 1}'
        )

    def wrong(self, seed: int) -> str | None:
        """Why what one seed brings about is not as promised; None if it is."""
        folder = self._room / f"seed {seed}"
        shutil.copytree(self._template, folder)
        chance = random.Random(seed)
        done = spoil(folder, chance)
        acts = some_acts(chance)
        said: dict[str, Outcome] = {}
        try:
            with patience(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                said.update(looked_at(folder, acts))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            trace = "".join(traceback.format_exception(error)[-8:])
            return f"{done}\n{list(said)} of {acts}\n{trace}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if said["verify"] == Outcome(True, "False") or not said["verify"].answered:
            return None
        other = [
            f"{name}: {each}" for name, each in said.items() if name not in LOOKS and each != self.whole.get(name, each)
        ]
        return f"{done}\nverify is content, but\n" + "\n".join(other) if other else None


class HangError(BaseException):
    """Somebody waits for ever."""


@contextmanager
def patience() -> Iterator[None]:
    """An end to an act that has none."""

    def ring(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    """The exit code: 1 if a seed showed anything that is not as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one")
    parser.add_argument("--count", type=int, default=1_000, help="how many to play")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--go-on", action="store_true", help="after a seed that fails, too")
    chosen = parser.parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory() as room:
        os.environ["LOCALREG_STATE"] = os.environ["LOCALREG_CACHE"] = f"{room}/state"
        fuzzer = Fuzzer(Path(room))
        seeds = range(chosen.first, chosen.first + chosen.count) if chosen.seed is None else (chosen.seed,)
        began = time.monotonic()
        failed = 0
        for seed in seeds:
            wrong = fuzzer.wrong(seed)
            if wrong is not None:
                print(f"python -m tests.crash.fuzz --seed {seed}\n{wrong}\n", flush=True)
                failed += 1
                if not chosen.go_on:
                    break
        print(f"{len(seeds)} seeds, {failed} failed, {(time.monotonic() - began) / len(seeds):.2f} s each")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
