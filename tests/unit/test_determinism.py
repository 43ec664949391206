"""The verdict on a model version: what breaks it, what does not, and what is kept of it."""

from __future__ import annotations

import math
import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

import localreg
from localreg import ConflictError, InvalidInputError, ReadOnlyError, Registry, WorkflowMismatchError, classification
from localreg.cli import run
from localreg.records.determinism import VARIATIONS, Determinism
from localreg.records.models import ModelVersionRecord
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow, determinism, test
from localreg.workflow.fresh_process import INSIDE, Pass, Work, infer_here

ANSWER = "LOCALREG_TEST_ANSWER"
"""An environment variable that stands for what a model depends on and nobody looks at."""


@dataclass(frozen=True)
class Photo(TestSample):
    name: str
    light: float


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredLabel


_, Case, Suite, Net = define_workflow("Animals", Photo, Animal, Guess)

PHOTOS = [Photo(f"{number}.png", number / 7) for number in range(20)]


@pytest.fixture
def suite(registry: Registry) -> Any:
    return Suite("s", test_cases=[Case("c", test_samples=[(photo, Animal("cat")) for photo in PHOTOS])])


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing hangs on the process, this one does: a process takes a second to start."""

    def infer(work: Work, passes: Sequence[Pass], *, called: Callable[[int], None], **_: object) -> list[pa.Table]:
        return [infer_here(work, each) for each in passes]

    monkeypatch.setattr(determinism, "infer_elsewhere", infer)


def guess(score: float, label: str = "cat") -> Guess:
    return Guess(ScoredLabel(label, score))


def steady(photo: Photo) -> Guess | None:
    return None if photo.name == "3.png" else guess(math.sin(photo.light))


class Counting:
    """A model that knows how often it was asked, and lets it show."""

    def __init__(self, show: Callable[[int, Photo], Guess]) -> None:
        self.asked = 0
        self.show = show

    def __call__(self, photo: Photo) -> Guess:
        self.asked += 1
        return self.show(self.asked, photo)


# --- what breaks it ---------------------------------------------------------------------------------------------------


def test_a_model_that_says_the_same_is_bit_exact_under_all_that_is_tried(suite: Any) -> None:
    model = Net("m", steady)
    test(model, suite)
    verdict = model.verify_determinism(suite)
    assert verdict.ok
    assert verdict.variations == dict.fromkeys(["repeat", "order", "process", "threads", "stored"], "bit-exact")
    assert (verdict.level, verdict.deviation, verdict.broken_by, verdict.samples) == ("bit-exact", None, None, 20)
    assert verdict.test_suite == "s@1"


@pytest.mark.usefixtures("near")
@pytest.mark.parametrize(
    ("show", "level"),
    [
        (lambda asked, photo: guess(0.5, f"cat {asked}"), "not deterministic"),
        (lambda asked, photo: guess(0.5 + asked / 1e3), "decision-stable"),
        (lambda asked, photo: guess(0.5 + asked / 1e8), "within tolerance"),
    ],
)
def test_a_model_that_counts_breaks_at_the_first_repeat_as_far_as_it_shows(suite: Any, show: Any, level: str) -> None:
    verdict = Net("m", Counting(show)).verify_determinism(suite)
    assert (verdict.level, verdict.broken_by, verdict.ok) == (level, "repeat", False)
    assert verdict.deviation is not None
    assert verdict.deviation.sample_idx == 0
    assert verdict.deviation.path == ("animal.label" if level == "not deterministic" else "animal.score")
    if level == "not deterministic":
        assert (verdict.deviation.before, verdict.deviation.after) == ("cat 1", "cat 21")
    else:
        step = 1e-3 if level == "decision-stable" else 1e-8
        assert verdict.deviation.difference == pytest.approx(20 * step)


@pytest.mark.usefixtures("near")
def test_the_sample_that_is_shown_is_the_first_of_those_that_differ_most(suite: Any) -> None:
    def show(asked: int, photo: Photo) -> Guess:
        is_late = asked > 20 and photo.name in ("5.png", "7.png")
        return guess(0.5 + asked / 1e9, "dog" if is_late else "cat")

    verdict = Net("m", Counting(show)).verify_determinism(suite)
    assert verdict.variations["repeat"] == verdict.level == "not deterministic"
    assert verdict.deviation is not None
    assert verdict.deviation.sample_idx == 5, "the ones before differ in their last digits"
    assert verdict.deviation.path == "animal.label", "its score does so, too"
    assert verdict.deviation.difference == pytest.approx(20e-9)


@pytest.mark.usefixtures("near")
def test_a_model_that_draws_lots_is_not_deterministic(suite: Any) -> None:
    lots = Random(0)  # the model knows nothing of the seed
    verdict = Net("m", lambda photo: guess(0.5, lots.choice("abcdefgh"))).verify_determinism(suite)
    assert (verdict.level, verdict.broken_by) == ("not deterministic", "repeat")
    assert "threads" not in verdict.variations, "what another process would add to that, nobody could tell"


@pytest.mark.usefixtures("near")
def test_what_hangs_on_the_order_breaks_there_and_repeats_hold(suite: Any) -> None:
    model = Net("m", Counting(lambda asked, photo: guess((asked - 1) % len(PHOTOS))))
    verdict = model.verify_determinism(suite)
    assert verdict.variations["repeat"] == "bit-exact"
    assert (verdict.level, verdict.broken_by) == ("decision-stable", "order")


def normalised(photos: list[Photo]) -> list[Guess]:
    """As a layer does that was left in training: by mean and deviation of the batch."""
    lights = np.array([photo.light for photo in photos])
    return [guess(float(score)) for score in (lights - lights.mean()) / (lights.std() + 1e-9)]


@pytest.mark.usefixtures("near")
def test_what_hangs_on_the_others_of_the_batch_breaks_where_they_are_others(suite: Any) -> None:
    model = Net("m", cast(Any, normalised))
    test(model, suite, batch_size=5)
    verdict = model.verify_determinism(suite, batch_size=5)
    assert (verdict.variations["repeat"], verdict.broken_by) == ("bit-exact", "order")
    verdict = model.verify_determinism(suite, batch_size=20)
    assert verdict.variations["order"] in ("bit-exact", "within tolerance"), "sums differ in their last digits"
    assert (verdict.level, verdict.broken_by, verdict.batch_size) == ("decision-stable", "batch size", 20)


@pytest.mark.usefixtures("near")
def test_batches_of_other_sizes_are_tried_and_none_that_would_be_the_same(suite: Any) -> None:
    sizes: list[int] = []

    def infer(photos: list[Photo]) -> list[Guess]:
        sizes.append(len(photos))
        return [guess(0.5) for _ in photos]

    model = Net("m", cast(Any, infer))
    assert model.verify_determinism(suite, batch_size=8).level == "bit-exact"
    plain = [8, 8, 4]
    assert sizes == [*plain, *plain, *plain, *[1] * 20, *[4] * 5, *[16, 4], *plain]
    sizes.clear()
    model.verify_determinism(suite, n=1, batch_size=8)
    assert sizes == [1, 1, 1], "of one sample there is one order, and one batch"


def by_threads(photo: Photo) -> Guess:
    return guess(1 / int(os.environ.get("OMP_NUM_THREADS", "3")))


def by_process(photo: Photo) -> Guess:
    return guess(float(os.getpid()))


@pytest.mark.parametrize("given", [None, "1", "4"])
def test_what_hangs_on_the_number_of_threads_breaks_there(
    suite: Any, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    verdict = Net("m", by_threads).verify_determinism(suite, n=2)
    assert (verdict.variations["process"], verdict.broken_by) == ("bit-exact", "threads")
    assert verdict.deviation is not None
    assert verdict.deviation.before == (1 / 3 if given is None else 1 / int(given))


def test_what_hangs_on_the_process_breaks_there(suite: Any) -> None:
    verdict = Net("m", by_process).verify_determinism(suite, n=2)
    assert (verdict.variations["order"], verdict.broken_by) == ("bit-exact", "process")


def by_environment(photo: Photo) -> Guess:
    return guess(0.5, os.environ[ANSWER])


def test_what_is_stored_and_said_by_nobody_now_breaks_last(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Net("m", by_environment)
    monkeypatch.setenv(ANSWER, "cat")
    test(model, suite)
    monkeypatch.setenv(ANSWER, "dog")
    verdict = model.verify_determinism(suite)
    assert [each for each, level in verdict.variations.items() if level != "bit-exact"] == ["stored"]
    assert verdict.broken_by == "stored"
    assert verdict.deviation is not None
    assert (verdict.deviation.before, verdict.deviation.after) == ("cat", "dog"), "what is stored comes first"


@pytest.mark.usefixtures("near")
def test_an_exception_that_comes_later_is_another_answer(suite: Any) -> None:
    def show(asked: int, photo: Photo) -> Guess:
        if asked > 25:
            raise RuntimeError("worn out")
        return guess(0.5)

    verdict = Net("m", Counting(show)).verify_determinism(suite)
    assert (verdict.level, verdict.broken_by) == ("not deterministic", "repeat")
    assert verdict.deviation is not None
    assert (verdict.deviation.sample_idx, verdict.deviation.path) == (5, "")
    assert verdict.deviation.after == "RuntimeError: worn out"


# --- what ends in no verdict ------------------------------------------------------------------------------------------


def dying(photo: Photo) -> Guess:
    os._exit(3)


def killed(photo: Photo) -> Guess:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")


def hanging(photo: Photo) -> Guess:
    threading.Event().wait()
    raise AssertionError("nobody sets it")


def failing(photo: Photo) -> Guess:
    raise ZeroDivisionError(photo.name)


def wrong(photo: Photo) -> Any:
    return {"label": "cat"}


class NotThere:
    """A model that cannot be made in another process."""

    def __call__(self, photo: Photo) -> Guess:
        return guess(0.5)

    def __setstate__(self, state: object) -> None:
        raise ImportError("no module named torch")

    def __getstate__(self) -> object:
        return {"weights": 1}


@pytest.mark.parametrize(
    ("infer", "code", "told"),
    [
        (dying, "process_died", "ended with exit code 3"),
        pytest.param(
            *(killed, "process_died", "killed by signal 9"),
            marks=pytest.mark.skipif(sys.platform == "win32", reason="no signals"),
        ),
        (hanging, "timed_out", "did not return within 2 seconds"),
        (failing, "infer_failed", r"raised ZeroDivisionError: \d+.png for Photo"),
        (wrong, "infer_failed", "must return a Guess"),
        (NotThere(), "invalid_input", "ImportError: no module named torch"),
    ],
)
def test_where_infer_cannot_run_that_is_told_and_nothing_is_stored(
    registry: Registry, suite: Any, monkeypatch: pytest.MonkeyPatch, infer: Any, code: str, told: str
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if INSIDE in (options.get("env") or ()):
                started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Started)
    model = Net("m", infer)
    before = registry.commit
    with pytest.raises(InvalidInputError, match=told) as raised:
        model.verify_determinism(suite, n=3, timeout_s=2 if infer is hanging else 600)
    assert raised.value.code == code
    assert "is stored" in str(raised.value)
    assert [process.returncode is not None for process in started] == [True]
    assert registry.commit == before
    assert model.latest_version is None


def test_what_cannot_be_sent_to_a_process_is_refused(suite: Any) -> None:
    lock = threading.Lock()

    def infer(photo: Photo) -> Guess:
        with lock:
            return guess(0.5)

    with pytest.raises(InvalidInputError, match="infer of model 'm'"):
        Net("m", infer).verify_determinism(suite)


def test_a_script_that_runs_when_it_is_imported_is_told_of_its_guard(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INSIDE, "1")
    with pytest.raises(InvalidInputError, match="__name__"):
        Net("m", steady).verify_determinism(suite)


SCRIPT = """
from __future__ import annotations
import sys
from dataclasses import dataclass
import localreg
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow, test

@dataclass(frozen=True)
class Photo(TestSample):
    name: str

@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str

@dataclass(frozen=True)
class Guess(Inference):
    animals: list[ScoredLabel]

_, Case, Suite, Model = define_workflow("Animals", Photo, Animal, Guess)
localreg.use(localreg.open(sys.argv[1]))
suite = Suite("s", test_cases=[Case("c", test_samples=[(Photo(name), Animal("cat")) for name in "abc"])])
model = Model("m", lambda photo: Guess([ScoredLabel(photo.name, 0.5)]))
test(model, suite)
print(model.verify_determinism(suite).level)
"""


def test_a_script_needs_no_guard_and_runs_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-W", "error", "script.py", "registry"]
    done = subprocess.run(command, cwd=tmp_path, env=child_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "bit-exact\n", "")


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(localreg.__file__).parents[1])}


@pytest.mark.parametrize(
    "odd",
    [
        {"n": 0},
        {"n": True},
        {"level": "exact"},
        {"batch_size": 0},
        {"rtol": -1.0},
        {"atol": math.nan},
        {"timeout_s": "10"},
        {"suite": "s"},
    ],
)
def test_odd_arguments_are_refused_by_name(suite: Any, odd: dict[str, Any]) -> None:
    (name,) = odd
    with pytest.raises(InvalidInputError, match="test suite" if name == "suite" else name):
        Net("m", steady).verify_determinism(**{"suite": suite, **odd})


@pytest.mark.usefixtures("near")
def test_there_must_be_something_to_infer_and_somebody_who_does(registry: Registry, suite: Any) -> None:
    with pytest.raises(InvalidInputError, match="without infer"):
        Net("m").verify_determinism(suite)
    empty = Suite("empty")
    with pytest.raises(InvalidInputError, match="no test sample"):
        Net("m", steady).verify_determinism(empty)
    other = define_workflow("Other", Photo, Animal, Guess)[2]("other")
    with pytest.raises(WorkflowMismatchError, match="Other"):
        Net("m", steady).verify_determinism(other)
    counting = Counting(lambda asked, photo: guess(0.5))
    with localreg.use(registry.at(commit=registry.commit)), pytest.raises(ReadOnlyError):
        Net.load("m", counting).verify_determinism(suite)
    assert counting.asked == 0, "it is told before the work is done"


@pytest.mark.usefixtures("near")
def test_a_version_that_is_deleted_meanwhile_gets_no_verdict(registry: Registry, suite: Any) -> None:
    def infer(photo: Photo) -> Guess:
        if gone and (there := registry.find_model("m")) is not None:
            there.delete(force=True)
        return guess(0.5)

    gone: list[bool] = []
    model = Net("m", infer)
    test(model, suite)
    gone.append(True)
    with pytest.raises(ConflictError, match="deleted"):
        model.verify_determinism(suite)


# --- which samples ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("near")
def test_the_same_samples_are_chosen_by_content_whatever_their_order(registry: Registry, suite: Any) -> None:
    chosen: list[set[str]] = []
    for namespace, photos in {"forward": PHOTOS, "backward": PHOTOS[::-1]}.items():
        asked: set[str] = set()

        def infer(photo: Photo, asked: set[str] = asked) -> Guess:
            asked.add(photo.name)
            return guess(0.5)

        with localreg.use(registry.namespace(namespace)):
            own = Suite("s", test_cases=[Case("c", test_samples=[(photo, Animal("cat")) for photo in photos])])
            assert Net("m", infer).verify_determinism(own, n=6).samples == 6
        chosen.append(asked)
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 6
    assert chosen[0] != {photo.name for photo in PHOTOS[:6]}, "from all over the suite"


@pytest.mark.usefixtures("near")
def test_samples_that_were_inferred_go_before_others_and_none_is_from_another_suite(suite: Any) -> None:
    asked: set[str] = set()

    def infer(photo: Photo) -> Guess:
        asked.add(photo.name)
        return guess(0.5)

    few = Suite("few", test_cases=[Case("f", test_samples=[(photo, Animal("cat")) for photo in PHOTOS[:4]])])
    model = Net("m", infer)
    test(model, few)
    for where in (suite, few, None):
        asked.clear()
        assert "stored" in model.verify_determinism(where).variations
        assert asked == {photo.name for photo in PHOTOS[:4]}
    other = Suite("other", test_cases=[Case("o", test_samples=[(photo, Animal("cat")) for photo in PHOTOS[4:9]])])
    asked.clear()
    assert "stored" not in model.verify_determinism(other).variations, "of these nothing is stored"
    assert asked == {photo.name for photo in PHOTOS[4:9]}


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("near")
def test_the_verdict_is_one_event_and_is_there_when_the_registry_is_opened_again(
    registry: Registry, suite: Any
) -> None:
    infer = Counting(lambda asked, photo: guess(0.5, "cat" if asked <= 20 else "dog"))
    model = Net("m", infer, metadata={"seed": 7})
    model.create_version("1")
    before = registry.commit
    verdict = model.verify_determinism(suite, level="within tolerance")
    assert registry.commit == before + 1
    (event,) = registry.audit(since=before)
    assert (event["action"], event["kind"], event["name"]) == ("verify", "model_version", "1")

    with localreg.open(registry.uri, read_only=True) as again:
        version = again.get_version("m@1")
        assert version.determinism == verdict
        assert list(verdict.variations) == [each for each in VARIATIONS if each in verdict.variations]
        assert version.determinism is not None
        assert list(version.determinism.variations) == list(verdict.variations)
        assert not version.determinism.ok
        assert version.determinism.fingerprint["seed"] == 7
        assert repr(version) == "<ModelVersion 'm' '1', not deterministic>"
        (row,) = again.model_versions("determinism.level = 'not deterministic' AND determinism.broken_by = 'repeat'")
        assert row["determinism"]["deviation"]["after"] == "dog"
    assert registry.at(commit=before).get_version("m@1").determinism is None


@pytest.mark.usefixtures("near")
def test_a_verdict_is_of_its_version_and_stays_when_that_is_changed(registry: Registry, suite: Any) -> None:
    model = Net("m", steady)
    model.verify_determinism(suite)
    first = model.version("1")
    assert first.determinism is not None, "the version was made for it"
    second = model.create_version("2")
    assert second.determinism is None
    assert model.registered.latest_version == second
    first.update(metadata={"lr": 0.1}, description="old")
    assert first.determinism is not None
    Net("m@1", lambda photo: guess(Random().random())).verify_determinism(suite)
    assert (first.determinism.level, second.determinism) == ("decision-stable", None)
    assert registry.sql("SELECT version FROM model_versions WHERE determinism IS NULL").dicts() == [{"version": "2"}]


@pytest.mark.usefixtures("near")
def test_comparisons_and_the_command_line_show_it(
    registry: Registry, suite: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    steady_one, moody = Net("steady", steady), Net("moody", Counting(lambda asked, photo: guess(0.5, str(asked))))
    for model in (steady_one, moody):
        test(model, suite)
    comparison = registry.compare("steady", "moody", suite="s")
    assert comparison.determinism == (None, None)
    assert "determin" not in str(comparison), "a line that always stands there says nothing"
    steady_one.verify_determinism(suite)
    told = str(registry.compare("steady", "moody", suite="s"))
    assert "warning: not verified to be deterministic: moody@1" in told
    moody.verify_determinism(suite)
    told = str(registry.compare("steady", "moody", suite="s"))
    assert "warning: moody@1 is not deterministic (repeat)" in told
    assert "not verified" not in told
    for command in (["models", "show", "moody"], ["versions", "show", "moody", "1"]):
        assert run(["--registry", registry.uri, *command]) == 0
        assert "not deterministic (repeat), 20 samples, 20" in capsys.readouterr().out
    assert run(["--registry", registry.uri, "versions", "show", "moody", "1"]) == 0
    shown = capsys.readouterr().out
    assert "animal.label" in shown
    assert f"verified on      {registry._session.host} (" in shown


def test_a_verdict_says_itself_in_words() -> None:
    told: dict[str, Any] = {
        "level": "within tolerance",
        "wanted": "bit-exact",
        "variations": {"threads": "within tolerance", "repeat": "bit-exact"},
        "deviation": {
            "variation": "threads",
            "sample_idx": 4,
            "sample": "Photo('4.png')",
            "path": "animal.score",
            "before": 0.5,
            "after": 0.5000001,
            "difference": 1e-07,
        },
        "samples": 32,
        "test_suite": None,
        "batch_size": None,
        "rtol": 1e-5,
        "atol": 1e-8,
        "time": "2026-03-31T12:00:00.000000Z",
        "fingerprint": {},
        "later": "a field of a later release",
    }
    verdict = Determinism.from_json(told)
    assert str(verdict).splitlines() == [
        "within tolerance (threads), 32 samples, 2026-03-31",
        "  repeat      bit-exact",
        "  threads     within tolerance",
        "  sample_idx 4, Photo('4.png'): animal.score 0.5 → 0.5000001, greatest difference 1e-07",
    ]
    assert repr(verdict) == str(verdict), "a notebook shows it"
    assert not verdict.ok


@pytest.mark.usefixtures("near")
def test_a_model_of_a_ready_made_task_is_tried_as_it_is_run(registry: Registry) -> None:
    images = [classification.TestImage(f"{number}.png", labels=["cat"]) for number in range(5)]
    suite = classification.TestSuite("s", test_cases=[classification.TestCase("c", images=images)])
    labels = Counting(lambda asked, photo: cast(Any, [("cat", 0.5 + asked / 1e9)]))
    model = classification.InferenceModel("m", cast(Any, labels))
    classification.test(model, suite)
    verdict = model.verify_determinism(suite)
    assert (verdict.level, verdict.broken_by, verdict.samples) == ("within tolerance", "repeat", 5)


# --- on other machines ------------------------------------------------------------------------------------------------


class Machines:
    """Machines by their names; one of them is this one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here = "laptop"
        monkeypatch.setattr("localreg.session.session.host", lambda: self.here)

    def on(self, host: str) -> None:
        self.here = host


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch, near: None) -> Machines:
    return Machines(monkeypatch)


def test_a_version_is_the_same_on_two_machines(registry: Registry, suite: Any, machines: Machines) -> None:
    model = Net("m", steady)
    alone = model.verify_determinism(suite, level="machine")
    assert (alone.level, alone.ok, alone.compared, alone.deviation) == ("bit-exact", False, {}, None)
    assert "machine" not in alone.variations
    assert str(alone).splitlines()[0].endswith("; no other machine has verified it yet; run it there")
    again = model.verify_determinism(suite, level="machine")
    assert again.lacking == alone.lacking, "this machine is no other one"

    machines.on("build-7")
    verdict = model.verify_determinism(suite, level="machine")
    assert (verdict.level, verdict.ok, verdict.compared) == ("machine", True, {"laptop": 20})
    assert (verdict.variations["machine"], verdict.deviation, verdict.broken_by) == ("bit-exact", None, None)
    assert verdict.in_words.startswith("machine (as on laptop), 20 samples, 20")
    assert (verdict.host, verdict.lacking) == ("build-7", "")
    version = registry.get_version("m@1")
    assert version.determinism == verdict
    laptop, build = version.machines
    assert (laptop.host, build.host) == ("laptop", "build-7")
    assert (laptop.platform, laptop.python) == (sys.platform, platform.python_version())
    assert laptop.answers == build.answers
    assert laptop.answers.keys() == set(range(20))
    assert str(build).startswith("build-7 (")


def test_what_is_asked_for_less_than_machine_stays_as_it_is(registry: Registry, suite: Any, machines: Machines) -> None:
    model = Net("m", lambda photo: guess(0.5, machines.here))
    assert model.verify_determinism(suite).ok
    machines.on("build-7")
    verdict = model.verify_determinism(suite)
    assert (verdict.level, verdict.ok, verdict.compared) == ("bit-exact", True, {})
    assert "machine" not in verdict.variations
    (row,) = registry.model_versions("determinism.level = 'bit-exact'")
    assert "machines" not in row["determinism"], "digests are not for people"


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (lambda here: guess(0.5 if here == "laptop" else 0.5 + 1e-9), "decision-stable"),
        (lambda here: guess(0.5, here), "not deterministic"),
        (lambda here: guess(0.5) if here == "laptop" else None, "not deterministic"),
    ],
)
def test_another_answer_than_on_another_machine_is_named_with_that(
    suite: Any, machines: Machines, answer: Callable[[str], Guess | None], level: str
) -> None:
    model = Net("m", lambda photo: answer(machines.here) if photo.name == "7.png" else steady(photo))
    model.verify_determinism(suite)
    machines.on("build-7")
    verdict = model.verify_determinism(suite, level="machine")
    assert (verdict.level, verdict.ok, verdict.broken_by) == (level, False, "machine")
    assert verdict.variations["repeat"] == "bit-exact"
    assert verdict.deviation is not None
    told = verdict.deviation
    assert (told.host, told.sample_idx, told.path, told.before) == ("laptop", 7, "", None)
    assert str(told).endswith("and not what laptop answered, of which only a digest is kept")
    assert "7.png" in str(told)
    assert model.version("1").determinism == verdict


def test_what_is_stored_tells_what_the_other_machine_answered(suite: Any, machines: Machines) -> None:
    model = Net("m", lambda photo: guess(0.5 if machines.here == "laptop" else 0.5 + 1e-9))
    test(model, suite)
    model.verify_determinism(suite)
    machines.on("build-7")
    verdict = model.verify_determinism(suite, level="machine")
    assert (verdict.level, verdict.broken_by) == ("within tolerance", "machine")
    assert verdict.deviation is not None
    told = verdict.deviation
    assert (told.path, told.before, told.after, told.host) == ("animal.score", 0.5, 0.5 + 1e-9, "laptop")
    assert "animal.score 0.5 (on laptop) → 0.500000001, greatest difference 1e-09" in str(told)
    # What is stored, and not the other machine's answer, says nothing of it.
    machines.on("third")
    other = Net("m", lambda photo: guess(0.5 + (1e-9 if machines.here == "build-7" else 2e-9)))
    of_other = other.verify_determinism(suite, level="machine").deviation
    assert of_other is not None
    assert (of_other.host, of_other.before) == ("build-7", None)


def test_only_what_can_be_compared_is(registry: Registry, suite: Any, machines: Machines) -> None:
    rest = Suite("rest", test_cases=[Case("r", test_samples=[(Photo("r.png", 0.0), Animal("cat"))])])
    model = Net("m", cast(Any, lambda photos: [guess(photo.light) for photo in photos]))
    model.verify_determinism(suite, batch_size=4)
    machines.on("build-7")
    for where, size in ((rest, 4), (suite, 5)):
        verdict = model.verify_determinism(where, level="machine", batch_size=size)
        assert (verdict.ok, verdict.compared) == (False, {"laptop": 0})
        assert "laptop verified it with other samples, in batches of another size" in str(verdict)
    verdict = model.verify_determinism(suite, n=3, level="machine", batch_size=4)
    assert (verdict.level, verdict.compared) == ("machine", {"laptop": 3})


def test_answers_of_another_type_are_not_compared(suite: Any, machines: Machines) -> None:
    Net("m", steady).verify_determinism(suite)
    machines.on("build-7")
    fields: list[Any] = [("animal", ScoredLabel), ("why", str | None, None)]
    grown = make_dataclass("Guess", fields, bases=(Inference,), frozen=True)
    _, _, suites, net = cast(Any, define_workflow("Animals", Photo, Animal, grown))
    model: Any = net("m", cast(Any, lambda photo: grown(ScoredLabel("cat", 0.5))))
    verdict = model.verify_determinism(suites.load("s"), level="machine")
    assert (verdict.level, verdict.compared) == ("bit-exact", {"laptop": 0})


def test_who_gives_two_answers_on_one_machine_is_not_compared_with_others(suite: Any, machines: Machines) -> None:
    model = Net("m", Counting(lambda asked, photo: guess(0.5, str(asked))))
    model.verify_determinism(suite)
    machines.on("build-7")
    verdict = model.verify_determinism(suite, level="machine")
    assert (verdict.broken_by, verdict.compared, verdict.lacking) == ("repeat", {}, "")


def test_the_last_machines_are_kept_each_with_its_last_answers(
    registry: Registry, suite: Any, machines: Machines
) -> None:
    model = Net("m", steady)
    version = model.create_version("1")
    assert version.machines == []
    for number in range(8):
        machines.on(f"host-{number}")
        model.verify_determinism(suite, n=1)
    machines.on("host-1")
    model.verify_determinism(suite, n=2)
    kept = [(each.host, len(each.answers)) for each in version.machines]
    assert kept == [("host-0", 1), *((f"host-{number}", 1) for number in range(2, 8)), ("host-1", 2)]
    machines.on("new")
    model.verify_determinism(suite, n=1)
    assert [each.host for each in version.machines] == [*(f"host-{number}" for number in range(2, 8)), "host-1", "new"]
    version.update(description="changed")
    assert len(version.machines) == 8


def test_digests_are_kept_of_so_many_samples(suite: Any, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "KEPT", 5)
    model = Net("m", steady)
    verdict = model.verify_determinism(suite)
    assert (verdict.samples, len(model.version("1").machines[0].answers)) == (20, 5)
    machines.on("build-7")
    assert model.verify_determinism(suite, n=5, level="machine").compared == {"laptop": 5}, "the first ones by content"


def test_two_machines_at_once_are_both_kept(registry: Registry, suite: Any, machines: Machines) -> None:
    def infer(photo: Photo) -> Guess | None:
        if not model.version("1").machines:  # while the one is at work, the other verifies it, too
            machines.on("build-7")
            with localreg.use(localreg.open(registry.uri)):
                Net("m", steady).verify_determinism(Suite.load("s"), n=1)
            machines.on("laptop")
        return steady(photo)

    model = Net("m", infer)
    model.create_version("1")
    model.verify_determinism(suite)
    assert [each.host for each in model.version("1").machines] == ["build-7", "laptop"]


@pytest.mark.usefixtures("near")
def test_records_of_earlier_releases_are_read(registry: Registry, suite: Any) -> None:
    model = Net("m", steady)
    model.verify_determinism(suite)
    told = registry.sql("SELECT determinism FROM model_versions").dicts()[0]["determinism"]
    before = {name: value for name, value in told.items() if name not in ("host", "compared")}
    verdict = Determinism.from_json(before)
    assert (verdict.host, verdict.compared, verdict.level) == (None, {}, "bit-exact")
    record = ModelVersionRecord.model_validate({"id": "0" * 32, "name": "1", "model": "0" * 32})
    assert record.machines == []


# --- a real model -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Digit(TestSample):
    number: int


@cache
def trained() -> tuple[Any, np.ndarray]:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pictures, digits = load_digits(return_X_y=True)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(pictures[:898], digits[:898]), pictures


def read_digits(digits: list[Digit]) -> list[Guess]:
    """Trains itself at the first call, wherever that is."""
    model, pictures = trained()
    shares = model.predict_proba(pictures[[digit.number for digit in digits]])
    return [guess(float(share.max()), str(share.argmax())) for share in shares]


def test_a_classifier_of_scikit_learn_is_bit_exact(registry: Registry) -> None:
    _, case, suite, model = define_workflow("Digits", Digit, Animal, Guess)
    digits = suite("s", test_cases=[case("c", test_samples=[(Digit(n), Animal("?")) for n in range(898, 1100)])])
    made = model("m", cast(Any, read_digits))
    test(made, digits, batch_size=32)
    verdict = made.verify_determinism(digits, batch_size=32, level="within tolerance")
    assert verdict.ok, verdict
    assert verdict.samples == 32
