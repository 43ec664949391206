"""A registry of format 1 with every kind of record, table and cache is kept, and opened for ever.

`format_1_2026_11/` was made once, by `make_format_1.py`, of `everything`; what it holds is packed beside it as JSON.
Later releases may show more tables and columns, and never others for these.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.log.snapshot import LayeredBase
from localreg.query.tables import TABLES
from localreg.workflow import test
from tests.compat import everything
from tests.compat.everything import MODEL, NAMESPACES, in_order
from tests.compat.independent_reader import Namespace
from tests.compat.kept import answers, unpacked

FOLDER = Path(__file__).parent / "format_1_2026_11"
PAGE = (Path(localreg.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")
FEATURES = {"feature", "signer"}
"""Kinds that `format_1_2026_11_features` has."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return unpacked(FOLDER, tmp_path)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return answers(FOLDER)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_answers(registry: Registry, expected: dict[str, Any]) -> None:
    """What is said is what was said then; later tables and columns are left out."""
    said = json.loads(json.dumps(everything.answers(registry)))
    for name, rows in expected["tables"].items():
        columns = rows[0].keys() if rows else ()
        shown = [{column: row[column] for column in columns} for row in said["tables"][name]]
        assert in_order(shown) == rows, name
    assert said["objects"] == expected["objects"]
    assert said["commit"] == expected["commit"]


def assert_sound(registry: Registry) -> None:
    report = registry.verify()
    assert report.ok, str(report)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_all_that_was_ever_written_is_read_as_it_was_written(
    folder: Path, namespace: str, expected: dict[str, Any]
) -> None:
    before = contents(folder)
    with localreg.open(folder, namespace=namespace, read_only=True) as registry:
        assert_answers(registry, expected[namespace])
        assert_sound(registry)
    assert contents(folder) == before


def test_it_reads_the_same_without_its_caches(folder: Path, expected: dict[str, Any]) -> None:
    for path in [*(folder / "namespaces/default/snapshots").iterdir(), *folder.rglob("history/*")]:
        path.unlink()
    with localreg.open(folder, read_only=True) as registry:
        assert_answers(registry, expected["default"])


def test_it_has_each_kind_of_record_and_table_and_each_cache(folder: Path, expected: dict[str, Any]) -> None:
    """Else this file would promise more than it keeps."""
    (table,) = re.findall(r"^## 7\. Records\n(.*?)^\*\*", PAGE, re.MULTILINE | re.DOTALL)
    kinds = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    (bulk,) = re.findall(r"^### Bulk tables\n(.*?)^Columns", PAGE, re.MULTILINE | re.DOTALL)
    tables = {line.split("`")[1] for line in bulk.splitlines() if line.startswith("| `")}
    with localreg.open(folder, read_only=True) as registry:
        state = registry._session.state()
        assert {row.kind for row in state.rows()} >= kinds - FEATURES
        assert {str(row.fields["table"]) for row in state.rows("file")} == {*tables, "vectors", "artifacts"}
        assert isinstance(state.base, LayeredBase)
        assert len(state.base.layers) > 1
        assert state.base.commit < registry.commit
        assert registry._session.log.history.listed()
    assert {name for name, rows in expected["default"]["tables"].items() if not rows} == set()
    assert expected["default"]["tables"].keys() >= TABLES.keys() - LATER


LATER = {"signers"}
"""Documented tables that came after it was made."""


def test_the_independent_reader_finds_the_same(folder: Path, expected: dict[str, Any]) -> None:
    for name in NAMESPACES:
        namespace, said = Namespace(folder, name), expected[name]["tables"]
        events = said["audit_events"]
        assert [each["digest"] for each in namespace.audit] == [
            each["digest"] for each in sorted(events, key=lambda row: (row["commit"], row["event"]))
        ]
        for kind, table in (("model", "models"), ("experiment", "experiments"), ("artifact", "artifacts")):
            assert [(row.id, row.name) for row in namespace.of(kind)] == [
                (row["id"], row["name"]) for row in sorted(said[table], key=lambda row: (row["created_at"], row["id"]))
            ] or {(row.id, row.name) for row in namespace.of(kind)} == {(row["id"], row["name"]) for row in said[table]}
    namespace = Namespace(folder)
    statuses = {row["sample"]["size"]["_2"]: row["status"] for row in namespace.inferences(MODEL)}
    assert statuses == {each: {5: "skipped", 7: "error"}.get(each, "ok") for each in range(8)}
    assert [sample["size"]["_2"] for sample, _ in namespace.ground_truths("night")] == [1, 3, 5, 4]


def test_this_release_goes_on_writing_where_that_one_stopped(folder: Path, expected: dict[str, Any]) -> None:
    with localreg.open(folder, actor="ana") as registry, localreg.use(registry):
        model = registry.get_model(MODEL)
        model.set_alias("shipped", "1").set_alias("shipped", "2")
        registry.undo(registry.commit)
        model.create_version("3").upload(b"weights of the reader", name="weights")
        net, suite = everything.Net(MODEL, everything.infer_well), everything.Suite("scans")
        test(net, suite, everything.evaluate, on_error="record")
        with registry.experiment("run", resume=True, code=False) as run:
            run.log({"loss": 0.1}, step=9)
        leaky = registry.create_model("leaky", metadata={"key": "hunter2"}).update(unset=["key"])
        assert registry.redact(leaky, reason="a password")
        assert b"".join(model.get_artifact("logs").stream("deep/b.txt")) == b"beta\n"
        registry.snapshot()
        assert_sound(registry)
        assert len(run.points("loss").dicts()) == 6
        assert_past(registry, expected["default"])
    assert Namespace(folder).models()[MODEL]["aliases"] == {"production": "2", "shipped": "1"}


def assert_past(registry: Registry, expected: dict[str, Any]) -> None:
    with registry.at(commit=expected["commit"]) as then:
        for name in ("models", "model_versions", "metric_points", "inferences", "test_runs"):
            rows = expected["tables"][name]
            shown = [{key: row[key] for key in rows[0]} for row in everything.rows_of(then.sql(f"FROM {name}"))]
            assert json.loads(json.dumps(in_order(shown))) == rows, name
