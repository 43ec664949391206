"""Models of recorded workflows are run without the Python classes: samples and inferences are dicts.

What they store is what the classes would have stored, byte for byte, and what these would refuse is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from localreg import InvalidInputError, Registry
from localreg.detection import inference as seen
from localreg.tables import VECTORS, read_part
from localreg.workflow import (
    BoundingBox,
    ClassificationLabel,
    EvaluationResults,
    EvaluatorConfiguration,
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    LabeledPolygon,
    Metadata,
    MetricsTestCase,
    MetricsTestSample,
    ScoredClassificationLabel,
    ScoredLabeledBoundingBox,
    ScoredLabeledPolygon,
    SegmentationMask,
    TestCases,
    TestRun,
    TestSample,
    Vector,
    define_workflow,
    test,
)
from localreg.workflow.annotation import Point
from localreg.workflow.asset import ImageAsset
from localreg.workflow.classification_evaluator import Threshold
from localreg.workflow.evaluators import EVALUATORS
from localreg.workflow.recorded_columns import RecordedDict, node_of

COUNT = 12


@dataclass(frozen=True)
class Scene(TestSample):
    number: int
    image: ImageAsset
    face: Vector[3]
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: ClassificationLabel
    boxes: list[LabeledBoundingBox]


@dataclass(frozen=True)
class Defect(BoundingBox):
    label: str
    score: float
    corner: Point | None = None


@dataclass(frozen=True)
class Said(Inference):
    label: ScoredClassificationLabel
    boxes: list[ScoredLabeledBoundingBox]
    defects: list[Defect]
    embedding: Vector[2]
    things: list[seen.BoundingBox | seen.ClassificationLabel]
    note: str | None = None


_, Case, Suite, Model = define_workflow("scenes", Scene, Truth, Said)

Infer = Callable[[Any], Any]


def scene(number: int) -> Scene:
    image = ImageAsset(f"scene-{number}.png", shutter=number)  # type: ignore[call-arg]
    return Scene(number, image, np.full(3, number, np.float32), {"light": number} if number else {})


@pytest.fixture
def suite(registry: Registry) -> Any:
    box = LabeledBoundingBox((0.0, 0.0), (4.0, 4.0), "odd", occluded=True)  # type: ignore[call-arg]
    pairs = [
        (scene(number), Truth(ClassificationLabel("odd" if number % 2 else "even"), [box] if number % 2 else []))
        for number in range(COUNT)
    ]
    Suite("scenes", test_cases=[Case("few", test_samples=pairs[:5]), Case("all", test_samples=pairs)])
    return registry.get_test_suite("scenes").test_suite()


def infer_by_class(given: Scene) -> Said | None:
    if given.number == 3:
        return None
    number, score = given.number, given.number / COUNT
    box = ScoredLabeledBoundingBox((0.0, 0.0), (4.0, 4.0 + number % 3), "odd", score)
    return Said(
        ScoredClassificationLabel("odd" if number % 3 else "even", score),
        [box] if number % 2 else [],
        [Defect((0.0, 1.0), (2.0, 3.0), "scratch", score, (1.0, 1.0) if number else None)],
        given.face[:2] * 2,
        [seen.BoundingBox("cat", 0.5, (0.0, 1.0), (2.0, 3.0)), seen.ClassificationLabel("night", score)],
        "first" if number == 0 else None,
    )


def infer(given: dict[str, Any]) -> dict[str, Any] | None:
    """The same without a class."""
    number, face = given["number"], given["face"]
    assert isinstance(face, np.ndarray)
    assert face.dtype == np.float32
    assert given["metadata"] == ({"light": number} if number else {})
    assert given["image"] == {"locator": f"scene-{number}.png", "shutter": number}
    if number == 3:
        return None
    score = number / COUNT
    box = {"top_left": (0, 0), "bottom_right": np.array([4.0, 4.0 + number % 3]), "label": "odd", "score": score}
    defect: dict[str, Any] = {"top_left": [0, 1], "bottom_right": [2, 3], "label": "scratch", "score": score}
    return {
        "label": {"label": "odd" if number % 3 else "even", "score": np.float64(score)},
        "boxes": [box] if number % 2 else [],
        "defects": [{**defect, "corner": (1, 1)} if number else defect],
        "embedding": face[:2] * 2,
        "things": [
            {"type": "BoundingBox", "label": "cat", "confidence": 0.5, "top_left": (0, 1), "bottom_right": (2, 3)},
            {"label": "night", "confidence": score},
        ],
        **({"note": "first"} if number == 0 else {}),
    }


def infer_many(given: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
    return [infer(each) for each in given]


def model_of(registry: Registry, infer: Infer | None, name: str = "m") -> Any:
    model = registry.get_workflow("scenes").model(name)
    model.infer = infer
    return model


def stored(registry: Registry, name: str) -> pa.Table:
    """All rows of inferences of a model, with their vectors, as they lie in the files."""
    version = registry.get_model(name).versions()[0].id
    state, tables = registry._session.state(), []
    for run in state.children("test_run", version):
        files = [row.fields for row in state.children("file", run.id)]
        assert sorted(str(file["table"]) for file in files) == ["inferences", VECTORS]
        for file in files:
            from localreg.records.files import FilePointer

            tables.append(read_part(registry._session.store, FilePointer.from_json(file)))
    rows = sorted(tables, key=lambda table: "sample_idx" not in table.column_names)
    made = rows[0]
    for name_ in rows[1].column_names:
        made = made.append_column(name_, rows[1][name_])
    return made.combine_chunks()


# --- as with classes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["here", "batches", "threads", "processes"])
def test_a_run_with_dicts_stores_what_one_with_classes_does(kind: str, registry: Registry, suite: Any) -> None:
    pool: Executor | str | None = "processes:2" if kind == "processes" else None
    if kind == "threads":
        pool = ThreadPoolExecutor(2)
    size = 5 if kind in ("batches", "processes") else None
    test(Model("typed", infer_by_class), Suite.load("scenes"))
    run = test(model_of(registry, infer if size is None else infer_many), suite, batch_size=size, executor=pool)
    assert f"{COUNT} samples inferred now" in repr(run)
    assert stored(registry, "m").equals(stored(registry, "typed"))
    assert run.run() == 0, "all is there"
    if isinstance(pool, Executor):
        pool.shutdown()


def test_dicts_are_sent_to_a_cluster(registry: Registry, suite: Any) -> None:
    distributed = pytest.importorskip("distributed")
    test(Model("typed", infer_by_class), Suite.load("scenes"))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        test(model_of(registry, infer), suite, executor=client.get_executor())
    assert stored(registry, "m").equals(stored(registry, "typed"))


def test_what_one_inferred_with_classes_another_need_not_without(registry: Registry, suite: Any) -> None:
    test(Model("m", infer_by_class), Suite.load("scenes"))
    run = TestRun(model_of(registry, infer), suite)
    assert run.run() == 0
    reset = TestRun(model_of(registry, infer), suite, reset=True)
    assert reset.run() == COUNT
    assert [type(made) for _, _, made in Model.load("m").load_inferences(Case.load("few"))].count(Said) == 4


def test_a_listing_leaves_vectors_out_as_before(registry: Registry, suite: Any) -> None:
    model = model_of(registry, infer)
    test(model, suite)
    sample, truth, made = model.load_inferences(suite.test_cases[0])[1]
    assert (set(sample), sample["metadata"]) == ({"number", "image", "metadata"}, {"light": 1})
    assert truth["boxes"][0]["occluded"] is True
    assert "embedding" not in made
    assert "type" not in made["things"][0]


def test_inferences_come_by_hand_too(registry: Registry, suite: Any) -> None:
    test(Model("typed", infer_by_class), Suite.load("scenes"))
    run = TestRun(model_of(registry, None), suite)
    samples = run.load_test_samples()
    assert len(samples) == COUNT
    assert samples[2]["face"].tolist() == [2.0, 2.0, 2.0]
    run.upload_inferences([(sample, infer(sample)) for sample in samples])
    assert stored(registry, "m").equals(stored(registry, "typed"))
    with pytest.raises(InvalidInputError, match=r"inferences\[0\] holds 7 where a dict with number, image, face"):
        TestRun(model_of(registry, None, "n"), suite).upload_inferences([(7, None)])


def test_determinism_is_verified_of_dicts(registry: Registry, suite: Any) -> None:
    model = model_of(registry, infer)
    test(model, suite)
    verdict = model.verify_determinism(suite, n=4)
    assert (verdict.level, verdict.samples) == ("bit-exact", 4)
    assert set(verdict.variations) >= {"repeat", "process", "stored"}
    other = model_of(registry, infer_otherwise)
    told = other.verify_determinism(suite, n=COUNT).deviation
    assert told is not None
    assert (told.variation, told.path) == ("stored", "embedding[0]")


def infer_otherwise(given: dict[str, Any]) -> dict[str, Any] | None:
    made = infer(given)
    return made and {**made, "embedding": made["embedding"] + 1}


def test_local_files_of_dicts_are_kept(registry: Registry, suite: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"one")
    pair = (Scene(99, ImageAsset(str(file)), np.zeros(3, np.float32)), Truth(ClassificationLabel("odd"), []))
    Suite("files", test_cases=[Case("file", test_samples=[pair])])
    recorded = registry.get_test_suite("files").test_suite()
    run = test(model_of(registry, lambda given: {**made_of(1), "embedding": given["face"][:2]}), recorded)
    file.write_bytes(b"other")
    assert [changed.locator for changed in run.changed_files()] == [str(file)]


def made_of(number: int) -> dict[str, Any]:
    made = infer(
        {
            "number": number,
            "face": np.full(3, number, np.float32),
            "metadata": {"light": number},
            "image": {"locator": f"scene-{number}.png", "shutter": number},
        }
    )
    assert made is not None
    return made


# --- what is refused --------------------------------------------------------------------------------------------------

BOX = made_of(1)["boxes"][0]
THING = made_of(1)["things"][0]

REFUSED: list[tuple[Any, str]] = [
    ({"lable": 1}, "Said has a key 'lable', which is no field; did you mean 'label'"),
    ({"label": {"label": "a", "scor": 1.0, "score": 1.0}}, "Said.label has a key 'scor', which is no field; did you"),
    ({"label": {"label": "a"}}, "Said.label.score is None; it must be a float"),
    ({"label": {"label": "a", "score": math.nan}}, "Said.label.score is nan; it must be a finite number"),
    ({"label": {"label": " ", "score": 1.0}}, "Said.label.label is ' '; it must not be blank"),
    ({"label": "a"}, "Said.label is 'a', of type str; it must be a dict"),
    ({"boxes": [{**BOX, "bottom_right": (-1.0, 9.0)}]}, r"Said.boxes\[\].top_left.x is 0.0; it must not be beyond"),
    ({"boxes": [{**BOX, "iou": 1}]}, r"Said.boxes\[\] has a key 'iou', which is no field; the fields are"),
    ({"boxes": None}, "Said.boxes is None; it must be a list"),
    ({"defects": [{**BOX, "score": math.inf}]}, r"Said.defects\[\].score is inf; it must be a finite number"),
    ({"defects": [{**BOX, "top_left": (5.0, 0.0)}]}, r"Said.defects\[\].top_left.x is 5.0; it must not be beyond"),
    ({"embedding": np.zeros(3)}, r"Said.embedding has the shape \(3,\); it must be a vector of 2 numbers"),
    ({"embedding": None}, "Said.embedding is None; it must be a vector of 2 numbers"),
    ({"things": [{**THING, "confidence": math.nan}]}, "confidence is nan; it must be a finite number"),
    ({"things": [{**THING, "type": "Box"}]}, "is a dict with 'type' 'Box', which does not say what it is; did you"),
    ({"things": [{"label": "a", "sure": 1.0}]}, r"with keys \['label', 'sure'\], which does not say what it is"),
    ({"things": [{**THING, "sure": 1.0}]}, "has a key 'sure', which is no field; the fields are label, confidence"),
    ({"things": [5]}, "is 5, of type int; it must be a BoundingBox or a ClassificationLabel"),
    ({"metadata": [1]}, "metadata"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_classes_would_refuse_is_refused_with_the_sample(
    change: dict[str, Any], message: str, registry: Registry, suite: Any
) -> None:
    def infer_badly(given: dict[str, Any]) -> dict[str, Any] | None:
        return {**made_of(1), **change} if given["number"] == 4 else infer(given)

    with pytest.raises(InvalidInputError, match=message) as raised:
        test(model_of(registry, infer_badly), suite)
    assert "the inference of model 'm' for {'number': 4," in str(raised.value) or "metadata" in message
    run = TestRun(model_of(registry, infer), suite)
    assert run.run() == COUNT - 4, "what came before is kept"


def test_what_is_no_dict_is_refused(registry: Registry, suite: Any) -> None:
    wanted = "a dict with label, boxes, defects, embedding, things, note, or None"
    with pytest.raises(InvalidInputError, match=f"returned 5 for {{'number': 0, .*; it must return {wanted}"):
        test(model_of(registry, lambda _: 5), suite)
    run = test(model_of(registry, lambda given: 5 if given["number"] == 1 else infer(given)), suite, on_error="record")
    ((sample, error),) = run.errors()
    assert sample["number"] == 1
    assert wanted in str(error["message"])


def test_what_is_said_beside_the_fields_is_kept_as_metadata(registry: Registry, suite: Any) -> None:
    model = model_of(registry, lambda given: {**made_of(1), "metadata": {"seconds": given["number"]}})
    test(model, suite)
    assert [made["metadata"] for *_, made in model.load_inferences(suite.test_cases[0])][2] == {"seconds": 2}


# --- evaluators -------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """A workflow for an evaluator, with the truth and the inference of each number."""

    truth: type[Any]
    said: type[Any]
    truth_of: Callable[[int], Any]
    said_of: Callable[[int], Any]


@dataclass(frozen=True)
class OneLabel(GroundTruth):
    label: ClassificationLabel


@dataclass(frozen=True)
class SaidLabel(Inference):
    label: ScoredClassificationLabel


@dataclass(frozen=True)
class SaidLabels(Inference):
    labels: list[ScoredClassificationLabel]


@dataclass(frozen=True)
class Labels(GroundTruth):
    labels: list[str]


@dataclass(frozen=True)
class Boxes(GroundTruth):
    things: list[LabeledBoundingBox]


@dataclass(frozen=True)
class SaidThings(Inference):
    things: list[seen.BoundingBox | seen.ClassificationLabel]


@dataclass(frozen=True)
class Outlines(GroundTruth):
    things: list[LabeledPolygon]


@dataclass(frozen=True)
class SaidOutlines(Inference):
    things: list[ScoredLabeledPolygon]


@dataclass(frozen=True)
class Mask(GroundTruth):
    mask: SegmentationMask


@dataclass(frozen=True)
class SaidMask(Inference):
    mask: SegmentationMask


@dataclass(frozen=True)
class Number(GroundTruth):
    value: float


@dataclass(frozen=True)
class SaidNumber(Inference):
    value: float


@dataclass(frozen=True)
class Same(GroundTruth):
    same: bool


@dataclass(frozen=True)
class Line(GroundTruth):
    text: str


@dataclass(frozen=True)
class SaidLine(Inference):
    text: str


LETTERS = "abc"


def labels_of(number: int) -> list[ScoredClassificationLabel]:
    return [ScoredClassificationLabel(label, score / 3) for score, label in enumerate(LETTERS[number % 2 :])]


def box_of(number: int) -> Any:
    return LabeledBoundingBox((0.0, 0.0), (4.0, 4.0), LETTERS[number % 2], occluded=True)  # type: ignore[call-arg]


def things_of(number: int) -> SaidThings:
    corner = (4.0, 4.0 + number % 2)
    box = seen.BoundingBox(LETTERS[number % 2], number / COUNT, (0.0, 0.0), corner)
    return SaidThings([seen.ClassificationLabel("a", 0.1), box])


def points_of(number: int) -> list[tuple[float, float]]:
    return [(0.0, 0.0), (8.0, 0.0), (8.0, 4.0 + number % 3)]


TOLD: Mapping[str, Told] = {
    "classification": Told(
        OneLabel,
        SaidLabel,
        lambda number: OneLabel(ClassificationLabel(LETTERS[number % 2])),
        lambda number: SaidLabel(ScoredClassificationLabel(LETTERS[number % 3 % 2], number / COUNT)),
    ),
    "identification": Told(
        OneLabel,
        SaidLabels,
        lambda number: OneLabel(ClassificationLabel(LETTERS[number % 3])),
        lambda number: SaidLabels(labels_of(number)),
    ),
    "multilabel": Told(
        Labels,
        SaidLabels,
        lambda number: Labels(list(LETTERS[number % 3 :])),
        lambda number: SaidLabels(labels_of(number)),
    ),
    "retrieval": Told(
        Labels,
        SaidLabels,
        lambda number: Labels(list(LETTERS[number % 4 :])),
        lambda number: SaidLabels(labels_of(number)),
    ),
    "detection": Told(Boxes, SaidThings, lambda number: Boxes([box_of(number)] * (number % 3)), things_of),
    "segmentation": Told(
        Outlines,
        SaidOutlines,
        lambda number: Outlines([LabeledPolygon(points_of(0), "a")]),
        lambda number: SaidOutlines([ScoredLabeledPolygon(points_of(number), "a", number / COUNT)]),
    ),
    "regression": Told(
        Number, SaidNumber, lambda number: Number(float(number)), lambda number: SaidNumber(number % 5 - 0.5)
    ),
    "verification": Told(
        Same, SaidNumber, lambda number: Same(number % 2 == 0), lambda number: SaidNumber(number % 3 / 3)
    ),
    "text": Told(Line, SaidLine, lambda number: Line("a b c"), lambda number: SaidLine("a b c d"[: number % 7])),
    "semantic_segmentation": Told(
        Mask,
        SaidMask,
        lambda number: Mask(SegmentationMask({1: "cat"}, painted(0))),
        lambda number: SaidMask(SegmentationMask({1: "cat"}, painted(number))),
    ),
}


def painted(number: int) -> str:
    """A mask in the working directory: a square, or less of it."""
    name = f"mask-{number}.png"
    pixels = np.zeros((4, 4), np.uint8)
    pixels[number % 4 :, 1:] = 1
    pytest.importorskip("PIL.Image").fromarray(pixels).save(name)
    return name


def test_all_named_evaluators_are_told() -> None:
    assert TOLD.keys() == EVALUATORS.keys()


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_a_named_evaluator_says_of_dicts_what_it_says_of_classes(
    evaluator: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(run: TestRun) -> Any:
        said = run.results()
        return said.suite, said.cases, [each.metrics for each in said.samples]

    monkeypatch.chdir(tmp_path)
    told = TOLD[evaluator]
    _, case, suites, models = define_workflow("of its own", Scene, told.truth, told.said)
    pairs = [(scene(number), told.truth_of(number)) for number in range(COUNT)]
    suites("own", test_cases=[case("first", test_samples=pairs[:5]), case("rest", test_samples=pairs[5:])])
    made = {number: told.said_of(number) if number != 7 else None for number in range(COUNT)}
    typed = test(models("typed", lambda given: made[given.number]), suites.load("own"), evaluator)
    model = registry.get_workflow("of its own").model("m")
    model.infer = lambda given: as_dict(made[given["number"]])
    found = test(model, registry.get_test_suite("own").test_suite(), evaluator)
    assert of(found) == of(typed)
    assert of(typed)[0]["left_out"] > 0, "it is skipped"


def as_dict(value: Any) -> Any:
    if isinstance(value, list):
        return [as_dict(each) for each in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    return {name: as_dict(getattr(value, name)) for name in value.__dataclass_fields__}


@dataclass(frozen=True)
class OfScene(MetricsTestSample):
    right: bool


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    right: int
    length: float


@dataclass(frozen=True)
class AtLeast(EvaluatorConfiguration):
    score: float

    def display_name(self) -> str:
        return f"from {self.score}"


def right(samples: list[Any], truths: list[Any], said: list[Any], cases: TestCases) -> EvaluationResults:
    """An evaluator of a user, who gives back copies, in another order."""
    assert isinstance(samples[0], dict)
    assert isinstance(truths[0], dict)
    assert said[3] is None
    assert [each["type"] for each in said[-1]["things"]] == ["BoundingBox", "ClassificationLabel"]
    metrics = [
        OfScene(one is not None and one["label"]["label"] == truth["label"]["label"])
        for truth, one in zip(truths, said, strict=True)
    ]
    lengths = [0.0 if one is None else float(np.linalg.norm(one["embedding"])) for one in said]
    of_cases = [
        (case, OfCase(sum(each.right for each, _ in own), sum(length for _, length in own)))
        for case, *_, own in cases.iter(samples, truths, said, list(zip(metrics, lengths, strict=True)))
    ]
    pairs: list[Any] = [(dict(sample), each) for sample, each in zip(samples, metrics, strict=True)]
    return EvaluationResults(pairs[::-1], of_cases)


def right_from(
    samples: list[Any], truths: list[Any], said: list[Any], cases: TestCases, configuration: AtLeast
) -> EvaluationResults:
    kept = [None if one is None or one["label"]["score"] < configuration.score else one for one in said]
    assert all(case.name in ("few", "all") for case, *_ in cases.iter(samples, truths, said, samples))
    return right(samples, truths, [*kept[:3], None, *kept[4:]], cases)


def test_an_evaluator_of_a_user_is_given_dicts(registry: Registry, suite: Any) -> None:
    results = test(model_of(registry, infer), suite, right).results()
    expected = [number for number in range(COUNT) if number != 3 and bool(number % 2) == bool(number % 3)]
    assert [each.test_sample["number"] for each in results.samples if each.metrics["right"]] == expected
    length = sum(math.sqrt(8) * number for number in range(COUNT) if number != 3)
    assert results.cases["all"] == {"right": len(expected), "length": pytest.approx(length)}
    assert isinstance(results.samples[0].test_sample, dict)


def test_evaluators_of_dicts_are_asked_by_workers(registry: Registry, suite: Any) -> None:
    wanted = [AtLeast(0.0), AtLeast(0.5)]
    run = test(model_of(registry, infer), suite, right_from, wanted, executor="processes:2")
    here = test(model_of(registry, infer, "n"), suite, right_from, wanted)
    for each in wanted:
        assert run.results(each).cases == here.results(each).cases


def test_a_threshold_is_taken_of_dicts(registry: Registry, suite: Any) -> None:
    run = test(model_of(registry, infer), suite, "classification", [Threshold("odd", 0.5)])
    said = run.results().suite
    assert said is not None
    assert said["threshold"] == 0.5


def test_what_an_evaluator_is_given_knows_its_schema_elsewhere_too() -> None:
    import pickle

    value = RecordedDict({"label": "a"}, node_of(OneLabel(ClassificationLabel("a"))))
    sent = pickle.loads(pickle.dumps(value))
    assert sent == {"label": "a"}
    assert node_of(sent) == node_of(value)
