"""COCO in and out: what is kept, what is refused, and that pycocotools says the same of both."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import localreg
from localreg import Registry
from localreg.coco import Detection, Detections, Image, Model, Object, Objects, Segmentation, TestCase, TestSuite, test
from localreg.coco.annotations import annotations_of
from localreg.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NonDeterministicError,
    NotFoundError,
    WorkflowMismatchError,
)
from localreg.metrics.coco.entries import Entries
from localreg.workflow import (
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    ScoredLabeledBoundingBox,
    TestSample,
    define_workflow,
)
from localreg.workflow import test as run
from tests.coco_files import annotations_file, measured, results_file, written


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = localreg.open(tmp_path / "registry")
    with localreg.use(registry):
        yield registry


SMALL: dict[str, Any] = {
    "info": {"year": 2026},
    "categories": [{"id": 2, "name": "cat", "supercategory": "animal"}, {"id": 9, "name": "dog"}],
    "images": [
        {"id": 5, "file_name": "b.jpg", "width": 640, "height": 480, "license": 3, "flickr_url": "http://x"},
        {"id": 0, "file_name": "a.jpg"},
        {"id": 7, "file_name": "sub/c.jpg", "width": 10, "height": 20},
    ],
    "annotations": [
        {"id": 0, "image_id": 7, "category_id": 9, "bbox": [0.1, 0.2, 0.3, 0.7], "area": 0.21, "iscrowd": 0},
        {
            "id": 4,
            "image_id": 5,
            "category_id": 2,
            "bbox": [1, 2, 30, 40],
            "area": 702,
            "iscrowd": 1,
            "segmentation": {"size": [480, 640], "counts": [5, 7, 480 * 640 - 12]},
        },
        {
            "id": 1,
            "image_id": 7,
            "category_id": 2,
            "bbox": [5, 5, 0, 1],
            "area": 0,
            "iscrowd": 0,
            "ignore": 1,
            "segmentation": [[5, 5, 6.5, 5, 6, 6]],
            "keypoints": [5, 5, 2, 0, 0, 0],
            "num_keypoints": 1,
        },
    ],
}
RESULTS: list[dict[str, Any]] = [
    {"image_id": 7, "category_id": 9, "bbox": [0.1, 0.2, 0.3, 0.7], "score": 0.1},
    {"image_id": 5, "category_id": 2, "bbox": [258.15, 41.29, 348.26, 243.78], "score": 0.236},
    {"image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.1},
]


def changed(value: Any, path: tuple[Any, ...], new: Any = None, *, drop: bool = False) -> Any:
    """A copy with another value somewhere, or without one."""
    made = copy.deepcopy(value)
    at = made
    for step in path[:-1]:
        at = at[step]
    if drop:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return made


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_annotations_are_images_with_objects_in_their_order(registry: Registry) -> None:
    suite = registry.import_coco(SMALL, suite="small")
    assert isinstance(suite, TestSuite)
    ((case, samples),) = suite.load_test_samples()
    assert case.name == suite.name == "small"
    assert samples == [
        Image("b.jpg", 5, 640, 480, {"license": 3, "flickr_url": "http://x"}),
        Image("a.jpg", 0),
        Image("sub/c.jpg", 7, 10, 20),
    ]
    assert samples[0].metadata == {"license": 3, "flickr_url": "http://x"}
    crowded, empty, pair = [truth.objects for _, truth in case.load_test_samples()]
    assert empty == []
    assert crowded == [
        Object(
            "cat",
            (1, 2),
            (31, 42),
            (30, 40),
            702,
            iscrowd=True,
            id=4,
            category_id=2,
            segmentation=Segmentation(size=(480, 640), runs=[5, 7, 480 * 640 - 12]),
        )
    ]
    dog, cat = pair
    assert (dog.label, dog.id, dog.size, dog.top_left) == ("dog", 0, (0.3, 0.7), (0.1, 0.2))
    assert (dog.iscrowd, dog.ignore, dog.segmentation, dog.keypoints) == (False, None, None, None)
    assert (cat.ignore, cat.keypoints, cat.num_keypoints) == (True, [5, 5, 2, 0, 0, 0], 1)
    assert cat.segmentation == Segmentation(polygons=[[5, 5, 6.5, 5, 6, 6]])


def test_an_image_without_results_was_looked_at_and_is_empty(registry: Registry) -> None:
    registry.import_coco(SMALL, suite="small")
    model = registry.import_coco_results(RESULTS, suite="small", model="m")
    assert isinstance(model, Model)
    rows = registry.get_model("m").inferences("small").dicts()
    assert [(row["image_id"], row["status"], len(row["detections"])) for row in rows] == [
        (5, "ok", 1),
        (0, "ok", 0),
        (7, "ok", 2),
    ]
    assert [(each["label"], each["score"]) for each in rows[2]["detections"]] == [("dog", 0.1), ("cat", 0.1)]
    registry.import_coco_results([], suite="small", model="blind")
    assert [row["detections"] for row in registry.get_model("blind").inferences("small")] == [[], [], []]


def test_a_root_goes_before_the_file_names_and_not_into_exports(registry: Registry, tmp_path: Path) -> None:
    suite = registry.import_coco(SMALL, suite="small", images_root="s3://bucket/val/")
    assert [sample.locator for sample, _ in suite.test_cases[0].load_test_samples()][2] == "s3://bucket/val/sub/c.jpg"
    registry.export_coco(tmp_path / "out.json", suite="small")
    assert json.loads((tmp_path / "out.json").read_text())["images"] == SMALL["images"]


def test_what_is_exported_says_what_was_imported(registry: Registry, tmp_path: Path) -> None:
    registry.import_coco(SMALL, suite="small")
    assert registry.export_coco(tmp_path / "out.json", suite="small") == 3
    made = json.loads((tmp_path / "out.json").read_text())
    assert {**made, "annotations": None} == {**SMALL, "annotations": None}
    key = lambda each: each["id"]  # noqa: E731
    assert sorted(made["annotations"], key=key) == sorted(SMALL["annotations"], key=key)
    registry.import_coco_results(RESULTS, suite="small", model="m")
    assert registry.get_model("m").export_inferences(tmp_path / "results.json", suite="small") == 3
    key = lambda each: (each["image_id"], each["score"], each["bbox"])  # noqa: E731
    assert sorted(json.loads((tmp_path / "results.json").read_text()), key=key) == sorted(RESULTS, key=key)


coordinates = st.floats(-1e6, 1e6) | st.sampled_from([0.1, 1 / 3, 1e-300, 1e17, 258.15])
extents = st.floats(0, 1e6) | st.sampled_from([0.0, 0.3, 1e-300, 1e17])


@given(st.lists(st.tuples(coordinates, coordinates, extents, extents), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_boxes_come_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, boxes: list[tuple[float, float, float, float]]
) -> None:
    folder = tmp_path_factory.mktemp("bits")
    registry = localreg.open(folder / "registry")
    results = [
        {"image_id": 1, "category_id": 1, "bbox": list(box), "score": box[0], "segmentation": [list(box)]}
        for box in boxes
    ]
    file = {"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "c"}], "annotations": []}
    registry.import_coco(file, suite="s")
    registry.import_coco_results(results, suite="s", model="m")
    registry.get_model("m").export_inferences(folder / "out.json", suite="s")
    assert json.loads((folder / "out.json").read_text()) == results


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_numbers_of_pycocotools_are_those_of_the_originals(
    registry: Registry, tmp_path: Path, seed: int, kind: str
) -> None:
    annotations = annotations_file(seed)
    if not annotations["annotations"]:
        annotations = annotations_file(seed + 100)
    results = results_file(seed, annotations, masks=kind == "segm")
    given = written(tmp_path, "a.json", annotations), written(tmp_path, "r.json", results)
    registry.import_coco(given[0], suite="s")
    registry.import_coco_results(given[1], suite="s", model="m")
    made = tmp_path / "a2.json", tmp_path / "r2.json"
    registry.export_coco(made[0], suite="s")
    registry.get_model("m").export_inferences(made[1], suite="s")
    before, after = measured(*given, kind), measured(*made, kind)
    for name, numbers in before.items():
        np.testing.assert_array_equal(numbers, after[name], err_msg=name)
    assert before["stats"].max() > 0


def test_what_annotations_say_beyond_is_kept(registry: Registry) -> None:
    file = changed(SMALL, ("annotations", 2, "attributes"), {"pose": "lying"})
    suite = registry.import_coco(file, suite="s")
    objects = [each for _, truth in suite.test_cases[0].load_test_samples() for each in truth.objects]
    told: list[Any] = [getattr(each, "attributes", None) for each in objects]
    assert told == [None, None, {"pose": "lying"}]


def test_the_head_of_the_file_outlives_edits_and_strata(registry: Registry, tmp_path: Path) -> None:
    suite = registry.import_coco(SMALL, suite="s")
    with suite.test_cases[0].edit() as editor:
        editor.remove(Image("a.jpg", 0))
    with suite.edit() as editing:
        editing.add(TestCase("s"))
    suite.stratify("width > 100", name="by width")
    for name, images in (("s", 2), ("by width", 2)):
        registry.export_coco(tmp_path / f"{name}.json", suite=name)
        made = json.loads((tmp_path / f"{name}.json").read_text())
        assert (made["categories"], made["info"]) == (SMALL["categories"], SMALL["info"])
        assert len(made["images"]) == images
    found = [{"image_id": 5, "category_id": 9, "bbox": [1, 2, 3, 4], "score": 1}]
    registry.import_coco_results(found, suite="by width", model="m")


# --- again, and anew --------------------------------------------------------------------------------------------------


def test_the_same_again_is_no_commit_and_something_else_is_refused(registry: Registry) -> None:
    for _ in range(2):
        registry.import_coco(SMALL, suite="s")
        registry.import_coco_results(RESULTS, suite="s", model="m")
    commit = registry.commit
    assert commit == 3, "the suite; the model; its results"
    other = changed(SMALL, ("annotations", 0, "category_id"), 2)
    renamed = changed(SMALL, ("categories", 1, "name"), "hound")
    for file in (other, renamed, changed(SMALL, ("info", "year"), 2027)):
        with pytest.raises(AlreadyExistsError, match=r"test suite 's' holds something else already; .* reset=True"):
            registry.import_coco(file, suite="s")
    with pytest.raises(NonDeterministicError, match="pass reset=True"):
        registry.import_coco_results(RESULTS[:2], suite="s", model="m")
    assert registry.commit == commit
    assert registry.import_coco(other, suite="s", reset=True).version == 2
    registry.import_coco_results(RESULTS[:2], suite="s", model="m", reset=True)
    assert [len(row["detections"]) for row in registry.get_model("m").inferences("s")] == [1, 0, 1]


def test_both_go_into_one_commit_in_a_transaction(registry: Registry) -> None:
    with registry.transaction("coco"):
        registry.import_coco(SMALL, suite="s")
        registry.import_coco_results(RESULTS, suite="s", model="m")
    assert registry.commit == 1
    assert [len(row["detections"]) for row in registry.get_model("m").inferences("s")] == [1, 0, 2]


def test_a_model_of_the_workflow_goes_on_where_results_end(registry: Registry, tmp_path: Path) -> None:
    suite = registry.import_coco(SMALL, suite="s")

    def infer(image: Image) -> Detections:
        return Detections([Detection("dog", 0.5, (0.5, 1.0), (2.0, 4.0))] if image.width == 10 else [])

    test(Model("mine", infer), suite)
    registry.get_model("mine").export_inferences(tmp_path / "r.json", suite="s")
    assert json.loads((tmp_path / "r.json").read_text()) == [
        {"image_id": 7, "category_id": 9, "score": 0.5, "bbox": [0.5, 1.0, 1.5, 3.0]}
    ]
    with pytest.raises(InvalidInputError, match="size"):
        test(Model("odd", lambda image: Detections([Detection("dog", 0.5, (0, 0), (1, 1), size=(-1, 1))])), suite)


def test_objects_by_hand_are_numbered_and_get_areas(registry: Registry, tmp_path: Path) -> None:
    truths = [Objects([Object("dog", (1, 1), (3, 4)), Object("ant", (0, 0), (1, 1), iscrowd=True)]), Objects([])]
    case = TestCase("c", test_samples=list(zip([Image("x.png"), Image("y.png")], truths, strict=True)))
    TestSuite("s", test_cases=[case])
    assert registry.export_coco(tmp_path / "a.json", suite="s") == 2
    made = json.loads((tmp_path / "a.json").read_text())
    assert made["categories"] == [{"id": 1, "name": "ant"}, {"id": 2, "name": "dog"}]
    assert made["images"] == [{"id": 1, "file_name": "x.png"}, {"id": 2, "file_name": "y.png"}]
    assert made["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 1, 2, 3], "area": 6, "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "area": 1, "iscrowd": 1},
    ]


# --- other workflows --------------------------------------------------------------------------------------------------


def test_any_workflow_with_one_list_of_boxes_is_exported(registry: Registry, tmp_path: Path) -> None:
    from localreg.detection import InferenceModel, TestImage, ground_truth, inference
    from localreg.detection import TestCase as Case
    from localreg.detection import TestSuite as Suite
    from localreg.detection import test as detect

    images = [
        TestImage("1.png", ground_truths=[ground_truth.BoundingBox("car", (10, 10), (50, 30))]),
        TestImage("2.png", ground_truths=[ground_truth.BoundingBox("bus", (0, 0), (5, 5), difficult=True)]),
        TestImage("3.png", ground_truths=[ground_truth.ClassificationLabel("night")]),
    ]
    seen: dict[str, list[inference.Inference] | None] = {
        "1.png": [inference.BoundingBox("car", 0.9, (11, 10), (50, 31)), inference.ClassificationLabel("car", 0.5)],
        "2.png": [inference.BoundingBox("tram", 0.4, (0, 0), (5, 6))],
        "3.png": None,
    }
    one, other = Case("a", images=images[:2]), Case("b", images=[images[2], images[0]])
    detect(InferenceModel("yolo", lambda image: seen[image.locator]), Suite("s", test_cases=[one, other]))
    registry.get_model("yolo").export_inferences(tmp_path / "r.json", suite="s")
    registry.export_coco(tmp_path / "a.json", suite="s")
    made = json.loads((tmp_path / "a.json").read_text())
    assert [each["name"] for each in made["categories"]] == ["bus", "car"]
    assert [(each["id"], each["file_name"]) for each in made["images"]] == [(1, "1.png"), (2, "2.png"), (3, "3.png")]
    assert [(each["image_id"], each["category_id"]) for each in made["annotations"]] == [(1, 2), (2, 1)]
    assert json.loads((tmp_path / "r.json").read_text()) == [
        {"image_id": 1, "category_id": 2, "score": 0.9, "bbox": [11, 10, 39, 21]},
        {"image_id": 2, "category_id": 3, "score": 0.4, "bbox": [0, 0, 5, 6]},
    ]
    assert measured(tmp_path / "a.json", tmp_path / "r.json", "bbox")["stats"][1] > 0


@dataclass(frozen=True)
class Two(Inference):
    first: list[ScoredLabeledBoundingBox]
    second: list[ScoredLabeledBoundingBox]


@dataclass(frozen=True)
class Truth(GroundTruth):
    boxes: list[LabeledBoundingBox]


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Word(GroundTruth):
    text: str


def test_types_with_no_list_of_boxes_or_two_are_no_coco(registry: Registry, tmp_path: Path) -> None:
    _, Case, Suite, Net = define_workflow("two", Photo, Truth, Two)
    suite = Suite("s", test_cases=[Case("c", test_samples=[(Photo("a"), Truth([]))])])
    run(Net("m", lambda photo: Two([], [])), suite)
    with pytest.raises(InvalidInputError, match=r"Two has 2 lists of scored labelled boxes .* COCO takes one"):
        registry.get_model("m").export_inferences(tmp_path / "r.json", suite="s")
    _, WordCase, WordSuite, _ = define_workflow("words", Photo, Word, Two)
    WordSuite("w", test_cases=[WordCase("cw", test_samples=[(Photo("a"), Word("t"))])])
    with pytest.raises(InvalidInputError, match="Word has no list of labelled boxes"):
        registry.export_coco(tmp_path / "a.json", suite="w")
    assert [path.name for path in tmp_path.iterdir()] == ["registry"]


def test_two_data_sets_of_the_same_ids_cannot_be_one_file(registry: Registry, tmp_path: Path) -> None:
    registry.import_coco(SMALL, suite="s")
    renamed = changed(SMALL, ("images", 0, "file_name"), "other.jpg")
    registry.import_coco(renamed, suite="t")
    TestSuite("both", test_cases=[TestCase("s"), TestCase("t")])
    with pytest.raises(InvalidInputError, match="1 image ids stand for several images, the first is 5"):
        registry.export_coco(tmp_path / "out.json", suite="both")
    lynx = {**SMALL, "categories": [{"id": 2, "name": "lynx"}], "annotations": []}
    registry.import_coco({**lynx, "images": [{"id": 1, "file_name": "lynx.jpg"}]}, suite="u")
    TestSuite("three", test_cases=[TestCase("s"), TestCase("u")])
    with pytest.raises(InvalidInputError, match="category 2 is 'lynx' in one test case, and 'cat' in another"):
        registry.export_coco(tmp_path / "out.json", suite="three")


# --- what is refused --------------------------------------------------------------------------------------------------

IMAGES, ANNOTATIONS, CATEGORIES = "images", "annotations", "categories"
BAD: list[tuple[Callable[[Any], Any], str]] = [
    (
        lambda file: changed(file, (IMAGES, 1, "id"), 5),
        r"1 of images have an id that another has; the first is images\[1\] \(id 5\)",
    ),
    (
        lambda file: changed(file, (IMAGES, 1, "id"), "abc"),
        r"must have a whole number as id; .* images\[1\] .*: id is 'abc'",
    ),
    (lambda file: changed(file, (IMAGES, 1, "id"), True), "must have a whole number as id"),
    (lambda file: changed(file, (IMAGES, 1, "id"), 2**70), "a whole number of 64 bits as id"),
    (lambda file: changed(file, (IMAGES, 1, "id"), drop=True), r"1 of images have no id; the first is images\[1\]"),
    (lambda file: changed(file, (IMAGES, 2, "file_name"), drop=True), r"have no file_name; the first is images\[2\]"),
    (lambda file: changed(file, (IMAGES, 2, "file_name"), " "), "have a blank file_name"),
    (lambda file: changed(file, (IMAGES, 2, "width"), 10.5), "must have a whole number as width"),
    (
        lambda file: changed(file, (ANNOTATIONS, 0, "image_id"), 6),
        r"1 of annotations are of an image that is not there; the first is annotations\[0\] \(id 0, image_id 6\)",
    ),
    (
        lambda file: changed(file, (ANNOTATIONS, 0, "category_id"), 1),
        "name a category that is not there; .*category_id is 1",
    ),
    (lambda file: changed(file, (ANNOTATIONS, 0, "id"), 4), "have an id that another has"),
    (
        lambda file: changed(file, (ANNOTATIONS, 0, "bbox"), [1, 2, -3, 4]),
        r"have a bbox of negative width or height; .*bbox is \[1, 2, -3, 4\]",
    ),
    (
        lambda file: changed(file, (ANNOTATIONS, 0, "bbox"), [1, 2, float("nan"), 4]),
        "have a bbox with a number that is not finite",
    ),
    (lambda file: changed(file, (ANNOTATIONS, 0, "bbox"), [1e308, 2, 1e308, 4]), "ends beyond all numbers"),
    (lambda file: changed(file, (ANNOTATIONS, 0, "bbox"), [1, 2, 3]), r"must have \[x, y, width, height\] as bbox"),
    (lambda file: changed(file, (ANNOTATIONS, 0, "bbox"), ["1", 2, 3, 4]), "as bbox"),
    (lambda file: changed(file, (ANNOTATIONS, 0, "bbox"), 5), "as bbox; .*bbox is 5"),
    (lambda file: changed(file, (ANNOTATIONS, 1, "area"), float("inf")), "have no finite number as area"),
    (lambda file: changed(file, (ANNOTATIONS, 1, "iscrowd"), 2), "must have 0 or 1 as iscrowd"),
    (lambda file: changed(file, (ANNOTATIONS, 1, "segmentation"), "abc"), "must have polygons or a mask"),
    (lambda file: changed(file, (ANNOTATIONS, 1, "segmentation"), {"counts": [1]}), "a mask without size or counts"),
    (lambda file: changed(file, (ANNOTATIONS, 1, "segmentation", "size"), [1]), "a mask whose size is"),
    (lambda file: changed(file, (ANNOTATIONS, 1, "segmentation", "counts"), 7), "counts that are text or numbers"),
    (lambda file: changed(file, (ANNOTATIONS, 2, "segmentation"), [1, 2, 3]), "must have polygons"),
    (
        lambda file: changed(file, (ANNOTATIONS, 2, "segmentation"), [[1, 2, float("nan")]]),
        "have a segmentation with a number",
    ),
    (lambda file: changed(file, (ANNOTATIONS, 2, "keypoints"), [1, "x"]), "as keypoints"),
    (lambda file: changed(file, (ANNOTATIONS, 2), "x"), r"annotations\[2\] is 'x'; it must be an object"),
    (lambda file: changed(file, (ANNOTATIONS,), {"a": 1}), "annotations is .*; it must be a list of objects"),
    (lambda file: changed(file, (ANNOTATIONS, 2, "segments_info"), []), "panoptic annotations, which are not taken"),
    (lambda file: changed(file, (CATEGORIES, 1, "id"), 2), "of categories have an id that another has"),
    (lambda file: changed(file, (CATEGORIES, 1, "name"), ""), "have a blank name"),
    (lambda file: changed(file, (CATEGORIES,), drop=True), "annotations has no categories"),
    (lambda file: changed(file, (IMAGES,), []), "are of an image that is not there"),
    (lambda file: {**file, "images": [], "annotations": []}, "the annotations have no images"),
    (lambda file: [], "results are taken by import_coco_results"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD)
def test_annotations_that_cannot_be_are_told_and_nothing_is_written(
    registry: Registry, spoil: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        registry.import_coco(spoil(SMALL), suite="s")
    assert registry.commit == 0


BAD_RESULTS: list[tuple[Any, str]] = [
    (
        changed(RESULTS, (0, "image_id"), 6),
        r"1 of results are of an image that is not in the test suite; the first is results\[0\]",
    ),
    ([{**each, "category_id": 3} for each in RESULTS], "3 of results name a category that is not there"),
    (changed(RESULTS, (2, "score"), float("nan")), r"1 of results have no finite number as score; .*\[2\]"),
    (changed(RESULTS, (2, "score"), True), "must have a number as score"),
    (changed(RESULTS, (2, "score"), "0.5"), "must have a number as score"),
    (changed(RESULTS, (1, "score"), drop=True), "have no score"),
    (changed(RESULTS, (1, "bbox"), drop=True), "have neither bbox nor segmentation nor keypoints"),
    ([*RESULTS, {**RESULTS[0], "bbox": [], "segmentation": [[1, 1, 2, 2, 3, 3]]}], "have no bbox, which others have"),
    (changed(RESULTS, (1, "bbox"), [1, 2, 3, -4]), "negative width or height"),
    (SMALL, "annotations are taken by import_coco"),
    ({"a": 1}, "COCO results are a list, and this is an object$"),
    (5, "results is 5; it must be a list"),
]


@pytest.mark.parametrize(("results", "words"), BAD_RESULTS)
def test_results_that_cannot_be_are_told_and_nothing_is_written(registry: Registry, results: Any, words: str) -> None:
    registry.import_coco(SMALL, suite="s")
    commit = registry.commit
    with pytest.raises(InvalidInputError, match=words):
        registry.import_coco_results(results, suite="s", model="m")
    assert (registry.commit, registry.find_model("m")) == (commit, None)


def test_what_is_no_whole_file_is_told(registry: Registry, tmp_path: Path) -> None:
    half = tmp_path / "half.json"
    half.write_text(json.dumps(SMALL)[:-40])
    with pytest.raises(InvalidInputError, match=r"half\.json' is no whole JSON file of COCO annotations"):
        registry.import_coco(half, suite="s")
    half.write_bytes(b"\xff\xfe[")
    with pytest.raises(InvalidInputError, match=r"half\.json' is no whole JSON file"):
        registry.import_coco(half, suite="s")
    with pytest.raises(NotFoundError, match=r"there is no file '.*absent\.json' of COCO annotations"):
        registry.import_coco(tmp_path / "absent.json", suite="s")
    with pytest.raises(NotFoundError, match="no test suite 's'"):
        registry.import_coco_results(RESULTS, suite="s", model="m")
    define_workflow("two", Photo, Truth, Two)[2]("theirs")
    with pytest.raises(WorkflowMismatchError, match="belongs to workflow 'two'"):
        registry.import_coco_results(RESULTS, suite="theirs", model="m")


# --- how --------------------------------------------------------------------------------------------------------------


def test_no_object_is_made_for_an_annotation(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("an object was made")

    for cls in (Object, Detection, Segmentation, Image):
        monkeypatch.setattr(cls, "__init__", refuse)
    registry.import_coco(SMALL, suite="s")
    registry.import_coco_results(RESULTS, suite="s", model="m")


def test_numbers_of_numpy_are_taken_and_whole_floats_are_whole() -> None:
    file = changed(SMALL, ("annotations", 0, "bbox"), np.array([0.5, 1.5, 2.5, 3.5]))
    file = changed(file, ("annotations", 0, "image_id"), np.int64(7))
    file = changed(file, ("images", 0, "width"), 640.0)
    rows = annotations_of(file).rows
    assert rows["width"].to_pylist() == [640, None, 10]
    assert rows["objects"].to_pylist()[2][0]["size"] == {"width": 2.5, "height": 3.5}


def test_a_value_of_one_kind_among_others_is_found_by_its_place() -> None:
    entries = Entries([{"n": number} for number in range(1000)] + [{"n": None}, {"n": 0.5}], "numbers")
    with pytest.raises(
        InvalidInputError, match=r"1 of numbers must have a whole number as n; the first is numbers\[1001\]"
    ):
        entries.whole("n")
