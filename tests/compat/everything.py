"""A small registry with every kind of record, table and cache, made through the public API."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

import localreg
from localreg import Registry, Result
from localreg.fr import InferenceModel
from localreg.fr import TestCase as FaceCase
from localreg.fr import TestSuite as FaceSuite
from localreg.fr import test as enrol
from localreg.policies import Action, AliasGate, Label, Promotion, Retention, Rule
from localreg.workflow import (
    Curve,
    CurvePlot,
    EvaluationResults,
    Evaluator,
    EvaluatorConfiguration,
    GroundTruth,
    Inference,
    Metadata,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    ScoredLabel,
    TestCases,
    TestSample,
    Vector,
    define_workflow,
    test,
)
from tests import definitions

__all__ = ["MODEL", "NAMESPACES", "answers", "build", "in_order"]

NAMESPACES = ("default", "ai/langtech")
MODEL = "reader 🚗 [D6] / 7.0"


class Light(Enum):
    DAY = "day"
    NIGHT = "night"


@dataclass(frozen=True)
class Scan(TestSample):
    """A field of each type that a sample may have."""

    locator: str
    light: Light
    taken: datetime
    on: date
    took: timedelta
    raw: bytes
    size: tuple[int, int]
    gains: dict[str, float | None]
    notes: list[str] = field(default_factory=list)
    point: Vector[2] | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    finding: ScoredLabel
    near: Vector[3] | None = None


@dataclass(frozen=True)
class OfSample(MetricsTestSample):
    right: bool
    score: float


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    accuracy: float


@dataclass(frozen=True)
class OfSuite(MetricsTestSuite):
    worst: float


@dataclass(frozen=True)
class Threshold(EvaluatorConfiguration):
    value: float

    def display_name(self) -> str:
        return f"at {self.value}"


SCANS, Case, Suite, Net = define_workflow("scans", Scan, Truth, Guess)
LABELS = ("cat", "dog", "owl")


@dataclass(frozen=True)
class Question(TestSample):
    question: str


@dataclass(frozen=True)
class Answer(Inference):
    label: str


QUESTIONS, QuestionCase, Questions, QuestionNet = define_workflow("questions", Question, Truth, Answer)


def scan(number: int) -> tuple[Scan, Truth]:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number, microseconds=number)
    made = Scan(
        locator=f"s3://bucket/ä {number}.png",
        light=Light.NIGHT if number % 2 else Light.DAY,
        taken=moment,
        on=moment.date(),
        took=timedelta(milliseconds=number),
        raw=bytes([0, number]),
        size=(640, number),
        gains={"left": number / 4, "right": None if number % 3 else float("nan")},
        notes=["n"] * (number % 3),
        point=np.array([number, 0.5], np.float32) if number % 4 else None,
        metadata={"site": "north" if number % 2 else "south"},
    )
    return made, Truth(LABELS[number % 3])


def infer_well(sample: Scan) -> Guess | None:
    """Skips one, fails on one, and is right about most."""
    number = sample.size[1]
    if number == 5:
        return None
    if number == 7:
        raise RuntimeError("no memory")
    label = LABELS[(number + (number == 4)) % 3]
    return Guess(ScoredLabel(label, 1 / (number + 1)), np.array([number, 1.0, -0.0], np.float32))


def infer_badly(sample: Scan) -> Guess:
    return Guess(ScoredLabel("cat", 0.5))


def evaluate(
    samples: list[Scan],
    truths: list[Truth],
    inferences: list[Guess | None],
    cases: TestCases,
    configuration: Threshold | None = None,
) -> EvaluationResults:
    least = 0.0 if configuration is None else configuration.value
    made = []
    for truth, guess in zip(truths, inferences, strict=True):
        score = 0.0 if guess is None else guess.finding.score
        made.append(OfSample(guess is not None and guess.finding.label == truth.label and score >= least, score))
    of_cases, plots = [], []
    for case, *_, own in cases.iter(samples, truths, inferences, made):
        of_cases.append((case, OfCase(sum(each.right for each in own) / len(own))))
        plots.append((case, [CurvePlot("scores", "n", "score", [Curve([0.0, 1.0], [own[0].score, own[-1].score])])]))
    worst = min(each.accuracy for _, each in of_cases)
    return EvaluationResults(list(zip(samples, made, strict=True)), of_cases, plots, OfSuite(worst))


class Accuracy(Evaluator):
    """By its methods, with configurations."""

    def compute_test_sample_metrics(self, test_case: Any, inferences: Any, configuration: Any = None) -> Any:
        return [(sample, OfSample(guess.finding.score >= configuration.value, 0.5)) for sample, _, guess in inferences]

    def compute_test_case_metrics(
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
    ) -> Any:
        return OfCase(sum(each.right for each in metrics) / len(metrics))

    def compute_test_suite_metrics(self, test_suite: Any, metrics: Any, configuration: Any = None) -> Any:
        return OfSuite(min(each.accuracy for _, each in metrics))


# --- making it --------------------------------------------------------------------------------------------------------


def build(folder: Path, beside: Path) -> Registry:
    """Make the registry.

    Args:
        folder: absent or empty.
        beside: a folder for what is not part of it, such as code that is pushed.
    """
    registry = localreg.open(folder, actor="ana")
    for step in (_models, _files, _tests, _faces, _experiments, _rules, _past):
        step(registry, beside)
    other = localreg.open(folder, actor="bo", namespace="ai/langtech")
    other.create_model("translator", metadata={"bleu": 31.5}).create_version("1")
    registry.snapshot()
    registry.create_model("after the snapshot")
    return registry


def _models(registry: Registry, beside: Path) -> None:
    metadata = {"lr": 1e-7, "seed": 2**63 + 1, "mAP": 1.0, "ünï": {"€": [1.5, None, True]}}
    model = registry.create_model("reader", metadata=metadata, tags={"detector"}, owner="ana", task="detection")
    model.rename(MODEL).archive().restore()
    with registry.transaction("two at once"):
        model.create_version("1", metadata={"step": 10})
        model.create_version("2", description="newer").tag("good")
    model.set_alias("production", "1").set_alias("production", "2").set_alias("old", "1").remove_alias("old")
    model.set_metrics({"accuracy": 0.75, "loss": float("nan")})
    registry.consume(f"{MODEL}@production")
    registry.create_model("hidden").archive()
    registry.create_model("gone").delete()


def _files(registry: Registry, beside: Path) -> None:
    model = registry.get_model(MODEL)
    version = model.version("1")
    version.upload(b"weights of the reader", name="weights", media_type="application/octet-stream")
    definitions.write(beside / "logs", {"a.txt": "alpha\n", "deep/b.txt": "beta\n"})
    model.upload(beside / "logs", name="logs", metadata={"of": "a folder"}).download(beside / "copy")
    version.track("s3://bucket/onnx", name="onnx")
    version.add_dataset(version.get_artifact("weights"), role="train", name="own")
    model.add_dataset("s3://bucket/set", role="eval", name="set", description="elsewhere")
    model.event("deployed", source="server-3", wallclock=1_700_000_000.0, metadata={"to": "north"})
    model.log_events([{"name": "served", "wallclock": float(number)} for number in range(3)])
    definitions.write_model(beside / "code", "pushed")
    registry.push(beside / "code" / "models.yaml")


def _tests(registry: Registry, beside: Path) -> None:
    with localreg.use(registry):
        day = Case("day", test_samples=[scan(number) for number in (0, 2, 4)])
        night = Case("night", test_samples=[scan(number) for number in (1, 3, 5, 4)])
        suite = Suite("scans", test_cases=[day, night], description="all", tags={"nightly"})
        test(Net(MODEL, infer_well), suite, evaluate)
        test(Net("worse", infer_badly), suite, evaluate)
        more = Case("day", test_samples=[scan(number) for number in (0, 2, 4, 6, 7)], reset=True)
        again, truth = scan(0)
        Case("again", test_samples=[(replace(again, metadata={"site": "elsewhere"}), truth)])
        suite = Suite("scans", test_cases=[more, night], reset=True)
        test(Net(MODEL, infer_well), suite, evaluate, on_error="record")
        test(Net("worse", infer_badly), suite, evaluate)
        Net("worse", infer_badly).verify_determinism(suite, n=2)
        test(Net("worse", infer_badly), suite, Accuracy(configurations=[Threshold(0.1), Threshold(0.9)]))
    with localreg.use(registry):
        asked = [{"question": f"t{number}", "ground_truth.label": LABELS[number % 3]} for number in range(6)]
        Questions("questions").add(asked)
        QuestionNet("bulk").record([{"question": "t1", "label": "dog"}, {"question": "t2", "label": "cat"}])
    registry.compare("worse", MODEL, suite="scans").save("reader against worse")


def _faces(registry: Registry, beside: Path) -> None:
    with localreg.use(registry):
        rows = [("a", "b", True), ("a", "c", False), ("b", "x", True)]
        suite = FaceSuite.create("faces", baseline_test_cases=[FaceCase.create("pairs", data=rows)])

        def extract(locator: str) -> Any:
            return None if locator == "x" else np.array([1.0, ord(locator) / 128, 0.0])

        enrol(InferenceModel("faces", extract, lambda a, b: float(a @ b)), suite)


def _experiments(registry: Registry, beside: Path) -> None:
    with registry.experiment("run", params={"lr": 0.1}, tags=["nightly"], framework="torch", code=False) as run:
        for step in range(5):
            run.log({"loss": 1 / (step + 1), "odd": float("nan")}, step=step)
        run.log({"said": "a text", "matrix": np.eye(2, dtype=np.float32), "raw": b"\0\1"}, step=5)
        run.event("paused", metadata={"why": "lunch"})
        checkpoint = run.checkpoint(b"of step 4", step=4, metrics={"loss": 0.2})
    checkpoint.promote(registry.create_model("promoted"), "1")
    try:
        with registry.experiment("broken", code=False):
            raise RuntimeError("out of memory")
    except RuntimeError:
        pass


def _rules(registry: Registry, beside: Path) -> None:
    model = registry.get_model(MODEL)
    rules: dict[str, Rule] = {
        "r": Retention(keep_last=30, younger_than=timedelta(days=2)),
        "l": Label(when="metrics.accuracy > 0.9", tag="excellent"),
        "p": Promotion(experiment="other", best="loss", version="{step}"),
        "g": AliasGate(alias="shipped", require=("metrics.accuracy > 0.5",)),
        "a": Action(run="os:getcwd", on="set_alias"),
    }
    for name, rule in rules.items():
        registry.add_policy(name, rule, model=model, description=f"says {name}")
    model.version("2").set_metrics({"accuracy": 0.95})
    model.set_alias("shipped", "2")
    registry.grant("ana", "owner")
    registry.grant("*", "reader")
    registry.grant("bo", "runner")
    registry.revoke("bo")


def _past(registry: Registry, beside: Path) -> None:
    registry.create_model("undone")
    registry.undo(registry.commit)
    secret = registry.create_model("secret", metadata={"key": "hunter2"})
    secret.update(unset=["key"])
    registry.redact(secret, reason="a password")
    registry.get_model("hidden").delete()
    model = registry.create_model("often")
    for number in range(9):
        model.event("tick", wallclock=float(number))
    registry.compact(message="few parts")


# --- what is in it ----------------------------------------------------------------------------------------------------


def answers(registry: Registry) -> dict[str, Any]:
    """What the library says of it, as plain JSON: each documented table, and what is read as objects."""
    tables = {row["name"]: rows_of(registry.sql(f"FROM {row['name']}")) for row in registry.sql("SHOW TABLES")}
    is_all = registry.find_model(MODEL) is not None
    with localreg.use(registry):
        objects = {name: ask(registry) for name, ask in OBJECTS.items()} if is_all else {}
    return {"commit": registry.commit, "tables": tables, "objects": objects}


OBJECTS: dict[str, Callable[[Registry], Any]] = {
    "typed": lambda registry: rows_of(registry.sql('FROM "scans".inferences')),
    "samples": lambda _: [plain([sample, truth]) for sample, truth in Case("night").load_test_samples()],
    "inferences": lambda _: [plain(each) for each in Net(MODEL).load_inferences(Suite("scans").test_cases[0])],
    "saved": lambda registry: plain(registry.get_comparison("reader against worse").to_dict()),
    "points": lambda registry: rows_of(registry.get_experiment("run").points("loss")),
    "files": lambda registry: rows_of(registry.get_model(MODEL).get_artifact("logs").files()),
    "past": lambda registry: rows_of(registry.at(commit=12).sql("FROM models")),
}


def rows_of(result: Result) -> list[Any]:
    """The rows, in an order of their own."""
    return in_order([plain(row) for row in result.dicts()])


def in_order(rows: list[Any]) -> list[Any]:
    """The same, whatever order they came in."""
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


LONGEST = 120


def plain(value: object) -> Any:
    """As JSON: what that has no words for as text, and long texts by their digest."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bool | int | None):
        return value
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text if len(text) <= LONGEST else sha256(text.encode()).hexdigest()
