from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic.dataclasses
import pytest

import localreg
from localreg import IntegrityError, InvalidInputError, NonDeterministicError, Registry
from localreg.storage import MemoryStore
from localreg.tables import read_part, vector_digests, write_rows
from localreg.workflow import GroundTruth, Inference, Metadata, TestRun, TestSample, Vector, define_workflow, test

X: Any = np.array([1.0, 2.0, 3.0, 4.0], np.float32)


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Face(TestSample):
    locator: str
    template: Vector[2] | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str
    center: Vector[2] | None = None


@dataclass(frozen=True)
class Embedded(Inference):
    label: str
    embedding: Vector[4] | None = None
    deep: list[Vector[2]] = field(default_factory=list)


@dataclass(frozen=True)
class Labelled(Inference):
    label: str


Labelled.__name__ = Labelled.__qualname__ = "Embedded"  # the class as it was before it had vectors

_, Case, Suite, Net = define_workflow("Faces", Photo, Truth, Embedded)
_, NarrowCase, NarrowSuite, Narrow = define_workflow("Faces", Photo, Truth, Labelled)


def vector(*values: float) -> Any:
    return np.array(values, np.float32)


def suite(count: int, case: Any = Case, suite: Any = Suite) -> Any:
    return suite("s", test_cases=[case("c", test_samples=[(Photo(str(n)), Truth("x")) for n in range(count)])])


def infer(photo: Photo) -> Embedded | None:
    number = int(photo.locator)
    if number == 1:
        return None
    return Embedded(photo.locator, None if number == 2 else X * number, [vector(number, 0)])


def inferred(net: Any, case: Any) -> list[Any]:
    """The inferences of a model on a test case, in its order."""
    return [inference for _, _, inference in net.load_inferences(case)]


def truths_of(case: Any) -> list[Any]:
    """The ground truths of a test case."""
    return [truth for _, truth in case.load_test_samples()]


def embeddings(registry: Registry) -> list[Any]:
    rows = registry.sql('SELECT embedding FROM "Faces".inferences ORDER BY sample_idx').dicts()
    return [row["embedding"] for row in rows]


def files(registry: Registry, table: str) -> list[Path]:
    return sorted(Path(registry.uri).rglob(f"data/{table}/*/*.parquet"))


def test_vectors_stand_in_a_file_of_their_own_row_by_row_beside_the_part(registry: Registry) -> None:
    test(Net("m", infer), suite(4))
    (part,), (beside,) = files(registry, "inferences"), files(registry, "vectors")
    assert "embedding" not in str(pq.read_schema(part))
    stored = pq.read_table(beside)
    assert stored.schema.field("embedding").type == pa.list_(pa.float32(), 4)
    assert stored["embedding"].to_pylist() == [[0, 0, 0, 0], None, None, [3, 6, 9, 12]]
    column = pq.ParquetFile(beside).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert "BYTE_STREAM_SPLIT" in column.encodings
    assert "PLAIN_DICTIONARY" not in column.encodings
    assert not any("DICTIONARY" in encoding for encoding in column.encodings)
    loaded = inferred(Net("m"), Case("c"))
    assert [None if each is None else each.label for each in loaded] == ["0", None, "2", "3"]
    assert loaded[3].embedding.tolist() == [3, 6, 9, 12]
    assert loaded[3].embedding.dtype == np.float32
    assert not loaded[3].embedding.flags.writeable
    assert loaded[2].embedding is None
    assert loaded[3].deep[0].tolist() == [3, 0], "vectors further down stay in the struct"
    assert embeddings(registry) == [[0, 0, 0, 0], None, None, [3, 6, 9, 12]]
    assert registry.verify().ok


def test_sql_shows_vectors_with_their_size_and_json_leaves_them_out(registry: Registry) -> None:
    test(Net("m", infer), suite(4))
    told = registry.sql(
        """SELECT typeof(embedding) AS outer, typeof(deep) AS inner, array_inner_product(embedding, embedding) AS n
        FROM "Faces".inferences WHERE label = '3'"""
    ).dicts()
    assert told == [{"outer": "FLOAT[4]", "inner": "FLOAT[2][]", "n": 270.0}]
    generic = registry.sql("SELECT inference FROM inferences WHERE sample_idx = 3").dicts()
    assert generic == [{"inference": {"label": "3", "deep": [[3, 0]]}}]


@dataclass(frozen=True)
class Plain(GroundTruth):
    label: str


def test_who_reads_labels_does_not_read_vectors(registry: Registry) -> None:
    test(Net("m", infer), suite(4))
    full = define_workflow("Full", Face, Truth, Embedded)[1]
    full("full", test_samples=[(Face("1", vector(1, 2)), Truth("x", vector(3, 4)))])
    bare = define_workflow("Full", Photo, Plain, Labelled)[1]
    for path in files(registry, "vectors"):
        path.unlink()
    fresh = localreg.open(registry.uri)
    with localreg.use(fresh):
        loaded = inferred(Narrow("m"), Case("c"))
        assert [each and each.label for each in loaded] == ["0", None, "2", "3"]
        assert [truth.label for _, truth in Case("c").load_test_samples()] == ["x"] * 4
        assert bare("full").load_test_samples() == [(Photo("1"), Plain("x"))]
        with pytest.raises(IntegrityError, match=r"vectors/.* is missing"):
            full("full").load_test_samples()
        with pytest.raises(IntegrityError, match=r"vectors/.* is missing"):
            Net("m").load_inferences(Case("c"))
    assert not fresh.verify().ok


def test_no_vector_no_file(registry: Registry) -> None:
    test(Net("m", lambda photo: Embedded(photo.locator)), suite(2))
    assert files(registry, "vectors") == []
    assert embeddings(registry) == [None, None]
    assert inferred(Net("m"), Case("c"))[0] == Embedded("0")


def test_parts_with_and_without_vectors_and_a_field_that_came_later_are_one_column(registry: Registry) -> None:
    made = suite(2, NarrowCase, NarrowSuite)
    test(Narrow("m", lambda photo: Labelled(photo.locator)), made)
    assert registry.sql('SELECT * FROM "Faces".inferences').dicts()[0].get("embedding", "none") == "none"
    wide = Suite("w", test_cases=[Case("d", test_samples=[(Photo(str(n)), Truth("x")) for n in range(4)])])
    test(Net("m", lambda photo: Embedded(photo.locator, X)), wide)
    assert embeddings(registry) == [None, None, [1, 2, 3, 4], [1, 2, 3, 4]]
    assert [each.embedding is None for each in inferred(Net("m"), Case("d"))] == [True, True, False, False]

    @dataclass(frozen=True)
    class Twice(Inference):
        label: str
        embedding: Vector[4] | None = None
        second: Vector[1] | None = None

    later = define_workflow("Faces", Photo, Truth, Twice)[3]
    more = Suite("x", test_cases=[Case("e", test_samples=[(Photo("new"), Truth("x"))])])
    test(later("m", lambda photo: Twice(photo.locator, None, vector(7))), more)
    rows = registry.sql('SELECT embedding, second FROM "Faces".inferences ORDER BY sample_idx').dicts()
    assert [row["second"] for row in rows] == [None] * 4 + [[7.0]]
    assert [row["embedding"] is None for row in rows] == [True, True, False, False, True]


def test_a_type_of_vectors_alone_may_gain_fields(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Only(Inference):
        embedding: Vector[4]

    _, case, suite_class, only = define_workflow("Faces", Photo, Truth, Only)
    test(only("m", lambda photo: Only(X)), suite(2, case, suite_class))
    assert [each.embedding.tolist() for each in inferred(only("m"), case("c"))] == [[1, 2, 3, 4]] * 2
    assert registry.sql("SELECT inference FROM inferences").dicts() == [{"inference": {}}] * 2
    wide = Suite("w", test_cases=[Case("d", test_samples=[(Photo(str(n)), Truth("x")) for n in range(3)])])
    test(Net("m", lambda photo: Embedded(photo.locator, X * 2)), wide)
    rows = registry.sql('SELECT label, embedding FROM "Faces".inferences ORDER BY sample_idx').dicts()
    assert [(row["label"], row["embedding"][0]) for row in rows] == [(None, 1), (None, 1), ("2", 2)]
    assert [each.embedding.tolist()[0] for each in inferred(only("m"), case("d"))] == [1, 1, 2]


def test_samples_are_told_apart_by_their_vectors_too(registry: Registry) -> None:
    case = define_workflow("Templates", Face, Truth, Embedded)[1]
    bare = define_workflow("Templates", Photo, Truth, Embedded)[1]

    def indices(name: str, *faces: Face) -> list[int]:
        return list(case(name, test_samples=[(face, Truth("x")) for face in faces]).sample_indices())

    a, b = Face("1", vector(1, 2)), Face("1", vector(1, 3))
    assert indices("a", a, b, Face("1")) == [0, 1, 2]
    assert indices("b", Face("1", vector(1, 3)), Face("1"), Face("2"), Face("1", vector(1, 2))) == [1, 2, 3, 0]
    assert indices("c", Face("1", vector(-0.0, np.nan)), Face("1", vector(0.0, 1))) == [4, 5]
    assert indices("d", Face("1", vector(0.0, np.nan))) == [4]
    assert list(bare("e", test_samples=[(Photo("1"), Truth("x"))]).sample_indices()) == [2]
    loaded = [face for face, _ in case("a").load_test_samples()]
    assert [None if face.template is None else face.template.tolist() for face in loaded] == [[1, 2], [1, 3], None]
    rows = registry.sql('SELECT template FROM "Templates".test_samples ORDER BY sample_idx').dicts()
    assert [row["template"] and row["template"][1] for row in rows[:4]] == [2, 3, None, None]


def test_a_sample_of_a_narrower_class_is_known_once_the_class_has_vectors(registry: Registry) -> None:
    bare = define_workflow("Templates", Photo, Truth, Embedded)[1]
    bare("old", test_samples=[(Photo("1"), Truth("x"))])
    case = define_workflow("Templates", Face, Truth, Embedded)[1]
    new = case("new", test_samples=[(Face("1"), Truth("x")), (Face("1", vector(1, 2)), Truth("x"))])
    assert list(new.sample_indices()) == [0, 1]


def test_ground_truths_keep_their_vectors_through_edits_by_a_class_without_them(registry: Registry) -> None:
    Case("c", test_samples=[(Photo("1"), Truth("x", vector(1, 2))), (Photo("2"), Truth("y"))])
    plain = define_workflow("Faces", Photo, Plain, Embedded)[1]("c")
    with plain.edit() as edit:
        edit.add(Photo("3"), Plain("z"))
    truths = truths_of(Case("c"))
    assert [truth.center is not None for truth in truths] == [True, False, False]
    assert truths[0].center.tolist() == [1, 2]
    assert Case("c").version == 2
    again = [(Photo("1"), Truth("x", vector(1, 2))), (Photo("2"), Truth("y")), (Photo("3"), Truth("z"))]
    assert Case("c", test_samples=again, reset=True).version == 2, "the same content is no new version"
    other = [(Photo("1"), Truth("x", vector(1, 2.5))), *again[1:]]
    assert Case("c", test_samples=other, reset=True).version == 3
    strata = Suite("s", test_cases=[Case("c")]).stratify("ground_truth.label")
    assert truths_of(strata.test_cases[0])[0].center.tolist() == [1, 2.5]


def test_the_same_embeddings_again_are_no_other_answer(registry: Registry) -> None:
    made = suite(2)
    run = TestRun(Net("m", infer), made)
    long = np.arange(4, dtype=np.float32)
    run.upload_inferences([(Photo("0"), Embedded("0", long))])
    from localreg.workflow.upload import _same

    assert _same(Embedded("0", long), Embedded("0", long.copy()))
    assert not _same(Embedded("0", long), Embedded("0", long + 1))
    big, other = np.zeros(5000, np.float32), np.zeros(5000, np.float32)
    other[2500] = 1e-7
    assert not _same(Embedded("0", big), Embedded("0", other)), "numpy shows the ends of long arrays alone"
    assert _same(Embedded("0", vector(np.nan)), Embedded("0", vector(np.nan)))


def test_another_embedding_that_landed_first_is_told(registry: Registry, other: Registry) -> None:
    made = suite(1)

    def mine(photo: Photo) -> Embedded:
        with localreg.use(other):
            TestRun(Net("m"), Suite("s")).upload_inferences([(photo, Embedded("0", X))])
        return Embedded("0", X + 1)

    with pytest.raises(NonDeterministicError, match="is stored for the same version"):
        test(Net("m", mine), made)


def test_a_wrong_vector_is_refused_with_its_sample(registry: Registry) -> None:
    with pytest.raises(InvalidInputError, match=r"Embedded\.embedding has the shape \(3,\)"):
        test(Net("m", lambda photo: Embedded("0", np.zeros(3))), suite(1))
    with pytest.raises(InvalidInputError, match=r"Vector\[0\] has no such size"):
        Vector[0]


def test_vectors_of_a_transaction_that_lost_a_race_stay_with_their_rows(registry: Registry, other: Registry) -> None:
    case = define_workflow("Templates", Face, Truth, Embedded)[1]
    with registry.transaction():
        case("mine", test_samples=[(Face("m", vector(5, 6)), Truth("x", vector(7, 8)))])
        with localreg.use(other):
            case("theirs", test_samples=[(Face("t", vector(1, 1)), Truth("x"))])
    face: Any
    truth: Any
    ((face, truth),) = case("mine").load_test_samples()
    assert (face.template.tolist(), truth.center.tolist()) == ([5, 6], [7, 8])
    rows = registry.sql('SELECT locator, template FROM "Templates".test_samples ORDER BY sample_idx').dicts()
    assert rows == [{"locator": "t", "template": [1, 1]}, {"locator": "m", "template": [5, 6]}]
    assert registry.verify().ok


def test_what_goes_with_its_owner_comes_back_with_it(registry: Registry) -> None:
    run = test(Net("m", infer), suite(4))
    run.delete()
    assert registry.sql("SELECT * FROM inferences").dicts() == []
    registry.undo(registry.sql("SELECT max(commit) AS n FROM audit_events").dicts()[0]["n"])
    assert embeddings(registry)[3] == [3, 6, 9, 12]
    assert inferred(Net("m"), Case("c"))[3].embedding.tolist() == [3, 6, 9, 12]
    assert len(files(registry, "vectors")) == 1


def test_a_killed_runs_vectors_are_taken_over(registry: Registry) -> None:
    made = suite(4)

    def dies(photo: Photo) -> Embedded | None:
        if photo.locator == "3":
            raise RuntimeError("broken")
        return infer(photo)

    with pytest.raises(RuntimeError, match="broken"):
        test(Net("m", dies), made)
    test(Net("m", infer), made)
    assert embeddings(registry) == [[0, 0, 0, 0], None, None, [3, 6, 9, 12]]


def test_pydantic_dataclasses_may_have_vectors(registry: Registry) -> None:
    @pydantic.dataclasses.dataclass(frozen=True)
    class Checked(Inference):
        label: str
        embedding: Vector[4]

    net = define_workflow("Faces", Photo, Truth, Checked)[3]
    test(net("m", lambda photo: Checked(photo.locator, X)), suite(1))
    assert inferred(net("m"), Case("c"))[0].embedding.tolist() == [1, 2, 3, 4]


def test_a_pointer_to_vectors_names_the_part_that_they_stand_beside() -> None:
    memory = MemoryStore.named("vectors")
    column = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    vectors = pa.StructArray.from_arrays([column], names=["v"])
    rows = pa.table({"inference": pa.array([True, None]), "vectors": vectors})
    part, beside = write_rows(memory, "inferences", "owner", rows, {"first": 3})
    assert (beside.table, beside.owner, beside.rows) == ("vectors", "owner", 2)
    assert beside.path.startswith("data/vectors/owner/")
    assert beside.details == {"first": 3, "empty": True, "beside": part.path}
    assert read_part(memory, part).column_names == ["inference"]
    assert read_part(memory, beside)["v"].to_pylist() == [[1, 2], None]


def test_digests_stand_for_what_vectors_hold_and_for_their_names() -> None:
    def digests(**columns: Any) -> list[bytes | None]:
        made = [pa.array(column, pa.list_(pa.float32(), 2)) for column in columns.values()]
        struct = pa.StructArray.from_arrays(made, names=list(columns))
        whole: list[bytes | None] = vector_digests(pa.chunked_array([struct])).to_pylist()
        parts: list[bytes | None] = vector_digests(pa.chunked_array([struct[:1], struct[1:]])).to_pylist()
        assert whole == parts
        return whole

    one = digests(a=[[1, 2], None, [0.0, np.nan], [-0.0, -np.nan]])
    assert one[1] is None
    assert one[2] == one[3] != one[0]
    assert digests(a=[[1, 2], None], b=[None, [1, 2]])[0] == one[0]
    assert digests(a=[[1, 2], None], b=[None, [1, 2]])[1] != one[0]
    assert digests(b=[None, [1, 2]], a=[[3, 4], [5, 6]]) == digests(a=[[3, 4], [5, 6]], b=[None, [1, 2]])
