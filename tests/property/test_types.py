"""Whatever types users define, what they store comes back as it went."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import localreg
from localreg.tables import Node, StructCodec, arrow_type, conform, merged, objects_of, schema_of, struct_column
from localreg.tables.extras import extras_of, put_extras
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test
from tests.generated_types import Kind, classes, hints, same, widened

# Examples of types are not made smaller when one fails: that takes minutes, and what is printed tells enough.
QUICKLY = [Phase.explicit, Phase.generate]
any_class = st.booleans().flatmap(lambda numpy: classes(numpy=numpy))


def _bare(kind: Kind) -> StructCodec:
    return StructCodec(schema_of(kind.hint), kind.hint)


def through_parquet(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"v": column}), sink, row_group_size=2)
    return pq.read_table(pa.BufferReader(sink.getvalue()))["v"]


def extras(values: Sequence[object], node: Node) -> list[Any]:
    return [extras_of(value, node) for value in values]


def read(column: pa.ChunkedArray, codec: StructCodec, said: Sequence[Any]) -> list[Any]:
    made = objects_of(column, codec)
    for value, extra in zip(made, said, strict=True):
        if extra is not None:
            put_extras(value, extra)
    return made


@given(any_class, st.data())
@settings(max_examples=125, phases=QUICKLY)
def test_objects_of_any_type_come_back_as_they_went(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | kind.values, max_size=4))
    codec = _bare(kind)
    assert Node.from_json(codec.node.to_json()) == codec.node
    column = struct_column(values, codec, what="value")
    assert column.type == arrow_type(codec.node)
    column.validate(full=True)
    said = extras(values, codec.node)
    stored = through_parquet(column)
    assert same(read(stored, codec, said), values)
    begin = data.draw(st.integers(0, len(values)))
    cut = pa.chunked_array([column.slice(begin), column.slice(0, begin)], column.type)
    assert same(read(cut, codec, said[begin:] + said[:begin]), values[begin:] + values[:begin])


@given(any_class, hints(), st.data())
@settings(max_examples=100, phases=QUICKLY)
def test_old_columns_are_read_through_wider_classes_and_new_ones_through_narrower(
    kind: Kind, added: Kind, data: st.DataObject
) -> None:
    wider = widened(kind, added)
    narrow, wide = schema_of(kind.hint), schema_of(wider.hint)
    both = merged(narrow, wide, "value")
    assert both == merged(both, narrow, "value") == merged(both, wide, "value"), "merging again adds nothing"
    assert both == wide
    values = data.draw(st.lists(st.none() | kind.values, max_size=4))
    column = through_parquet(struct_column(values, StructCodec(narrow, kind.hint), what="value"))
    old = pa.chunked_array([conform(chunk, arrow_type(both)) for chunk in column.chunks], arrow_type(both))
    old.validate(full=True)
    codec = StructCodec(both, wider.hint)
    for stored in (old, column):  # brought to the schema, or as it was written
        assert same(_fields(objects_of(stored, codec)), _fields(values, new=None))
    # And what the wider class writes, through the narrower one.
    news = [wider.hint(**_own(value), new=data.draw(wider.values)) for value in values if value is not None]
    written = through_parquet(struct_column(news, codec, what="value"))
    both_parts = pa.concat_tables([pa.table({"v": old}), pa.table({"v": written})])["v"]
    again = objects_of(both_parts, codec)
    assert same(_fields(again), _fields(values, new=None) + _fields(news))
    narrowed = objects_of(both_parts, StructCodec(both, kind.hint))
    assert same(_fields(narrowed, only=narrow), _fields([*values, *news], only=narrow))


def _own(value: object) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(type(value))}  # type: ignore[arg-type]


def _fields(values: Sequence[object], *, only: Node | None = None, **more: object) -> list[Any]:
    """The fields of objects, without extras at any depth, which stand beside the column."""
    found: list[Any] = []
    for value in values:
        own = None if value is None else {**_own(value), **more}
        names = sorted(own or () if only is None else (field.name for field in only.fields))
        found.append(None if own is None else {name: _plain(own[name]) for name in names})
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, {name: _plain(item) for name, item in _own(value).items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


# --- through a registry -----------------------------------------------------------------------------------------------

samples_of_any_type = classes(base=TestSample, made_by=dataclasses.dataclass, least=1)
truths_of_any_type = classes(base=GroundTruth, made_by=dataclasses.dataclass)
inferences_of_any_type = classes(base=Inference, made_by=dataclasses.dataclass)


@dataclasses.dataclass(frozen=True)
class Numbered(TestSample):
    """Tells samples apart whatever the other fields say."""

    number: int


def _numbered(kind: Kind) -> Kind:
    """A class of samples with a number, which no other has."""
    made = type(kind.hint.__name__, (kind.hint, Numbered), {"__annotations__": {}, "__module__": __name__})
    cls: type = dataclasses.dataclass(frozen=True, kw_only=True)(made)
    return Kind(cls, kind.values)


@given(samples_of_any_type, truths_of_any_type, inferences_of_any_type, hints(), st.data())
@settings(max_examples=25, phases=QUICKLY)
def test_whatever_a_workflow_is_made_of_comes_back_from_the_registry(
    sample: Kind, truth: Kind, inference: Kind, added: Kind, data: st.DataObject
) -> None:
    def drawn(kind: Kind, count: int) -> list[Any]:
        return [data.draw(kind.values) for _ in range(count)]

    numbered = _numbered(sample)
    of = [{**_own(each), "number": number} for number, each in enumerate(drawn(sample, 3))]
    samples = [numbered.hint(**fields) for fields in of]
    pairs = list(zip(samples, drawn(truth, 3), strict=True))
    answers = dict(enumerate([*drawn(inference, 2), None]))
    with a_registry() as registry, localreg.use(registry):
        _, Case, Suite, Net = define_workflow("w", numbered.hint, truth.hint, inference.hint)
        case = Case("c", test_samples=pairs)
        assert same(case.load_test_samples(), pairs)
        assert list(Case("again", test_samples=pairs).sample_indices()) == [0, 1, 2], "they are known again"
        test(Net("m", lambda each: answers[each.number]), Suite("s", test_cases=[case]))
        loaded = Net("m").load_inferences(case)
        assert same([one for _, _, one in loaded], list(answers.values()))
        # A wider class: known samples are the same with None in the new field.
        wider = widened(numbered, added)
        wide_case = define_workflow("w", wider.hint, truth.hint, inference.hint)[1]
        old = [(wider.hint(**fields), truth_) for fields, (_, truth_) in zip(of, pairs, strict=True)]
        assert list(wide_case("wide", test_samples=old).sample_indices()) == [0, 1, 2]
        news = [
            (wider.hint(**{**fields, "number": 9}, new=data.draw(wider.values)), truth_)
            for fields, (_, truth_) in zip(of[:1], pairs, strict=False)
        ]
        wide_case("new", test_samples=news)
        assert same(wide_case("new").load_test_samples(), news)
        assert same(wide_case("c").load_test_samples(), old)
        assert same(Case("c").load_test_samples(), pairs)
        for schema in ("", "w."):
            for table, count in {"test_samples": 4, "ground_truths": 10, "inferences": 3}.items():
                assert len(registry.sql(f"SELECT * FROM {schema}{table}")) == count
        assert registry.verify().ok


def a_registry() -> localreg.Registry:
    return localreg.open(f"memory://{uuid.uuid4().hex}")
