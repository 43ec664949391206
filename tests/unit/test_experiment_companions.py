"""What runs beside an experiment, folders that are watched and the machine, and the structure of a model."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from localreg import ConflictError, InvalidInputError, Registry
from localreg.experiments import Experiment
from localreg.experiments.companions import Companion
from localreg.experiments.watching import DirWatch, last_number


def saved(experiment: Experiment) -> dict[str, tuple[int | None, bytes]]:
    """Step and content of each checkpoint, by name."""
    found = {}
    for each in experiment.checkpoints():
        pointer = each.content.download(Path("out") / each.name)
        found[each.name] = each.step, pointer.read_bytes()
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ckpts" / "deep").mkdir(parents=True)
    return tmp_path / "ckpts"


def write(path: Path, data: bytes, time: int) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(time, time))


def test_a_file_is_saved_once_it_stops_growing(registry: Registry, folder: Path) -> None:
    experiment = registry.experiment("e", strict=True)
    watch = DirWatch(experiment, "ckpts/**/*.pt", last_number)
    write(folder / "epoch=1-step=20.pt", b"ha", 1)
    write(folder / "deep" / "7.pt", b"seven", 1)
    write(folder / "notes.txt", b"no", 1)
    watch.look()
    assert saved(experiment) == {}, "it may be growing"
    write(folder / "epoch=1-step=20.pt", b"half", 2)
    watch.look()
    assert saved(experiment) == {"7.pt": (7, b"seven")}
    watch.look()
    watch.look()
    expected = {"7.pt": (7, b"seven"), "epoch=1-step=20.pt": (20, b"half")}
    assert saved(experiment) == expected, "once each"
    write(folder / "deep" / "7.pt", b"anew", 3)
    watch.look()
    watch.look()
    assert saved(experiment) == {**expected, "7.pt (2)": (7, b"anew")}
    write(folder / "last.pt", b"end", 4)
    watch.look(last=True)
    assert saved(experiment)["last.pt"] == (None, b"end")
    experiment.finish()


def test_a_watched_folder_is_saved_when_training_ends(registry: Registry, folder: Path) -> None:
    with registry.experiment("e") as experiment:
        experiment.watch_dir("ckpts/*.pt", every=3_600, step=lambda path: int(path.stem) + 100)
        (folder / "1.pt").write_bytes(b"one")
    assert saved(experiment) == {"1.pt": (101, b"one")}
    with pytest.raises(ConflictError, match="cannot be watched for here"):
        experiment.watch_dir("ckpts/*.pt")


def test_what_cannot_be_saved_yet_is_told_and_tried_again(
    registry: Registry, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = registry.experiment("e")
    (folder / "1.pt").write_bytes(b"one")
    watch = DirWatch(experiment, "ckpts/*.pt", last_number)
    with monkeypatch.context() as patch:

        def grown(*_: object, **__: object) -> None:
            raise InvalidInputError("it changed while it was stored")

        patch.setattr(Experiment, "checkpoint", grown)
        watch.look(last=True)
    assert "1.pt is not saved yet: it changed while it was stored" in caplog.text
    watch.look(last=True)
    assert saved(experiment) == {"1.pt": (1, b"one")}


def test_a_companion_goes_on_whatever_goes_wrong(caplog: pytest.LogCaptureFixture) -> None:
    calls, enough = [], threading.Event()

    def act() -> None:
        calls.append(1)
        if len(calls) > 3:
            enough.set()
        raise RuntimeError("no card")

    with caplog.at_level(logging.WARNING, "localreg"):
        companion = Companion("test", act, 0.001)
        assert enough.wait(30)
        companion.stop()
    assert caplog.text.count("no card") == 1, "told once"


def test_the_machine_is_told(registry: Registry) -> None:
    with registry.experiment("e", system_metrics=3_600, strict=True) as experiment:
        pass
    names = experiment.keys()
    keys = {key.split("/", 2)[2] for key in names}
    assert keys >= {"cpu_percent", "memory_percent", "memory_bytes", "disk_percent", "process_memory_bytes"}
    assert {key.split("/")[0] for key in names} == {"system"}
    (memory,) = [key for key in names if key.endswith("/process_memory_bytes")]
    assert experiment.latest(memory).value > 10_000_000


def test_without_psutil_nothing_is_begun(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(InvalidInputError, match=r"pip install 'localreg-registry\[system\]'"):
        registry.experiment("e", system_metrics=10)
    assert len(registry.experiments()) == 0
    with pytest.raises(InvalidInputError, match="system_metrics is 0; write seconds"):
        registry.experiment("e", system_metrics=0)


@pytest.mark.parametrize(
    ("summary", "kind", "content"),
    [
        ("Linear(2, 3)", "text/plain", b"Linear(2, 3)"),
        ({"layers": [{"shape": [2, 3]}]}, "application/json", b'{\n  "layers": [\n    {\n      "shape": [\n'),
    ],
)
def test_the_structure_of_a_model_is_kept(
    registry: Registry, tmp_path: Path, summary: Any, kind: str, content: bytes
) -> None:
    with registry.experiment("e") as experiment:
        experiment.log_model_summary("older")
        artifact = experiment.log_model_summary(summary)
    assert (artifact, artifact.media_type) == (experiment.get_artifact("model summary"), kind)
    assert artifact.download(tmp_path / "out").read_bytes().startswith(content)


def test_an_experiment_is_resumed_by_its_handle(registry: Registry) -> None:
    with registry.experiment("e") as first:
        first.log({"x": 1}, step=0)
    with registry.get_experiment("e").resume() as second:
        second.log({"x": 2}, step=1)
        with pytest.raises(ConflictError, match="runs here already"):
            second.resume()
    assert [row["value"] for row in second.points("x")] == [1, 2]
