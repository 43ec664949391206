from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import localreg
from localreg import IntegrityError, InvalidInputError, Registry, Result, StorageError
from localreg.query.bulk_tables import BULK
from localreg.query.tables import INTERNAL, TABLES
from localreg.workflow import (
    GroundTruth,
    Inference,
    Metadata,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    test,
)


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    metadata: Metadata | None = None


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredClassificationLabel


@dataclass(frozen=True)
class Clashing(Inference):
    """Fields called as columns of ours are."""

    status: str
    inference_status: str
    Sample_Idx: int
    model: str | None
    boxes: list[ScoredClassificationLabel]


def fill(workflow: str, *, prefix: str = "") -> None:
    """Two samples, one case, one suite, one model that skips the second sample."""
    _, case_class, suite_class, model_class = define_workflow(workflow, Photo, Animal, Guess)
    pairs = [(Photo("1.png", {"iso": 100}), Animal("cat")), (Photo("2.png"), Animal("dog"))]
    suite = suite_class(f"{prefix}suite", test_cases=[case_class(f"{prefix}case", test_samples=pairs)])
    said = Guess(ScoredClassificationLabel("cat", 0.5))
    test(model_class(f"{prefix}model", lambda photo: said if photo.locator == "1.png" else None), suite)


def rows(result: Result) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in result]


# --- the documented tables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filled", [False, True])
def test_tables_have_the_documented_columns_and_types(registry: Registry, filled: bool) -> None:
    if filled:
        fill("w")
        registry.get_model("model").set_alias("production", "1")
    for name, table in TABLES.items():
        described = {row["column_name"]: row["column_type"] for row in registry.sql(f"DESCRIBE {name}")}
        assert described == table.columns, name
        assert registry.sql(f"FROM {name}").columns == list(table.columns)
    for name, bulk in BULK.items():
        described = {row["column_name"]: row["column_type"] for row in registry.sql(f"DESCRIBE {name}")}
        columns = {column: kind for column, (kind, _) in bulk.columns.items()}
        beside = {column: kind.replace("(type ", '("type" ') for column, (kind, _) in bulk.beside.items()}
        typed = {} if bulk.typed is None else {bulk.typed: "JSON"}
        assert described == {**columns, **typed, **beside}, name


def test_each_table_tells_what_there_is(registry: Registry) -> None:
    fill("w")
    model = registry.get_model("model").update(metadata={"a": 1}, tags=["t"], owner="o", description="d", task="k")
    model.set_alias("production", "1").set_alias("best", "1")
    row = registry.sql("FROM models")[0]
    assert row | {"created_at": 0, "updated_at": 0} == {
        "id": model.id,
        "namespace": "default",
        "name": "model",
        "description": "d",
        "owner": "o",
        "task": "k",
        "tags": ["t"],
        "metadata": {"a": 1},
        "workflow": "w",
        "latest_version": "1",
        "aliases": ["best", "production"],
        "archived": False,
        "created_at": 0,
        "created_by": "ana",
        "updated_at": 0,
    }
    assert (row["created_at"], row["updated_at"]) == (model.created_at, model.updated_at)
    assert rows(registry.sql("SELECT model, version, aliases, metadata FROM model_versions")) == [
        ("model", "1", ["best", "production"], {"a": 1})
    ]
    assert rows(registry.sql("SELECT name, workflow, version, samples FROM test_cases")) == [("case", "w", 1, 2)]
    assert rows(registry.sql("SELECT name, version, test_cases FROM test_suites")) == [("suite", 1, ["case"])]
    assert rows(registry.sql("SELECT model, version, test_suite, test_suite_version, evaluator FROM test_runs")) == [
        ("model", "1", "suite", 1, None)
    ]
    assert registry.sql("FROM workflows")[0]["test_sample"] == {
        "type": "struct",
        "class": "Photo",
        "fields": [{"name": "locator", "type": "str"}],
    }
    assert rows(registry.sql("SELECT sample_idx, metadata, sample FROM test_samples")) == [
        (0, {"iso": 100}, {"locator": "1.png"}),
        (1, None, {"locator": "2.png"}),
    ]
    assert rows(registry.sql("SELECT test_case, version, sample_idx, ground_truth FROM ground_truths")) == [
        ("case", 1, 0, {"label": "cat"}),
        ("case", 1, 1, {"label": "dog"}),
    ]
    assert rows(registry.sql("SELECT model, model_version, sample_idx, status, inference FROM inferences")) == [
        ("model", "1", 0, "ok", {"animal": {"label": "cat", "score": 0.5}}),
        ("model", "1", 1, "skipped", None),
    ]
    events = registry.sql("SELECT commit, event, kind, action, before IS NULL AS new FROM audit_events")
    assert rows(events)[:3] == [
        (1, 1, "registry", "create", True),
        (1, 2, "namespace", "create", True),
        (1, 3, "workflow", "create", True),
    ]


def test_an_empty_suite_among_no_cases_is_a_row(registry: Registry) -> None:
    _, _, suite_class, _ = define_workflow("w", Photo, Animal, Guess)
    suite_class("empty")
    assert rows(registry.sql("SELECT name, version, test_cases FROM test_suites")) == [("empty", 0, [])]


# --- where, order_by, limit -------------------------------------------------------------------------------------------


def test_where_order_by_and_limit_reach_into_nested_metadata_and_tags(registry: Registry) -> None:
    for name, lr, tags in (("a", 0.1, ["x"]), ("b", "auto", ["x", "y"]), ("c", 0.001, []), ("d", None, ["y"])):
        registry.create_model(name, metadata={"optim": {"lr": lr, "o'k": 1}}, tags=tags)

    def names(*arguments: Any, **options: Any) -> list[str]:
        return [row["name"] for row in registry.models(*arguments, **options)]

    assert names() == ["a", "b", "c", "d"]
    assert names("metadata.optim.lr < 0.05") == ["c"]
    assert names("metadata.optim.lr = 'auto'") == ["b"]
    assert names("metadata.optim.lr IS NULL") == ["d"]
    assert names("'x' IN tags AND NOT 'y' IN tags") == ["a"]
    assert names(order_by="name DESC", limit=2) == ["d", "c"]
    assert names(order_by=["len(tags) DESC", "name"]) == ["b", "a", "d", "c"]
    assert names("name IN ('a', 'c')", order_by="metadata.optim.lr") == ["c", "a"]
    assert names(limit=0) == []
    for limit in (-1, 1.5, "1"):
        with pytest.raises(InvalidInputError, match="limit is"):
            names(limit=limit)


def test_an_expression_that_fails_is_told_in_the_users_words(registry: Registry) -> None:
    registry.create_model("a")
    with pytest.raises(InvalidInputError, match=r"no column 'nme'.*did you mean 'name'"):
        registry.models("nme = 'a'")
    with pytest.raises(InvalidInputError, match="cannot use where \"created_at > 'soon'\"") as told:
        len(registry.models("created_at > 'soon'"))
    assert "_models" not in str(told.value)
    assert "SELECT" not in str(told.value)


# --- fresh and past ---------------------------------------------------------------------------------------------------


def test_the_first_query_after_a_commit_sees_it(registry: Registry, other: Registry) -> None:
    assert len(registry.models()) == 0
    for count in range(1, 4):
        registry.create_model(f"m{count}")
        assert len(registry.models()) == count
        assert registry.sql("SELECT count(*) AS n FROM models")[0]["n"] == count
    other.create_model("theirs")
    assert len(registry.models()) == 4


def test_a_result_shows_the_commit_at_which_it_was_made(registry: Registry) -> None:
    registry.create_model("a")
    looked_at, lazy = registry.models(), registry.models()
    assert len(looked_at) == 1
    registry.create_model("b")
    assert (len(looked_at), len(lazy), len(registry.models())) == (1, 1, 2)


def test_queries_in_a_transaction_see_its_own_writes(registry: Registry, other: Registry) -> None:
    with registry.transaction():
        registry.create_model("inside", tags=["t"])
        assert [row["name"] for row in registry.models("'t' IN tags")] == ["inside"]
        fill("w")
        assert registry.sql("SELECT count(*) AS n FROM inferences")[0]["n"] == 2
        early = registry.models()
        registry.create_model("later")
        assert [row["name"] for row in early] == ["inside", "model"]
        assert len(other.models()) == 0
    assert len(other.models()) == 3


def replayed(registry: Registry, into: Path) -> Registry:
    """A copy without its caches: its state comes from the log alone."""
    shutil.copytree(registry.uri, into)
    shutil.rmtree(into / "namespaces" / "default" / "snapshots")
    return localreg.open(into, read_only=True)


def test_snapshot_and_tail_together_answer_as_a_fresh_replay(registry: Registry, tmp_path: Path) -> None:
    fill("w")
    for number in range(70):
        registry.create_model(f"m{number}", metadata={"n": number})
    registry.get_model("m1").update(metadata={"n": "overridden"})
    registry.get_model("m2").rename("m1000")
    registry.get_model("m3").delete()
    registry.create_model("m3", metadata={"n": "again"})
    registry.create_model("m71").create_version("1")
    fill("v", prefix="v ")
    snapshots = list(Path(registry.uri).glob("namespaces/default/snapshots/*.parquet"))
    assert snapshots
    fresh = replayed(registry, tmp_path / "replayed")
    expected = {name: fresh.sql(f"FROM {name}").dicts() for name in (*TABLES, *BULK)}
    for handle in (registry, localreg.open(registry.uri)):
        for name, rows in expected.items():
            assert handle.sql(f"FROM {name}").dicts() == rows, name
    assert [row["name"] for row in registry.models("metadata.n = 'overridden' OR name = 'm1000'")] == ["m1", "m1000"]


def test_an_old_handle_and_result_outlive_their_snapshot_file(registry: Registry) -> None:
    for number in range(70):
        registry.create_model(f"m{number}")
    lazy = registry.models()
    old = registry.at(commit=70)
    assert len(old.models()) == 70
    (file,) = Path(registry.uri, "namespaces/default/snapshots").glob("*.parquet")
    for number in range(140):
        registry.create_model(f"n{number}")
    assert not file.exists()
    assert (len(lazy), len(old.models()), len(old.models("name LIKE 'm%'"))) == (70, 70, 70)


def test_a_damaged_bulk_file_is_no_fault_of_an_expression(registry: Registry) -> None:
    fill("w")
    (part,) = Path(registry.uri, "namespaces/default/data/inferences").rglob("*.parquet")
    data = part.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    part.write_bytes(b"\xff" * (len(data) - footer) + data[-footer:])
    with pytest.raises(StorageError, match="verify"):
        registry.facets("inferences", by="status", where="sample_idx >= 0").dicts()
    with pytest.raises(StorageError, match="verify"):
        registry.sql("SELECT max(status) FROM inferences").dicts()


# --- schemas of workflows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Animals", "a.b", "q\"u'o te", "日本", "select", "models", "a;b", "x" * 512])
def test_a_workflow_of_any_name_has_a_schema_with_typed_columns(registry: Registry, name: str) -> None:
    fill(name)
    quoted = '"' + name.replace('"', '""') + '"'
    assert rows(registry.sql(f"SELECT locator FROM {quoted}.test_samples")) == [("1.png",), ("2.png",)]
    assert rows(registry.sql(f"SELECT label FROM {quoted}.ground_truths")) == [("cat",), ("dog",)]
    typed = registry.sql(f"SELECT sample_idx, status, animal.score AS score FROM {quoted}.inferences")
    assert rows(typed) == [(0, "ok", 0.5), (1, "skipped", None)]
    assert registry.sql("SELECT DISTINCT workflow FROM inferences").dicts() == [{"workflow": name}]
    assert rows(registry.sql(f"SELECT status, count(*) FROM {quoted}.inferences GROUP BY ALL ORDER BY ALL")) == [
        ("ok", 1),
        ("skipped", 1),
    ]


@pytest.mark.parametrize("name", ["main", "MAIN", "pg_catalog", "information_schema", "temp", "system", "memory"])
def test_a_workflow_called_as_a_schema_of_duckdb_spoils_no_query(registry: Registry, name: str) -> None:
    fill(name)
    assert len(registry.sql("FROM test_samples")) == 2
    assert len(registry.sql("FROM inferences JOIN models ON models.name = inferences.model")) == 2
    assert rows(registry.sql(f'SELECT locator FROM "{name} (2)".test_samples')) == [("1.png",), ("2.png",)]


def test_workflows_whose_names_differ_only_by_case_both_have_a_schema(registry: Registry) -> None:
    fill("Animals")
    fill("animals", prefix="2 ")
    fill("ANIMALS", prefix="3 ")
    assert registry.sql("SELECT workflow, count(*) AS n FROM test_samples GROUP BY ALL ORDER BY ALL").dicts() == [
        {"workflow": "ANIMALS", "n": 2},
        {"workflow": "Animals", "n": 2},
        {"workflow": "animals", "n": 2},
    ]
    for schema, workflow in (("Animals", "Animals"), ("animals (2)", "animals"), ("ANIMALS (3)", "ANIMALS")):
        assert rows(registry.sql(f'SELECT DISTINCT workflow FROM "{schema}".inferences')) == [(workflow,)]


def test_two_workflows_of_different_types_stand_in_one_table(registry: Registry) -> None:
    fill("w")
    _, case_class, suite_class, model_class = define_workflow("clash", Photo, Animal, Clashing)
    suite = suite_class("s", test_cases=[case_class("c", test_samples=[(Photo("9"), Animal("x"))])])
    said = Clashing("mine", "also mine", 7, None, [ScoredClassificationLabel("a", 1.0)])
    test(model_class("m", lambda _: said), suite)
    assert sorted(rows(registry.sql("SELECT workflow, sample_idx, status FROM inferences"))) == [
        ("clash", 0, "ok"),
        ("w", 0, "ok"),
        ("w", 1, "skipped"),
    ]
    typed = registry.sql('FROM "clash".inferences')
    assert typed.columns == [
        *BULK["inferences"].columns,
        "inference_inference_status",
        "inference_status",
        "inference_Sample_Idx",
        "inference_model",
        "boxes",
        *BULK["inferences"].beside,
    ]
    row = typed[0]
    assert (row["status"], row["sample_idx"], row["model"]) == ("ok", 0, "m")
    assert (row["inference_inference_status"], row["inference_status"]) == ("mine", "also mine")
    assert (row["inference_Sample_Idx"], row["inference_model"]) == (7, None)
    assert registry.sql("SELECT boxes[1].label AS label FROM clash.inferences")[0]["label"] == "a"


def test_a_lost_bulk_file_is_an_integrity_error_that_names_it(registry: Registry) -> None:
    fill("w")
    (file,) = Path(registry.uri).glob("namespaces/default/data/inferences/*/*.parquet")
    file.unlink()
    assert len(registry.sql("FROM test_samples")) == 2
    with pytest.raises(IntegrityError, match=f"{file.name} is missing"):
        len(registry.sql("FROM inferences"))


def test_a_truncated_bulk_file_is_told_as_damage_and_not_as_a_fault_of_the_query(registry: Registry) -> None:
    fill("w")
    (file,) = Path(registry.uri).glob("namespaces/default/data/inferences/*/*.parquet")
    data = file.read_bytes()
    for damaged in (data[: len(data) // 2], b"PAR1"):
        file.write_bytes(damaged)
        reopened = localreg.open(registry.uri)
        for ask in ("FROM inferences", "SELECT count(*) FROM inferences WHERE status = 'ok'"):
            with pytest.raises(IntegrityError, match="restore it from a copy, and see `localreg verify`") as caught:
                len(reopened.sql(ask))
            assert caught.value.code == "file_altered"
            assert str(caught.value).count(file.name) == 1
        assert len(reopened.sql("FROM test_samples")) == 2


@pytest.mark.parametrize("folder", ["a[1]", "a*b", "it's", "ü 日", "50% {x}", "~x"])
def test_a_registry_may_lie_in_a_folder_of_any_name(tmp_path: Path, folder: str) -> None:
    registry = localreg.open(tmp_path / folder)
    with localreg.use(registry):
        fill("w")
        for number in range(66):
            registry.create_model(f"m{number}")
        fill("w")  # looks its samples up among the known ones
    assert len(registry.models()) == 67
    assert len(registry.sql("FROM w.inferences")) == 2


def test_a_registry_in_memory_answers_queries(tmp_path: Path) -> None:
    registry = localreg.open(f"memory://{tmp_path.name}")
    with localreg.use(registry):
        fill("w")
    assert rows(registry.sql("SELECT status FROM w.inferences")) == [("ok",), ("skipped",)]


# --- sql --------------------------------------------------------------------------------------------------------------


def test_sql_takes_parameters_and_json_arrows(registry: Registry) -> None:
    registry.create_model("a", metadata={"framework": "torch", "deep": {"x": [1, 2]}})
    registry.create_model("b", metadata={"framework": "jax"})
    arrows = registry.sql("SELECT metadata->>'framework' AS f, metadata->'deep'->'x'->>1 AS x FROM models")
    assert rows(arrows) == [("torch", "2"), ("jax", None)]
    assert [row["name"] for row in registry.sql("FROM models WHERE name = ?", ["b"])] == ["b"]
    hostile = "x' OR '1'='1"
    assert len(registry.sql("FROM models WHERE name = ?", [hostile])) == 0
    registry.create_model(hostile)
    assert len(registry.audit(name=hostile)) == 1


@pytest.mark.parametrize(
    "query",
    [
        "DROP VIEW models",
        "INSERT INTO models VALUES (1)",
        "COPY models TO 'stolen.csv'",
        "SELECT 1; SELECT 2",
        "ATTACH 'x.db'",
        "SET memory_limit = '1GB'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM read_parquet('{log}')",
        "",
    ],
)
def test_sql_can_only_read_and_only_the_registrys_tables(registry: Registry, query: str, tmp_path: Path) -> None:
    registry.create_model("a")
    before = sorted(tmp_path.rglob("*"))
    log = next(Path(registry.uri).rglob("*.parquet"))
    with pytest.raises(InvalidInputError):
        len(registry.sql(query.replace("{log}", str(log))))
    assert sorted(tmp_path.rglob("*")) == before
    assert len(registry.models()) == 1


def test_an_unknown_table_or_column_is_suggested(registry: Registry) -> None:
    with pytest.raises(InvalidInputError, match="no table 'modles'; did you mean 'models'"):
        len(registry.sql("FROM modles"))
    with pytest.raises(InvalidInputError, match=r"did you mean .*name"):
        len(registry.sql("SELECT nme FROM models"))


# --- audit and history ------------------------------------------------------------------------------------------------


def test_audit_narrows_by_kind_name_and_since(registry: Registry) -> None:
    model = registry.create_model("m")
    then = model.created_at
    model.update(owner="x")
    registry.create_model("n")
    assert [row["action"] for row in registry.audit(kind="model", name="m")] == ["create", "update"]
    assert [row["commit"] for row in registry.audit(since=1)] == [2, 3]
    assert len(registry.audit(since=then)) == len(registry.audit(since=then.isoformat())) == len(registry.audit())
    assert len(registry.audit(since="2999-01-01T00:00:00Z")) == 0
    update = registry.audit(kind="model", since=1)[0]
    assert (update["before"]["owner"], update["after"]["owner"]) == (None, "x")
    with pytest.raises(InvalidInputError, match="zone"):
        registry.audit(since="2026-01-01T00:00:00")


def test_audit_takes_what_listings_take(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"lr": 0.1})
    model.update(metadata={"lr": 0.2})
    with registry.transaction("tidying Zoë's things"):
        model.create_version("1")
        model.set_alias("production", "1")
    newest = ["commit DESC", "event DESC"]
    assert [row["commit"] for row in registry.audit("after.metadata.lr = 0.2")] == [2]
    assert [row["commit"] for row in registry.audit(since=1, until=2)] == [2]
    assert [row["action"] for row in registry.audit(search="zoe tidy -create")] == ["set_alias"]
    assert [(row["commit"], row["event"]) for row in registry.audit(order_by=newest, limit=3)] == [
        (3, 2),
        (3, 1),
        (2, 1),
    ]
    assert registry.audit("action = 'explode'", limit=3).dicts() == []
    assert registry.audit(limit=0).dicts() == []
    assert registry.audit(limit=1, order_by=newest).columns == registry.audit().columns
    last = registry.audit("commit = 2")[0]["time"]
    assert {row["commit"] for row in registry.audit(until=last)} == {1, 2}
    with pytest.raises(InvalidInputError, match="did you mean"):
        registry.audit("actr = 'ana'", limit=1).dicts()
    with pytest.raises(InvalidInputError, match="until"):
        registry.audit(until=-1)


def test_audit_tells_in_words(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"lr": 0.1})
    model.update(metadata={"lr": 0.2})
    model.create_version("1")
    registry.namespace("vision").create_model("v").update(owner="eve")
    told = [(row["subject"], row["changes"]) for row in registry.audit(since=1, in_words=True)]
    assert told == [("model 'm'", "metadata.lr 0.1 → 0.2"), ("version 'm@1'", None)]
    everywhere = registry.all().audit("action = 'update'", in_words=True)
    assert [row["changes"] for row in everywhere] == ["metadata.lr 0.1 → 0.2", "owner null → eve"]


def test_audit_tells_what_was_redacted(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"key": "s3cr3t"})
    model.update(unset=["key"])
    registry.redact(commit=1, event=3, reason="a key")
    assert [(row["commit"], row["event"]) for row in registry.audit("redacted")] == [(1, 3), (2, 1)]


# --- Result -----------------------------------------------------------------------------------------------------------


def test_a_result_is_a_sequence_of_dicts(registry: Registry) -> None:
    result = registry.sql("SELECT n, [n, n + 1] AS l, {'a': n} AS s FROM range(3) t(n)")
    assert result.columns == ["n", "l", "s"]
    assert (len(result), bool(result), bool(registry.sql("SELECT 1 WHERE false"))) == (3, True, False)
    assert result[0] == result[-3] == {"n": 0, "l": [0, 1], "s": {"a": 0}}
    assert list(result) == result.dicts() == [result[number] for number in range(3)]
    for number in (3, -4):
        with pytest.raises(IndexError):
            result[number]
    first, *_ = result
    assert first["n"] == 0


def test_a_result_becomes_arrow_pandas_and_polars(registry: Registry) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    registry.create_model("a", metadata={"x": 1})
    result = registry.sql("SELECT name, created_at, metadata, tags FROM models")
    table = result.arrow()
    assert isinstance(table, pa.Table)
    assert result.arrow() is table
    assert str(table.schema.field("created_at").type) == "timestamp[us, tz=UTC]"
    assert json.loads(table["metadata"][0].as_py()) == {"x": 1}
    frame = result.df()
    assert list(frame.columns) == result.columns
    assert frame["name"].tolist() == ["a"]
    polars_frame = result.pl()
    assert polars_frame.shape == (1, 4)
    assert polars_frame["name"].to_list() == ["a"]


def test_a_query_runs_when_its_rows_are_looked_at_and_once() -> None:
    runs: list[int] = []

    def fetch() -> pa.Table:
        runs.append(1)
        return pa.table({"a": [1]})

    result = Result(fetch)
    assert runs == []
    assert (len(result), result.dicts(), repr(result), result[0], result.columns) == (
        1,
        [{"a": 1}],
        "a\n─\n1",
        {"a": 1},
        ["a"],
    )
    assert runs == [1]


def test_columns_of_one_name_are_told_apart(registry: Registry) -> None:
    registry.create_model("m").create_version("1")
    joined = registry.sql("SELECT * FROM models m JOIN model_versions v ON v.model = m.name")
    assert len(set(joined.columns)) == len(joined.columns) == len(joined[0])
    assert (joined[0]["id"], joined[0]["id_1"]) == (registry.get_model("m").id, registry.get_version("m").id)
    assert repr(registry.sql("SELECT 1 AS a, 2 AS a, 3 AS a_1")) == "a  a_1  a_1_1\n─  ───  ─────\n1  2    3"


def test_a_result_prints_as_a_table_of_the_first_rows(registry: Registry) -> None:
    text = repr(registry.sql("SELECT n, NULL AS nothing, 'NaN'::DOUBLE AS nan, 0.1 + 0.2 AS x FROM range(25) t(n)"))
    lines = text.splitlines()
    assert lines[0].split() == ["n", "nothing", "nan", "x"]
    assert lines[2].split() == ["0", "nan", "0.3"]
    assert len(lines) == 23
    assert lines[-1] == "… 5 more rows"
    assert repr(registry.models()).splitlines()[-1] == "0 rows"
    assert registry.sql("FROM range(5) t(n)").text(rows=2).splitlines()[2:] == ["0", "1", "… 3 more rows"]


def test_a_long_or_odd_value_stays_on_its_line(registry: Registry) -> None:
    registry.create_model("m", description="tab\tand\nline\rend " + "x" * 200, tags=["a", "b"])
    lines = repr(registry.sql("SELECT description, tags, chr(27) || '[2J' AS esc FROM models")).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("tab and line end xx")
    assert "…" in lines[2]
    assert "a, b" in lines[2]
    assert "\x1b" not in lines[2]


def test_html_is_escaped(registry: Registry) -> None:
    registry.create_model("<script>alert('x')</script> & co")
    html = registry.sql('SELECT name, 1 AS "<b>" FROM models')._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; co" in html
    assert html.startswith("<table>")
    assert "<p>… 5 more rows</p>" in registry.sql("FROM range(25)")._repr_html_()


def test_nan_is_not_none_in_rows_and_in_json(registry: Registry) -> None:
    row = registry.sql("SELECT 'NaN'::DOUBLE AS nan, NULL::DOUBLE AS none, to_json({'x': 'NaN'::DOUBLE}) AS j")[0]
    assert math.isnan(row["nan"])
    assert row["none"] is None
    assert math.isnan(row["j"]["x"])
    assert registry.sql("SELECT 'null'::JSON AS j, NULL::JSON AS n").dicts() == [{"j": None, "n": None}]


# --- what Python has no value for -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMPTZ '-infinity'", "-infinity"),
        ("DATE 'infinity'", "infinity"),
        ("DATE '20000-01-01'", "20000-01-01"),
        ("TIMESTAMPTZ '20000-01-01 00:00:00Z'", "20000-01-01 00:00:00+00"),
        ("TIMESTAMP '0044-03-15 (BC) 10:00:00'", "0044-03-15 (BC) 10:00:00"),
        ("[TIMESTAMP 'infinity']", "[infinity]"),
        ("{'a': DATE '20000-01-01'}", "{'a': 20000-01-01}"),
        ("CAST('" + "9" * 5_000 + "' AS JSON)", "9" * 5_000),
        ("CAST('" + "[" * 3_000 + "]" * 3_000 + "' AS JSON)", "[" * 3_000 + "]" * 3_000),
    ],
    ids=range(10),
)
def test_a_value_that_python_lacks_is_its_text(registry: Registry, sql: str, expected: str) -> None:
    result = registry.sql(f"SELECT 1 AS n, {sql} AS value")
    assert result.dicts() == [{"n": 1, "value": expected}]
    assert result[0]["value"] == expected
    assert expected[:20] in result.text()
    assert "<table>" in result._repr_html_()


def test_only_the_value_that_python_lacks_becomes_text(registry: Registry) -> None:
    result = registry.sql("FROM (VALUES (TIMESTAMPTZ 'infinity'), ('2026-01-02 03:04:05Z'), (NULL)) t(moment)")
    assert rows(result) == [("infinity",), (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),), (None,)]


def test_years_before_1000_are_shown_with_four_digits(registry: Registry) -> None:
    assert "0900-01-01 00:00:00" in registry.sql("SELECT TIMESTAMP '0900-01-01' AS t").text()


def test_a_frame_that_cannot_hold_a_value_is_our_error(registry: Registry) -> None:
    with pytest.raises(InvalidInputError, match="pandas cannot hold this result"):
        registry.sql("SELECT DATE '20000-01-01'").df()
    with pytest.raises(InvalidInputError, match=r"^cannot run sql: "):
        registry.sql("SELECT CAST('a' AS INTEGER)").df()


def test_a_slice_is_a_list_of_rows(registry: Registry) -> None:
    result = registry.sql("SELECT i FROM range(5) t(i)")
    assert result[1:3] == [{"i": 1}, {"i": 2}]
    assert [row["i"] for row in result[::-2]] == [4, 2, 0]
    assert result[7:9] == result[3:1] == []
    assert result[-2:] == [result[3], result[4]]
    wrong: list[Any] = ["i", 1.5, None, True, slice("a", "b"), slice(0, 5, 0)]
    for number in wrong:
        with pytest.raises(InvalidInputError, match=r"write result\[0"):
            result[number]


# --- what is not to be seen -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workflow", ["w", "localreg_internal"])
def test_the_catalogue_lists_the_documented_tables_alone(registry: Registry, workflow: str) -> None:
    fill(workflow)
    assert [row["name"] for row in registry.sql("SHOW TABLES")] == sorted([*TABLES, *BULK])
    listed = registry.sql("SELECT table_schema, table_name FROM information_schema.tables")
    schemas = {row["table_schema"] for row in listed}
    assert schemas == {"main", INTERNAL, "w" if workflow == "w" else f"{INTERNAL} (2)"}
    assert {row["table_name"] for row in listed if row["table_schema"] != INTERNAL} == {*TABLES, *BULK}


def test_audit_comes_in_order_of_commit_and_takes_any_name(registry: Registry) -> None:
    name = 'it\'s "quoted"; -- \\ %'
    registry.create_model(name).update(owner="ana").delete()
    registry.create_model("other")
    assert [row["action"] for row in registry.audit(name=name)] == ["create", "update", "delete"]
    assert [row["commit"] for row in registry.audit(kind="model", since=1)] == [2, 3, 4]
    assert len(registry.audit(kind="model_version")) == 0


def test_a_connection_goes_on_from_commit_to_commit(registry: Registry) -> None:
    """What a query shows is what the last commit left, whatever was swapped under its views."""
    model = registry.create_model("m", metadata={"n": 0})
    other = registry.create_model("other")
    past = registry.frozen()
    acts: list[Callable[[], object]] = [
        lambda: model.update(metadata={"n": 1}),
        lambda: model.rename("renamed"),
        other.delete,
        lambda: registry.create_model("other", metadata={"n": 7}),
        registry.snapshot,
        lambda: model.update(metadata={"n": 2}),
        lambda: registry.undo(registry.commit),
        lambda: registry.get_model("other").archive(),
        lambda: registry.get_model("other").restore(),
    ]
    for act in acts:
        act()
        rows = registry.models(archived=None).dicts()
        state = registry._session.state()
        assert [(row["id"], row["name"], row["metadata"]) for row in rows] == [
            (row.id, row.name, row.fields["metadata"]) for row in state.children("model")
        ]
        assert [row["name"] for row in past.models().dicts()] == ["m", "other"]


# --- refusals that say what was meant ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ('metadata.framework = "sklearn"', "no column \"sklearn\" in models; text stands in single quotes: 'sklearn'"),
        ('name = "it\'s"', "text stands in single quotes: 'it''s'"),
        ('"m" IN tags', "text stands in single quotes: 'm'"),
        ("tags = 'svm'", "'tags' is a list; write 'svm' IN tags"),
        ("tags IN ('svm')", "'tags' is a list; write 'svm' IN tags"),
        ("'production' <> aliases", "'aliases' is a list; write 'production' IN aliases"),
        ("seed = 1", "no column 'seed' in models; did you mean metadata.seed?"),
        ("optim.lr > 0 AND name = 'm'", "did you mean metadata.optim.lr?"),
        ('"odd key" = 1', "text stands in single quotes"),
        ("sede = 1", "no column 'sede' in models. Columns: "),
        ("nam = 'm'", "did you mean 'name'?"),
    ],
)
def test_a_where_that_is_nearly_right_is_told_how_to_be(registry: Registry, where: str, hint: str) -> None:
    registry.create_model("m", metadata={"seed": 1, "framework": "sklearn", "optim": {"lr": 1}}, tags=["svm"])
    with pytest.raises(InvalidInputError) as caught:
        registry.models(where)
    assert hint in str(caught.value)


def test_lists_are_still_compared_with_lists_and_columns_in_double_quotes_are_columns(registry: Registry) -> None:
    registry.create_model("m", metadata={"seed": 1}, tags=["svm"])
    for where in (
        "tags = ['svm']",
        "tags = '[svm]'",
        "\"name\" = 'm'",
        "len(list_filter(tags, lambda t: t = 'svm')) = 1",
    ):
        assert len(registry.models(where)) == 1, where


def test_keys_are_looked_for_in_the_table_that_is_asked(registry: Registry) -> None:
    registry.create_model("m", metadata={"seed": 1}).create_version("1", metadata={"lr": 1})
    with pytest.raises(InvalidInputError, match=r"did you mean metadata\.lr\?"):
        registry.model_versions("lr = 1")
    for ask, where in ((registry.models, "lr = 1"), (registry.test_runs, "seed = 1")):
        with pytest.raises(InvalidInputError, match="Columns: "):
            ask(where)
    with pytest.raises(InvalidInputError, match=r"did you mean metadata\.seed\?"):
        registry.facets("models", "seed")
    with pytest.raises(InvalidInputError, match=r"did you mean metadata\.lr\?"):
        registry.all().model_versions(order_by="lr")


def test_a_sign_is_no_direction_but_where_it_is_arithmetic(registry: Registry) -> None:
    for number in (1, 2):
        registry.create_model(f"m{number}", metadata={"seed": number})
    for order, advice in (("-created_at", "created_at DESC"), (["-name"], "name DESC"), ("+name", "name ASC")):
        with pytest.raises(InvalidInputError, match=f"a sign gives no direction; write {advice}"):
            registry.models(order_by=order)
    assert [row["name"] for row in registry.models(order_by="-metadata.seed")] == ["m2", "m1"]


def test_a_listing_that_fails_does_not_speak_of_sql(registry: Registry) -> None:
    registry.create_model("m")
    asked: list[tuple[Callable[[], Result], str]] = [
        (lambda: registry.models(order_by="CAST(name AS INTEGER)"), "cannot use order_by 'CAST"),
        (lambda: registry.facets("models", "CAST(name AS INTEGER)"), "cannot use by 'CAST"),
        (lambda: registry.models("name IS NOT NULL", order_by="CAST(name AS INTEGER)"), "order_by 'CAST"),
    ]
    for ask, told in asked:
        with pytest.raises(InvalidInputError) as caught:
            ask().dicts()
        assert told in str(caught.value)
        assert "sql" not in str(caught.value)
