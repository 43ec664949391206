"""What tables bring is what objects bring: the same samples, ground truths and inferences, of whatever types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import localreg
from localreg import InvalidInputError, Registry
from localreg.tables import struct_column, vector_fields
from localreg.workflow import GroundTruth, Inference, TestRun, TestSample, define_workflow
from localreg.workflow.typed import EXTRA, TypedColumn
from tests.generated_types import Kind, classes
from tests.property.test_fitting import widely

numbers = count()
CUTS = st.lists(st.integers(0, 4), max_size=3)


def typed(base: type, least: int) -> st.SearchStrategy[Kind]:
    return classes(base=base, least=least)


@contextmanager
def empty() -> Iterator[Registry]:
    registry = localreg.open(f"memory://bulk-{next(numbers)}")
    with localreg.use(registry):
        yield registry


def given_as(column: TypedColumn, values: Sequence[Any], *, widened: bool) -> dict[str, pa.Array]:
    """Values as columns that a user might have: a column of whole structs, and one of what they say beyond."""
    struct = struct_column(list(values), column.codec, what="value")
    said = column.table(values, str)
    columns = {column.name: struct.cast(widely(struct.type)) if widened else struct}
    if EXTRA in said.column_names:
        columns[f"{column.name}.{EXTRA}"] = said[EXTRA].combine_chunks()
    return {name: each for name, each in columns.items() if not pa.types.is_boolean(each.type)}


def in_pieces(table: pa.Table, cuts: Sequence[int]) -> pa.Table:
    """The same rows with other borders of chunks, and offsets."""
    ends = [*sorted(min(cut, table.num_rows) for cut in cuts), table.num_rows]
    return pa.concat_tables([table.slice(begin, end - begin) for begin, end in zip([0, *ends], ends, strict=False)])


def stored(registry: Registry, table: str) -> list[str]:
    """The rows of each part as they stand there, bit by bit, without what differs from run to run."""
    store = registry._session.store
    parts = [pq.read_table(store.local_file(path)) for path in store.list(f"data/{table}")]
    return sorted(repr(part.to_pylist()) for part in parts)


@given(typed(TestSample, 1), typed(GroundTruth, 0), typed(Inference, 1), st.data(), CUTS, st.booleans())
@settings(max_examples=60, phases=[Phase.explicit, Phase.generate], deadline=None, suppress_health_check=[*HealthCheck])
def test_tables_bring_what_objects_bring(
    sample: Kind, truth: Kind, inference: Kind, data: st.DataObject, cuts: list[int], widened: bool
) -> None:
    workflow, Case, Suite, Model = define_workflow(f"W{next(numbers)}", sample.hint, truth.hint, inference.hint)
    triples = data.draw(st.lists(st.tuples(sample.values, truth.values, inference.values), max_size=4))
    samples, truths, inferences = ([triple[place] for triple in triples] for place in range(3))
    pairs = list(zip(samples, truths, strict=True))

    with empty() as registry:
        types = workflow.types(registry._session.state())
        said = given_as(types.test_sample, samples, widened=widened)
        rows = in_pieces(pa.table({**said, **given_as(types.ground_truth, truths, widened=widened)}), cuts)
        try:
            Case("objects", test_samples=pairs)
        except InvalidInputError:  # a sample twice
            try:
                Suite("suite").add(rows)
            except InvalidInputError:
                return
            raise
        expected = {table: stored(registry, table) for table in ("test_samples", "ground_truths", "vectors")}
        report = Suite("suite").add(rows)
        assert (report.rows, report.stored) == (len(triples), len(triples))
        assert stored(registry, "test_samples") == expected["test_samples"]
        assert stored(registry, "ground_truths") == sorted([*expected["ground_truths"] * 2])

    with empty() as registry:
        suite = Suite("suite")
        suite.add(rows)
        assert {table: stored(registry, table) for table in expected} == expected
        if vector_fields(types.test_sample.node) or not triples:
            return  # by vectors nothing can be looked up
        model = Model("model")
        made = pa.table({**said, **given_as(types.inference, inferences, widened=widened)})
        order = data.draw(st.permutations(range(len(triples))))
        assert model.record(in_pieces(made.take(pa.array(order, pa.int64())), cuts), suite=suite).stored == len(triples)
        recorded = stored(registry, "inferences")
        commit = registry.commit
        assert model.record(made, suite=suite).unchanged == len(triples)
        assert registry.commit == commit
        TestRun(Model("objects"), suite).upload_inferences(list(zip(samples, inferences, strict=True)))
        assert stored(registry, "inferences") == sorted([*recorded * 2])
