"""Experiments: what is logged is there, live and as of commits, whatever becomes of the process that logged it."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import localreg
from localreg import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError, Registry, StorageError
from localreg.experiments import Experiment
from localreg.experiments.capture import captured_code
from localreg.storage import Store
from localreg.tables.spool import Spool
from localreg.tables.streamed import Left, Streamed
from tests.crash.pipes import read_line

LATE = 3_600.0
"""Nothing is flushed by itself."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def disk(folder: Path) -> Registry:
    return localreg.open(folder)


def values(experiment: Experiment, key: str, *, live: bool = True) -> list[float]:
    return [row["value"] for row in experiment.points(key, live=live)]


def events(experiment: Experiment, *, live: bool = True) -> list[int]:
    return [row["metadata"]["n"] for row in experiment.events(live=live)]


def test_points_are_read_live_and_as_of_commits(disk: Registry) -> None:
    with disk.experiment("e", params={"lr": 0.1}, flush_every=LATE) as running:
        running.log({"loss": 0.5}, step=0)
        running.log({"loss": 0.25}, step=1)
        assert running.status == "running"
        other = disk.get_experiment("e")
        assert (values(other, "loss"), values(other, "loss", live=False)) == ([0.5, 0.25], [])
        assert disk.sql("SELECT count(*) AS n FROM metric_points").dicts() == [{"n": 0}]
        running.flush()
        assert (values(other, "loss"), values(other, "loss", live=False)) == ([0.5, 0.25], [])
    assert (other.status, values(other, "loss", live=False)) == ("finished", [0.5, 0.25])
    assert disk.sql("SELECT experiment, key, step, value FROM metric_points ORDER BY step").dicts() == [
        {"experiment": "e", "key": "loss", "step": 0, "value": 0.5},
        {"experiment": "e", "key": "loss", "step": 1, "value": 0.25},
    ]
    before = disk.at(commit=disk.commit - 1).get_experiment("e")
    assert values(before, "loss") == [], "a look at the past shows what was committed then"
    assert disk.verify().ok


def test_any_value_comes_back_as_it_was(registry: Registry) -> None:
    given: dict[str, Any] = {
        "whole": 3,
        "flag": True,
        "nan": math.nan,
        "infinite": -math.inf,
        "scalar": np.float32(0.5),
        "text": "a \U0001f600 line\nand another",
        "bytes": b"\x00\xff",
        "tensor": np.arange(6, dtype=">i4").reshape(2, 3),
        "lists": [[1.5, 2], [3, 4]],
        "complex": np.array([1 + 2j]),
        "empty": np.zeros((0, 4), np.float16),
    }
    with registry.experiment("e", strict=True) as experiment:
        experiment.log({"deep": given, "alone": 1.0}, step=7, wallclock=datetime(2026, 1, 2, tzinfo=UTC))
    assert experiment.keys() == sorted(["alone", *(f"deep/{name}" for name in given)])
    for name, value in given.items():
        point = experiment.latest(f"deep/{name}")
        assert (point.step, point.wallclock) == (7, datetime(2026, 1, 2, tzinfo=UTC))
        if isinstance(value, np.ndarray | list):
            expected = np.asarray(value)
            assert (point.value.shape, point.value.dtype.kind) == (expected.shape, expected.dtype.kind), name
            assert point.value.dtype.itemsize == expected.dtype.itemsize
            assert np.array_equal(point.value, expected)
        elif isinstance(value, float) and math.isnan(value):
            assert math.isnan(point.value)
        else:
            assert point.value == value
    assert [row["key"] for row in experiment.points("deep/")] == sorted(f"deep/{name}" for name in given)


def test_order_is_by_step_else_wall_clock_else_call(registry: Registry) -> None:
    with registry.experiment("e", strict=True) as experiment:
        for step, wallclock, value in (
            (2, 5.0, 1),
            (1, 9.0, 2),
            (None, 7.0, 3),
            (None, 6.0, 4),
            (2, 5.0, 5),
            (2, None, 6),
        ):
            experiment.log({"x": value}, step=step, wallclock=wallclock)
    assert values(experiment, "x") == [2, 1, 5, 6, 4, 3]
    assert experiment.latest("x").value == 3
    assert (experiment.best("x", mode="min").value, experiment.best("x", mode="max").value) == (1, 6)


def test_a_summary_tells_each_series(registry: Registry) -> None:
    with registry.experiment("e") as experiment:
        for step, value in enumerate((3.0, math.nan, 1.0)):
            experiment.log({"loss": value, "note": "x"}, step=step)
    loss, note = experiment.summary().dicts()
    assert loss == {"key": "loss", "points": 3, "last_step": 2, "last": 1.0, "min": 1.0, "max": 3.0, "mean": 2.0}
    assert (note["key"], note["points"], note["last"], note["mean"]) == ("note", 3, None, None)
    with pytest.raises(NotFoundError, match=r"nothing was logged as 'lost'.*did you mean 'loss'"):
        experiment.latest("lost")
    with pytest.raises(NotFoundError, match="no number was logged as 'note'"):
        experiment.best("note", mode="min")
    with pytest.raises(InvalidInputError, match="mode is 'low'; write 'min' or 'max'"):
        experiment.best("loss", mode="low")  # type: ignore[arg-type]


# --- what cannot be logged --------------------------------------------------------------------------------------------


class _Raises:
    def __array__(self, *_: object) -> None:
        raise RuntimeError("no numbers on this device")


BAD: list[tuple[dict[Any, Any], dict[str, Any], str]] = [
    ({"x": object()}, {}, "metric 'x' is <object"),
    ({"x": [[1], [1, 2]]}, {}, r"metric 'x' is .* log lists of one length"),
    ({"x": np.array(["a"])}, {}, "log a number, an array"),
    ({"x": _Raises()}, {}, "no numbers on this device"),
    ({"x": 10**400}, {}, "which no float holds"),
    ({"": 1}, {}, "the name of a metric is ''"),
    ({1: 1}, {}, "the name of a metric is 1"),
    ({"x": {"y" * 501: 1}}, {}, "at most 500"),
    ({"x": 1}, {"step": "one"}, "step is 'one'; write a whole number"),
    ({"x": 1}, {"step": 0.5}, "step is 0.5"),
    ({"x": 1}, {"step": math.nan}, "step is nan"),
    ({"x": 1}, {"step": 2**63}, "step is 9223372036854775808"),
    ({"x": 1}, {"wallclock": "soon"}, "wallclock is 'soon'"),
    ({"x": 1}, {"wallclock": math.inf}, "wallclock is inf"),
    ({"x": 1}, {"wallclock": datetime(2026, 1, 1)}, "wallclock is .* no time zone"),  # noqa: DTZ001 - that is the point
]


@pytest.mark.parametrize(("metrics", "said", "message"), BAD)
def test_what_cannot_be_logged_kills_nobody_and_is_told(
    registry: Registry, caplog: pytest.LogCaptureFixture, metrics: Any, said: Any, message: str
) -> None:
    with registry.experiment("e", strict=True) as strict, pytest.raises(InvalidInputError, match=message):
        strict.log({"fine": 1, **metrics}, **said)
    assert strict.keys() == [], "nothing is half logged"
    with caplog.at_level(logging.WARNING, "localreg"), registry.experiment("e", resume=True) as lenient:
        lenient.log({"fine": 1, **metrics}, **said)
        lenient.log({"loss": 2})
    assert (lenient.refused, lenient.keys()) == (1, ["loss"])
    assert [record.name for record in caplog.records] == ["localreg"]


def test_who_does_not_run_it_cannot_log(registry: Registry) -> None:
    experiment = registry.experiment("e").finish()
    experiment.log({"x": 1})
    assert experiment.refused == 1
    for call in (experiment.flush, experiment.finish, lambda: experiment.log_table([{"x": 1}])):
        with pytest.raises(ConflictError, match=r"does not run it; registry.experiment\('e', resume=True\)"):
            call()
    assert experiment.keys() == []


def test_a_full_disk_is_told_and_training_goes_on(disk: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("no room is left")

    with disk.experiment("e", flush_every=LATE) as experiment:
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "append", full)
            experiment.log({"x": 1})
        experiment.log({"x": 2})
    assert (experiment.refused, values(experiment, "x")) == (1, [2])


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_an_exception_fails_it_and_goes_on(disk: Registry) -> None:
    experiment = disk.experiment("e", flush_every=LATE)
    with pytest.raises(ZeroDivisionError), experiment:
        _diverge(experiment)
    assert (experiment.status, values(experiment, "x", live=False)) == ("failed", [1])
    assert experiment.error is not None
    assert (experiment.error["type"], experiment.error["message"]) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in str(experiment.error["traceback"])
    assert [row["action"] for row in disk.audit(kind="experiment")] == ["create", "fail"]
    assert disk.experiments("error.type = 'ZeroDivisionError'").dicts()[0]["name"] == "e"


def _diverge(experiment: Experiment) -> float:
    experiment.log({"x": 1})
    return 1 / 0


def test_a_name_is_taken_unless_one_goes_on(registry: Registry) -> None:
    with registry.experiment("e", params={"lr": 0.1, "seed": 1}) as first:
        first.log({"x": 1}, step=0)
    with pytest.raises(AlreadyExistsError, match="there is an experiment 'e' already; pass resume=True"):
        registry.experiment("e")
    with registry.experiment("e", params={"lr": 0.2}, resume=True) as second:
        assert (second, second.status) == (first, "running")
        second.log({"x": 2}, step=1)
    assert (values(second, "x"), second.params) == ([1, 2], {"lr": 0.2, "seed": 1})
    assert [row["action"] for row in registry.audit(kind="experiment")] == ["create", "finish", "resume", "finish"]
    with pytest.raises(NotFoundError, match="no experiment 'f'"):
        registry.get_experiment("f")


TRAINS = """
import sys, localreg
experiment = localreg.open({folder!r}).experiment("e", resume=True, flush_every={every})
for step in range({begin}, {end}):
    experiment.log({{"loss": float(step)}}, step=step)
    experiment.event("step", source="trainer", metadata={{"n": step}})
print("there", flush=True)
sys.stdin.read()
"""


def train(folder: Path, begin: int, end: int, every: float) -> subprocess.Popen[bytes]:
    """A process that has logged these steps, and waits."""
    code = TRAINS.format(folder=str(folder), begin=begin, end=end, every=every)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
    )
    assert read_line(process.stdout).strip() == "there"
    return process


def _statuses(experiment: Experiment) -> tuple[str, str]:
    """As far as it can be seen, and as it was said."""
    return experiment.status, experiment.info.status


@pytest.mark.parametrize("every", [0.005, LATE])
def test_kill_9_loses_nothing(disk: Registry, folder: Path, every: float) -> None:
    with train(folder, 0, 300, every) as process:
        experiment = disk.get_experiment("e")
        assert _statuses(experiment) == ("running", "running")
        process.send_signal(signal.SIGKILL)
    assert _statuses(experiment) == ("killed", "running"), "nobody has said so yet"
    assert values(experiment, "loss") == events(experiment) == list(range(300))
    assert not [each for each in disk.doctor().findings if "leftovers" in each.what or "orphans" in each.what]
    with disk.experiment("e", resume=True, flush_every=LATE) as again:
        again.log({"loss": 300.0}, step=300)
        again.event("step", metadata={"n": 300})
    assert values(again, "loss", live=False) == events(again, live=False) == list(range(301))
    assert [row["action"] for row in disk.audit(kind="experiment")] == ["create", "kill", "resume", "finish"]
    assert [path.name for path in (folder / "namespaces/default/tmp").rglob("*") if path.is_file()] == []
    assert not list(folder.rglob("open-*.parquet"))
    assert disk.verify().ok


def test_killed_ones_are_recovered_by_whoever_asks(disk: Registry, folder: Path) -> None:
    with train(folder, 0, 20, LATE) as process:
        assert disk.recover_experiments() == [], "it runs"
        process.send_signal(signal.SIGKILL)
    told = [each.message for each in disk.doctor().findings if each.what.endswith("experiments")]
    assert told == ["'e' was killed; what it logged is kept: `localreg experiments recover` closes it with all of it"]
    assert not [each for each in disk.doctor().findings if "leftovers" in each.what or "orphans" in each.what]
    assert disk.recover_experiments() == [disk.get_experiment("e")]
    assert disk.recover_experiments() == []
    assert disk.get_experiment("e").info.status == "killed"
    assert values(disk.get_experiment("e"), "loss", live=False) == list(range(20))


def test_several_processes_log_to_one_experiment(disk: Registry, folder: Path) -> None:
    with train(folder, 0, 50, LATE) as process:
        with disk.experiment("e", resume=True, flush_every=LATE) as own:
            own.log({"loss": -1.0}, step=-1)
            own.event("step", metadata={"n": -1})
        assert (own.status, values(own, "loss", live=False)) == ("running", [-1]), "the other one goes on"
        assert events(own, live=False) == [-1]
        assert values(own, "loss") == sorted(events(own)) == list(range(-1, 50))
        process.kill()
    assert disk.recover_experiments() == [own]
    assert values(own, "loss", live=False) == sorted(events(own, live=False)) == list(range(-1, 50))


def test_who_looks_while_it_ends_sees_each_row_once(disk: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its look at open parts and its look at the log, all is committed."""
    look = Streamed.left
    for name, seen in (("points", lambda each: values(each, "x")), ("events", events)):
        experiment = disk.experiment(name, flush_every=LATE)
        for step in range(10):
            experiment.log({"x": step}, step=step)
            experiment.event("x", metadata={"n": step})

        def late(table: Streamed, store: Store, owner: str, running: Experiment = experiment) -> Left:
            found = look(table, store, owner)
            if running._recorder is not None:
                with monkeypatch.context() as patch:
                    patch.setattr(Streamed, "left", look)
                    running.finish()
            return found

        with monkeypatch.context() as patched:
            patched.setattr(Streamed, "left", late)
            assert seen(disk.get_experiment(name)) == list(range(10))
        assert experiment.status == "finished"


def test_two_that_recover_at_once_bring_each_row_once(
    disk: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with train(folder, 0, 30, LATE) as process:
        process.kill()
    merge, first = Streamed.merged, [True]

    def slow(*arguments: Any) -> Any:
        if first:
            first.clear()
            assert localreg.open(folder).recover_experiments() != []
        return merge(*arguments)

    monkeypatch.setattr(Streamed, "merged", slow)
    disk.recover_experiments()
    recovered = disk.get_experiment("e")
    assert values(recovered, "loss", live=False) == events(recovered, live=False) == list(range(30))
    for table in ("metric_points", "events"):
        assert disk.sql(f"SELECT count(*) AS n FROM {table}").dicts() == [{"n": 30}]
        assert len(list(folder.rglob(f"data/{table}/*/*.parquet"))) == 1


# --- tables -----------------------------------------------------------------------------------------------------------


def test_tables_are_logged_at_once(registry: Registry) -> None:
    wide = pa.table({"step": [0, 1], "loss": [0.5, None], "acc": [1, 2], "wallclock": [1.5, 2.5]})
    with registry.experiment("e", flush_every=LATE) as experiment:
        assert experiment.log_table(wide) == 3
        assert experiment.log_table([{"key": "loss", "value": 0.25, "step": 2}]) == 1
        assert experiment.log_table(wide.slice(0, 0)) == 0
        experiment.log({"loss": 0.125}, step=3)
    assert (values(experiment, "loss"), values(experiment, "acc")) == ([0.5, 0.25, 0.125], [1, 2])
    wallclock = next(iter(experiment.points("loss")))["wallclock"]
    assert wallclock.timestamp() == 1.5


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([{"step": 1}], "there is no series among the columns step"),
        ([{"loss": "x"}], "column loss holds string, and a series is of numbers"),
        ([{"loss": 1.0, "step": 0.5}], "column step cannot be read as whole numbers"),
        ([{"loss": 1.0, "wallclock": "now"}], "column wallclock holds string"),
        ([{"key": "x", "value": 1.0}, {"key": None, "value": 1.0}], "each row needs the name"),
        ([{"key": " ", "value": 1.0}], "the name of a metric is ' '"),
    ],
)
def test_tables_that_are_none_are_refused_as_a_whole(registry: Registry, table: Any, message: str) -> None:
    with registry.experiment("e") as experiment, pytest.raises(InvalidInputError, match=message):
        experiment.log_table(table)
    assert experiment.keys() == []


# --- what is said of it -----------------------------------------------------------------------------------------------


def test_experiments_are_found_by_what_is_said_of_them(registry: Registry) -> None:
    for lr in (0.1, 0.01):
        with registry.experiment(
            f"lr {lr}", params={"lr": lr, "opt": {"name": "sgd"}}, owner="ana", framework="torch", tags={"night"}
        ) as experiment:
            experiment.log_params({"batch": 32})
    assert [row["name"] for row in registry.experiments("params.lr < 0.05 AND 'night' IN tags")] == ["lr 0.01"]
    assert len(registry.experiments("params.opt.name = 'sgd' AND params.batch = 32")) == 2
    assert len(registry.experiments(search="sgd")) == 2
    experiment.update(description="slow", metadata={"gpu": "none"}, owner=None)
    assert (experiment.info.description, experiment.metadata, experiment.info.owner) == ("slow", {"gpu": "none"}, None)
    experiment.archive()
    assert [row["name"] for row in registry.experiments()] == ["lr 0.1"]
    assert [row["name"] for row in registry.experiments(archived=True)] == ["lr 0.01"]
    experiment.restore().delete()
    assert len(registry.experiments()) == 1


def test_what_runs_is_not_deleted(registry: Registry) -> None:
    experiment = registry.experiment("e")
    with pytest.raises(ConflictError, match="is running; finish it first"):
        experiment.delete()
    experiment.finish().delete()


def test_the_environment_is_kept(registry: Registry) -> None:
    told = registry.experiment("e").finish().info.environment
    assert told is not None
    assert told["python"] == sys.version.split()[0]
    assert told["command_line"] == sys.orig_argv
    assert "pyarrow" in told["packages"]
    assert json.dumps(told)


@pytest.mark.parametrize("argument", [{"flush_every": 0}, {"flush_every": True}, {"strict": 1}, {"params": [1]}])
def test_what_no_experiment_can_be_is_refused(registry: Registry, argument: Any) -> None:
    with pytest.raises(InvalidInputError):
        registry.experiment("e", **argument)
    assert len(registry.experiments()) == 0


# --- code -------------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=ana", "-c", "user.email=ana@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", "-C", folder, *settings, *arguments], check=True, capture_output=True)


def test_what_is_not_committed_is_kept(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.experiments.opening.captured_code", captured_code)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    git(work, "init")
    (work / "train.py").write_text("lr = 0.1\n")
    git(work, "add", ".")
    git(work, "commit", "-m", "one")
    assert len(registry.experiment("clean").finish().artifacts()) == 0
    (work / "train.py").write_text("lr = 0.2\n")
    changed = registry.experiment("changed").finish()
    assert (changed.info.environment or {})["git"]["dirty"] is True
    (kept,) = changed.artifacts()
    diff = changed.get_artifact("uncommitted.diff").download(tmp_path / "out").read_text()
    assert kept["media_type"] == "text/x-diff"
    assert "-lr = 0.1\n+lr = 0.2\n" in diff
    assert len(registry.experiment("not asked for", code=False).finish().artifacts()) == 0


def test_without_git_the_sources_are_kept(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "program"
    (place / "nets").mkdir(parents=True)
    (place / "nets" / "small.py").write_text("width = 3\n")
    (place / "unused.py").write_text("1 / 0\n")
    program = f"import nets.small, localreg\nlocalreg.open({str(folder)!r}).experiment('e').finish()\n"
    (place / "train.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "GIT_CEILING_DIRECTORIES": "/"}
    subprocess.run([sys.executable, "train.py"], cwd=place, env=environment, check=True)
    sources = localreg.open(folder).get_experiment("e").get_artifact("sources")
    assert [row["path"] for row in sources.files()] == ["nets/small.py", "train.py"]
    assert (sources.download(tmp_path / "out") / "train.py").read_text() == program


def test_code_that_cannot_be_kept_keeps_nobody_from_training(
    registry: Registry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("no room is left")

    monkeypatch.setattr("localreg.experiments.opening.captured_code", lambda: ("uncommitted.diff", b"+x"))
    monkeypatch.setattr(Experiment, "upload", full)
    registry.experiment("e").finish()
    assert "the code of experiment 'e' is not kept: no room is left" in caplog.text
