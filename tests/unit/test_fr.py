from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

import localreg
from localreg import AlreadyExistsError, InvalidInputError, NotFoundError, Registry, WorkflowMismatchError
from localreg.fr import InferenceModel, Model, TestCase, TestRun, TestSuite
from localreg.fr import test as run_test
from localreg.workflow.fingerprint import code_digest

Vector = npt.NDArray[np.float32]

ROWS = [("a", "b", True), ("a", "c", False), ("b", "x", True), ("c", "d", False)]
BLURRED = "x"


class Face:
    """The two functions of a model, which remember what they were asked. The image `x` fails to enrol."""

    def __init__(self, *, fails_at: str = "") -> None:
        self.extracted: list[str] = []
        self.compared: list[tuple[Vector, Vector]] = []
        self.fails_at = fails_at

    def extract(self, locator: str) -> npt.NDArray[Any] | None:
        if locator == self.fails_at:
            raise RuntimeError("no memory")
        self.extracted.append(locator)
        return None if locator == BLURRED else np.array([1.0, ord(locator) / 128, 0.0])

    def compare(self, a: Vector, b: Vector) -> float:
        self.compared.append((a, b))
        return float(a @ b)

    def model(self, name: str = "m") -> InferenceModel:
        return InferenceModel(name, self.extract, self.compare)


def suite(*rows: tuple[str, str, bool], name: str = "suite") -> TestSuite:
    return TestSuite.create(name, baseline_test_cases=[TestCase.create(f"{name} case", data=rows or ROWS)])


def similarity(a: str, b: str) -> float:
    return 1 + ord(a) / 128 * ord(b) / 128


def result(*row: object) -> dict[str, object]:
    names = ("locator_a", "locator_b", "is_same", "image_a_fte", "image_b_fte", "similarity")
    return dict(zip(names, row, strict=True))


RESULTS = [
    result("a", "b", True, False, False, similarity("a", "b")),
    result("a", "c", False, False, False, similarity("a", "c")),
    result("b", "x", True, False, True, None),
    result("c", "d", False, False, False, similarity("c", "d")),
]


def commits_with_uploads(registry: Registry) -> list[int]:
    return [row["commit"] for row in registry.audit(kind="test_run").dicts() if row["action"] == "upload"]


def open_parts(registry: Registry) -> list[Path]:
    return sorted(Path(registry.uri).rglob("data/*/*/open-*.parquet"))


# --- test cases and suites --------------------------------------------------------------------------------------------


def test_pairs_come_back_in_order(registry: Registry) -> None:
    case = TestCase.create("case", data=ROWS)
    names = ("locator_a", "locator_b", "is_same")
    assert case.load_data().dicts() == [dict(zip(names, row, strict=True)) for row in ROWS]
    assert list(case.load_data().df().itertuples(index=False, name=None)) == ROWS
    assert (case.image_count, case.pair_count_genuine, case.pair_count_imposter) == (5, 2, 2)
    assert TestCase("case") == TestCase.load("case") == TestCase.load_by_name("case", 1) == case
    assert [batch.dicts() for batch in case.iter_data(3)] == [
        case.load_data().dicts()[:3],
        case.load_data().dicts()[3:],
    ]
    with pytest.raises(AlreadyExistsError):
        TestCase.create("case", "again", ROWS)
    assert TestCase("other", test_samples=ROWS[:1]).load_data().dicts()[0]["locator_b"] == "b"
    assert [len(made) for made in TestCase.init_many([("one", ROWS), ("two", ROWS[:2])])] == [4, 2]


def test_a_test_case_is_edited_by_its_pairs(registry: Registry) -> None:
    case = TestCase.create("case", data=ROWS[:2])
    with case.edit() as editor:
        editor.add("a", "b", False)
        editor.remove("a", "c")
        editor.remove("never", "there")
        editor.add("e", "f", np.bool_(True))  # type: ignore[arg-type]
        editor.description("edited")
    assert (case.version, case.description) == (2, "edited")
    assert [tuple(row.values()) for row in case.load_data()] == [("a", "b", False), ("e", "f", True)]
    with case.edit() as editor:
        editor.add("e", "f", True)
    assert case.version == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("ab", "data is 'ab'; it must be a list of"),
        ([("a", "b")], r"data\[0\] is \('a', 'b'\); it must be \(locator_a, locator_b, is_same\)"),
        ([ROWS[0], ("a", 5, True)], r"data\[1\] is \('a', 5, True\)"),
        ([("a", "b", "yes")], r"data\[0\] is \('a', 'b', 'yes'\)"),
        ([("a", " ", True)], r"locator_b is ' '; it must not be blank"),
        ([ROWS[0], ROWS[0]], "'a'.*'b'.*twice"),
    ],
)
def test_rows_of_wrong_types_are_refused_with_their_place(registry: Registry, rows: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TestCase.create("case", data=rows)
    with pytest.raises(InvalidInputError, match="test_samples and data, which mean the same"):
        TestCase.create("case", test_samples=ROWS, data=ROWS)
    assert registry.commit == 0


def test_a_suite_counts_what_its_baseline_holds_once(registry: Registry) -> None:
    one, two, other = TestCase.init_many([("one", ROWS[:3]), ("two", ROWS[2:]), ("other", [("x", "y", True)])])
    tests = TestSuite("suite", baseline_test_cases=[one, two], non_baseline_test_cases=[other])
    counts = tests.baseline_image_count, tests.baseline_pair_count_genuine, tests.baseline_pair_count_imposter
    assert counts == (5, 2, 2)


def test_a_suite_knows_its_baseline(registry: Registry) -> None:
    base, other = TestCase.init_many([("base", ROWS[:2]), ("other", ROWS[2:])])
    tests = TestSuite.create("suite", "d", baseline_test_cases=[base], non_baseline_test_cases=[other])
    assert (tests.version, tests.baseline_test_cases, tests.non_baseline_test_cases) == (1, [base], [other])
    with tests.edit() as editor:
        editor.add(base)  # as it was
        editor.add(other, is_baseline=True)
    assert (tests.version, tests.non_baseline_test_cases) == (2, [])
    assert tests.test_cases == tests.baseline_test_cases == [base, other]
    assert TestSuite.load_by_name("suite", 2) == tests == TestSuite.load_by_name("suite")
    with tests.edit() as editor:
        editor.add(other)  # as it was
    assert tests.version == 2
    with tests.edit() as editor:
        editor.remove(base)
        editor.add(base)
        editor.remove(other)
    assert (tests.baseline_test_cases, tests.non_baseline_test_cases) == ([], [base])
    assert TestSuite.load("suite", 1).baseline_test_cases == [base]
    again = TestSuite("suite", non_baseline_test_cases=[base, other], baseline_test_cases=[], reset=True)
    assert (again.version, again.baseline_test_cases) == (4, [])
    with pytest.raises(InvalidInputError, match="stands in the suite twice"):
        TestSuite("both", baseline_test_cases=[base], non_baseline_test_cases=[base])


# --- running ----------------------------------------------------------------------------------------------------------


def test_pairs_of_images_that_failed_to_enrol_have_no_similarity(registry: Registry) -> None:
    face, tests = Face(), suite()
    run_test(face.model(), tests)
    assert Model("m").load_pair_results(tests).dicts() == RESULTS
    assert sorted(face.extracted) == ["a", "b", "c", "d", "x"]
    assert len(face.compared) == 3  # not for the failed one
    frame = Model("m").load_pair_results(tests.test_cases[0]).df()
    assert np.isnan(frame["similarity"][2])
    batches = [len(batch) for batch in Model("m").iter_pair_results(tests, batch_size=3)]
    assert batches == [3, 1]


def test_embeddings_are_documented_rows(registry: Registry) -> None:
    run_test(Face().model(), suite())
    rows = registry.sql("FROM embeddings ORDER BY locator").dicts()
    told = {"namespace": "default", "model": "m", "model_version": "1"}
    assert rows[0] == {**told, "locator": "a", "embedding": [1.0, ord("a") / 128, 0.0], "failed": False}
    assert rows[-1] == {**told, "locator": "x", "embedding": None, "failed": True}
    assert len(rows) == 5
    assert registry.facets("embeddings", "failed").dicts() == [
        {"value": False, "count": 4},
        {"value": True, "count": 1},
    ]
    assert registry.verify().ok


def test_embeddings_are_fixed_size_floats_in_files_of_their_own(registry: Registry) -> None:
    run_test(Face().model(), suite())
    (file,) = Path(registry.uri).rglob("data/embeddings/*/*.parquet")
    assert str(pq.read_schema(file).field("embedding").type) == "fixed_size_list<element: float>[3]"
    column = pq.ParquetFile(file).metadata.row_group(0).column(1)
    assert column.path_in_schema == "embedding.list.element"
    assert "BYTE_STREAM_SPLIT" in column.encodings
    assert not any("DICTIONARY" in encoding for encoding in column.encodings)
    (pairs,) = Path(registry.uri).rglob("data/inferences/*/*.parquet")
    assert "embedding" not in str(pq.read_schema(pairs))


def test_embeddings_and_similarities_are_one_commit(registry: Registry) -> None:
    run_test(Face().model(), suite())
    commits = commits_with_uploads(registry)
    assert len(commits) == 2
    assert len(set(commits)) == 1
    assert open_parts(registry) == []


def test_each_image_is_extracted_once_and_each_pair_compared_once(registry: Registry) -> None:
    face = Face()
    model, tests = face.model(), suite()
    run_test(model, tests)
    run_test(model, tests)
    run_test(face.model(), suite(("a", "d", True), ("a", "b", True), ("d", "e", False), name="other"))
    assert sorted(face.extracted) == ["a", "b", "c", "d", "e", "x"]
    assert len(face.compared) == 5
    assert Model("m").load_pair_results(TestSuite("other")).dicts()[2]["similarity"] == similarity("d", "e")
    commit = registry.commit
    run_test(model, tests)
    assert registry.commit == commit


def test_compare_gets_what_is_stored_however_old_it_is(registry: Registry) -> None:
    face = Face()
    run_test(face.model(), suite(("a", "b", True)))
    run_test(face.model(), suite(("b", "a", True), name="other"))
    (a, b), (b_stored, a_stored) = face.compared
    for fresh, stored in ((a, a_stored), (b, b_stored)):
        assert fresh.dtype == stored.dtype == np.float32
        assert not fresh.flags.writeable
        assert not stored.flags.writeable
        assert (fresh == stored).all()


def test_a_new_version_is_extracted_anew(registry: Registry) -> None:
    face, tests = Face(), suite()
    run_test(face.model(), tests)
    registry.get_model("m").create_version("2")
    run_test(face.model(), tests)
    assert len(face.extracted) == 10
    assert len(registry.sql("FROM embeddings")) == 10


def test_a_version_that_is_made_during_a_run_gets_nothing_of_it(registry: Registry) -> None:
    face, tests = Face(), suite()
    run_test(face.model(), suite(("e", "f", True), name="first"))

    def extract(locator: str) -> npt.NDArray[Any] | None:
        if locator == "c":
            registry.get_model("m").create_version("2", exist_ok=True)
        return face.extract(locator)

    model = InferenceModel("m", extract, face.compare)
    run_test(model, tests)
    for table in ("embeddings", "inferences"):
        assert {row["model_version"] for row in registry.sql(f"FROM {table}")} == {"1"}
    assert len(model.load_pair_results(tests)) == 0  # of version 2, which is the newest now
    assert len(Model("m").load_pair_results(tests)) == 0
    run_test(model, tests)
    assert len(model.load_pair_results(tests)) == 4


def test_reset_does_all_again_and_replaces_what_was_stored(registry: Registry) -> None:
    tests = suite()
    run_test(Face().model(), tests)
    other = InferenceModel.load_by_name("m", lambda _: np.array([2, 0], np.uint8), lambda a, b: float(a @ b))
    run_test(other, tests, reset=True)
    assert {row["similarity"] for row in other.load_pair_results(tests)} == {4.0}
    assert [tuple(row["embedding"]) for row in registry.sql("FROM embeddings")] == [(2.0, 0.0)] * 5


@pytest.mark.parametrize("fails_at", ["a", "c", "d"])
def test_a_rerun_after_an_exception_in_extract_goes_on_there(registry: Registry, fails_at: str) -> None:
    face, tests = Face(fails_at=fails_at), suite()
    with pytest.raises(RuntimeError, match="no memory") as error:
        run_test(face.model(), tests)
    assert f"raised this for {fails_at!r}" in error.value.__notes__[0]
    before = list(face.extracted)
    assert len(registry.sql("FROM embeddings")) == len(before)
    assert open_parts(registry) == []
    face.fails_at = ""
    run_test(face.model(), tests)
    assert sorted(face.extracted) == ["a", "b", "c", "d", "x"]
    assert Model("m").load_pair_results(tests).dicts() == RESULTS


def test_a_rerun_after_an_exception_in_compare_extracts_and_compares_nothing_twice(registry: Registry) -> None:
    face, tests = Face(), suite()
    compared: list[Vector] = []

    def compare(a: Vector, b: Vector) -> float:
        if len(compared) == 2:
            raise RuntimeError("no memory")
        compared.append(a)
        return float(a @ b)

    with pytest.raises(RuntimeError, match="no memory"):
        run_test(InferenceModel("m", face.extract, compare), tests)
    assert [row["similarity"] is None for row in Model("m").load_pair_results(tests)] == [False, False, True]
    run_test(face.model(), tests)
    assert len(face.extracted) == 5
    assert len(face.compared) == 1
    assert Model("m").load_pair_results(tests).dicts() == RESULTS


@pytest.mark.parametrize("suite_name", ["suite", "other"])
def test_a_killed_extraction_is_taken_up_by_a_run_of_any_suite(registry: Registry, suite_name: str) -> None:
    suite()
    suite(*ROWS[::-1], name="other")
    script = """
        import os, sys
        import localreg, numpy as np
        from localreg.fr import InferenceModel, TestSuite, test
        localreg.use(localreg.open(sys.argv[1]))
        asked = []
        def extract(locator):
            if len(asked) == 2:
                os._exit(9)
            asked.append(locator)
            print(locator, flush=True)
            return None if locator == "x" else np.array([1.0, ord(locator) / 128, 0.0])
        import localreg.workflow.running as running
        running.Stretches.count = property(lambda self: 1)  # so that each image is written before the next
        test(InferenceModel("m", extract, lambda a, b: 0.0), TestSuite("suite"))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), registry.uri]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    assert len(open_parts(registry)) == 2
    assert len(registry.sql("FROM embeddings")) == 0
    face = Face()
    run_test(face.model(), TestSuite(suite_name))
    assert sorted([*face.extracted, *killed.stdout.split()]) == ["a", "b", "c", "d", "x"]
    assert len(registry.sql("FROM embeddings")) == 5
    assert open_parts(registry) == []


def test_two_runs_at_once_share_the_images(registry: Registry) -> None:
    names = [chr(ord("A") + number) for number in range(24)]
    tests = suite(*[(a, b, False) for a in names for b in names if a < b])
    face, barrier, failed = Face(), threading.Barrier(2), []

    def work() -> None:
        try:
            with localreg.use(localreg.open(registry.uri)):
                model, mine = face.model(), TestSuite("suite")
                barrier.wait()
                run_test(model, mine)
        except BaseException as error:
            failed.append(error)

    face.model()
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(face.extracted) == names
    assert len(face.compared) == len(names) * (len(names) - 1) // 2
    assert len(registry.sql("FROM embeddings")) == len(names)
    assert len(Model("m").load_pair_results(tests)) == len(face.compared)


def test_a_run_is_part_of_a_transaction(registry: Registry, other: Registry) -> None:
    face = Face()
    with pytest.raises(KeyError), registry.transaction("a suite and its run"):  # noqa: PT012 - all of it is undone
        run_test(face.model(), suite())
        raise KeyError
    assert registry.commit == 0
    with registry.transaction("a suite and its run"):
        run_test(face.model(), suite())
        assert len(other.sql("FROM embeddings")) == 0
    assert registry.commit == 1
    assert Model("m").load_pair_results(TestSuite("suite")).dicts() == RESULTS
    assert len(other.sql("FROM embeddings")) == 5
    assert registry.verify().ok


def test_who_deletes_a_run_deletes_its_embeddings(registry: Registry) -> None:
    face, tests = Face(), suite()
    run_test(face.model(), tests).delete()
    assert len(registry.sql("FROM embeddings")) == 0
    assert len(Model("m").load_pair_results(tests)) == 0
    run_test(face.model(), tests)
    assert len(face.extracted) == 10
    assert len(registry.sql("FROM embeddings")) == 5


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], r"extract of model 'm' returned \[1.0, 2.0\] for 'b'; it must return a numpy vector"),
        (np.zeros((2, 3)), r"an array of shape \(2, 3\) and type float64 for 'b'"),
        (np.zeros(0), r"an array of shape \(0,\)"),
        (np.array(["x"]), "type <U1 for 'b'"),
        (np.array([1.0, np.nan, 0]), "a vector that holds NaN, infinity, or more than float32 can for 'b'"),
        (np.array([1e300, 0, 0]), "a vector that holds NaN"),
        (np.zeros(4), "4 numbers for 'b'; it must return 3, as for other images of this version"),
    ],
)
def test_what_is_no_embedding_is_refused_with_its_image(registry: Registry, value: Any, message: str) -> None:
    def extract(locator: str) -> Any:
        return value if locator == "b" else np.zeros(3)

    with pytest.raises(InvalidInputError, match=message):
        run_test(InferenceModel("m", extract, lambda a, b: 0.0), suite())
    assert [row["locator"] for row in registry.sql("FROM embeddings")] == ["a"]


def test_a_later_run_keeps_to_the_length_of_the_first(registry: Registry) -> None:
    run_test(Face().model(), suite(("a", "b", True)))
    longer = InferenceModel("m", lambda _: np.zeros(4), lambda a, b: 0.0)
    with pytest.raises(InvalidInputError, match="4 numbers for 'c'; it must return 3"):
        run_test(longer, suite(("a", "c", True), name="other"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "compare of model 'm' returned None for 'a' and 'b'; it must return a number"),
        ("0.5", "compare of model 'm' returned '0.5' for 'a' and 'b'"),
        (float("nan"), "'a'.*'b'.*similarity is nan; it must be a finite number"),
        (float("inf"), "similarity is inf"),
    ],
)
def test_what_is_no_similarity_is_refused_with_its_pair(registry: Registry, value: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        run_test(InferenceModel("m", Face().extract, lambda a, b: value), suite())
    assert len(Model("m").load_pair_results(TestSuite("suite"))) == 0


def test_models_are_made_and_loaded_with_their_functions(registry: Registry) -> None:
    face = Face()
    model = InferenceModel.create("m", face.extract, face.compare, {"framework": "torch"})
    assert (model.metadata, model.extract, model.compare) == ({"framework": "torch"}, face.extract, face.compare)
    with pytest.raises(AlreadyExistsError):
        InferenceModel.create("m", face.extract, face.compare, {})
    assert InferenceModel.load_by_name("m", face.extract, face.compare).extract == face.extract
    assert Model.load_by_name("m").metadata == Model.create("n", {"framework": "torch"}).metadata
    with pytest.raises(NotFoundError, match="no model 'mm'"):
        Model.load_by_name("mm")
    with pytest.raises(InvalidInputError, match=r"compare of model 'o' is 0\.5; pass a function"):
        InferenceModel.create("o", face.extract, 0.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"loaded without its functions; take InferenceModel\.load_by_name"):
        run_test(InferenceModel.load("m"), suite())
    with pytest.raises(InvalidInputError, match=r"has no functions to run; take InferenceModel\.create"):
        TestRun(Model("m"), TestSuite("suite"))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="'suite' is neither a test case nor a test suite"):
        model.load_pair_results("suite")  # type: ignore[arg-type]
    assert model.load_pair_results(TestSuite("suite")).dicts() == []


def test_cases_of_other_workflows_are_refused(registry: Registry) -> None:
    from localreg import classification

    case = classification.TestCase("labels", images=[classification.TestImage("a.png")])
    with pytest.raises(WorkflowMismatchError, match="'Classification', and model 'm' to 'Face Recognition 1:1'"):
        Face().model().load_pair_results(case)
    with pytest.raises(InvalidInputError, match="must be a test case of 'Face Recognition 1:1'"):
        TestSuite("suite", baseline_test_cases=[case])  # type: ignore[list-item]


def test_the_fingerprint_is_that_of_both_functions(registry: Registry) -> None:
    def extract(_: str) -> Vector:
        return np.ones(1, np.float32)

    def compare(a: Vector, b: Vector) -> float:
        return 1.0

    def other(a: Vector, b: Vector) -> float:
        return 1.0 + 0.0

    run_test(InferenceModel("m", extract, compare), suite())
    run_test(InferenceModel("n", extract, other), TestSuite("suite"))
    told = [row["fingerprint"]["infer"] for row in registry.test_runs()]
    assert len({*told, code_digest(extract), code_digest(compare)}) == 4
