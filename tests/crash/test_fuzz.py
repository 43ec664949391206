"""Spoilt files, and records that say nonsense in a log that is chained as it should be: right, refused, or told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import localreg
from localreg import FormatError, LocalregError, Registry
from localreg.log.caches import DamagedLayerError
from localreg.log.entry import Change
from localreg.log.layer import Layer, footer_digest
from localreg.log.row import Row
from localreg.log.snapshot import LayeredBase
from tests.crash.fuzz import Fuzzer
from tests.crash.hostile import namespace_of
from tests.crash.test_hostile_files import publish, template

__all__ = ["template"]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("first", [0, 10, *(pytest.param(first, marks=pytest.mark.slow) for first in (20, 30))])
def test_what_is_said_of_spoilt_files_is_right_or_refused_or_told(fuzzer: Fuzzer, first: int) -> None:
    """`python -m tests.crash.fuzz` plays more seeds, and any one of them again."""
    for seed in range(first, first + 10):
        assert fuzzer.wrong(seed) is None, f"python -m tests.crash.fuzz --seed {seed}"


# --- records ----------------------------------------------------------------------------------------------------------

SPOILT: list[tuple[str, dict[str, Any], Callable[[Registry], object]]] = [
    ("test_suite_version", {"test_cases": 5}, lambda registry: registry.sql("FROM plots").dicts()),
    ("test_suite_version", {"test_cases": [5]}, lambda registry: registry.sql("FROM plots").dicts()),
    ("file", {"path": "../../../../etc/passwd"}, lambda registry: registry.sql("FROM inferences").dicts()),
    ("file", {"path": None}, lambda registry: registry.sql("FROM inferences").dicts()),
    ("file", {"details": 5}, lambda registry: registry.sql("FROM inferences").dicts()),
    ("workflow", {"test_sample": 5}, lambda registry: registry.sql("FROM test_samples").dicts()),
]


def rows_of(folder: Path, kind: str) -> list[Row]:
    rows = list(localreg.open(folder, read_only=True)._session.state().rows(kind))
    return [row for row in rows if kind != "file" or row.fields["table"] == "inferences"]


@pytest.mark.parametrize(("kind", "fields", "look"), SPOILT, ids=[f"{kind} {fields}" for kind, fields, _ in SPOILT])
@pytest.mark.parametrize("cached", [False, True])
def test_a_record_of_the_wrong_form_is_named(
    template: Path, tmp_path: Path, kind: str, fields: dict[str, Any], look: Callable[[Registry], object], cached: bool
) -> None:
    """Named for a bug: a suite version whose test cases are a number was a TypeError of every query of plots.

    And a record of kind `file` that no pointer made could name any file of the machine.
    """
    folder = Path(shutil.copytree(template, tmp_path / "registry"))
    rows = rows_of(folder, kind)
    for row in rows:
        assert row.record is not None
        publish(folder, Change(kind, "update", row.id, row.name, row.parent, after={**row.record, **fields}))
    if cached:
        localreg.open(folder, actor="ana").snapshot()
    with localreg.open(folder, actor="ana") as registry:
        assert registry.get_model("worse")
        with pytest.raises(FormatError, match="in a form that this release cannot read") as caught:
            look(registry)
        assert any(f"{kind.replace('_', ' ')} {row.name!r} was recorded in commit" in str(caught.value) for row in rows)


def test_a_version_that_is_called_by_no_number_is_named(template: Path, tmp_path: Path) -> None:
    """Named for a bug: it was a ValueError of every query of plots."""
    folder = Path(shutil.copytree(template, tmp_path / "registry"))
    for row in rows_of(folder, "test_suite_version"):
        publish(folder, Change(row.kind, "update", row.id, f"x{row.name}", row.parent, after=row.record))
    with (
        localreg.open(folder, actor="ana") as registry,
        pytest.raises(LocalregError, match=r"test suite version 'x\d'"),
    ):
        registry.sql("FROM plots").dicts()


def test_what_was_recorded_wrongly_can_be_taken_back(template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "registry"))
    (row, *_) = rows_of(folder, "test_suite_version")
    assert row.record is not None
    after = {**row.record, "test_cases": 5}
    publish(folder, Change(row.kind, "update", row.id, row.name, row.parent, before=row.record, after=after))
    with localreg.open(folder, actor="ana") as registry:
        registry.undo(registry.commit)
        assert registry.sql("FROM plots").dicts()


# --- caches that unpack to more than there is -------------------------------------------------------------------------


def forge(path: Path, change: Callable[[pa.Table], pa.Table], **options: Any) -> Path:
    """A snapshot of one layer, changed, whose digests fit; where it is then."""
    data = path.read_bytes()
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        meta = json.loads(file.metadata.metadata[b"localreg"])
        groups = [change(file.read_row_group(number)) for number in range(file.num_row_groups)]
    index = data[meta["index"] : meta["index"] + 24 * sum(group[2] for group in meta["groups"])]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, groups[0].schema, compression="zstd", store_schema=False, **options) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=group.num_rows)
        writer.add_key_value_metadata({"localreg": json.dumps(meta | {"index": 10**12, "rows_sha256": "0" * 64})})
    made = sink.getvalue().to_pybytes()
    footer = int.from_bytes(made[-8:-4], "little") + 8
    rows, end = made[:-footer], made[-footer:]
    said = meta | {"index": len(rows), "rows_sha256": sha256(rows).hexdigest()}
    before = json.dumps(meta | {"index": 10**12, "rows_sha256": "0" * 64}).encode()
    after = json.dumps(said).encode().ljust(len(before))
    end = end.replace(before, after)
    path.unlink()
    forged = path.with_name(f"{path.name[:20]}-{footer_digest(end)}.parquet")
    forged.write_bytes(rows + index + end)
    (path.parent / "latest.json").write_text(json.dumps({"path": f"snapshots/{forged.name}"}))
    return forged


def swollen(table: pa.Table) -> pa.Table:
    """Each record's metadata is 50 MB."""
    places = pa.array([0] * table.num_rows, pa.int32())
    text = pa.DictionaryArray.from_arrays(places, pa.array([f'"{"a" * 50_000_000}"']))
    return table.set_column(table.column_names.index("metadata"), "metadata", text)


@pytest.fixture
def snapshot(template: Path, tmp_path: Path) -> Path:
    """Of one layer, whose content is what it was, forged: to see that what is passed over is so for what it holds."""
    folder = Path(shutil.copytree(template, tmp_path / "registry"))
    localreg.open(folder, actor="ana").snapshot()
    (path,) = {each.path for each in _layers(folder)}
    return namespace_of(folder) / path


def _layers(folder: Path) -> tuple[Layer, ...]:
    shutil.rmtree(namespace_of(folder) / "snapshots")
    localreg.open(folder, actor="ana").snapshot()
    base = localreg.open(folder, read_only=True)._session.state().base
    assert isinstance(base, LayeredBase)
    return base.layers


def origin_of(snapshot: Path) -> str:
    metadata = pq.read_metadata(snapshot).metadata
    return str(json.loads(metadata[b"localreg"])["origin"])


def test_a_forged_snapshot_whose_digests_fit_is_read(snapshot: Path) -> None:
    """Else the other tests would show nothing."""
    origin = origin_of(snapshot)
    forged = forge(snapshot, lambda table: table)
    layer = Layer("snapshots/" + forged.name, forged, origin=origin)
    assert list(layer.all())
    layer.check_content()


def test_a_snapshot_that_unpacks_to_gigabytes_is_damaged(snapshot: Path) -> None:
    """Named for a bug: its digests fit, and to read it took 3 GB."""
    origin = origin_of(snapshot)
    forged = forge(snapshot, swollen, dictionary_pagesize_limit=1 << 28, use_dictionary=["metadata"])
    assert forged.stat().st_size < 1_000_000
    layer = Layer("snapshots/" + forged.name, forged, origin=origin)
    before = pa.total_allocated_bytes()
    with pytest.raises(DamagedLayerError, match="unpacks to more than"):
        list(layer.all())
    assert pa.total_allocated_bytes() - before < 1 << 30


def test_a_snapshot_with_a_million_columns_is_damaged_before_it_is_parsed(snapshot: Path) -> None:
    origin = origin_of(snapshot)

    def wide(table: pa.Table) -> pa.Table:
        more = pa.table({f"c{number}": pa.nulls(table.num_rows, pa.int8()) for number in range(2_000)})
        return pa.Table.from_arrays([*table.columns, *more.columns], [*table.column_names, *more.column_names])

    forged = forge(snapshot, wide)
    with pytest.raises(DamagedLayerError, match=r"columns, which no such file has|larger than that of any"):
        Layer("snapshots/" + forged.name, forged, origin=origin)


def test_a_layer_whose_groups_are_not_those_it_tells_of_is_damaged(snapshot: Path) -> None:
    origin = origin_of(snapshot)
    forged = forge(snapshot, lambda table: pa.concat_tables([table, table]))
    with pytest.raises(DamagedLayerError, match="not those that it tells of"):
        Layer("snapshots/" + forged.name, forged, origin=origin)
