"""Forms of records: what their classes declare, whoever wrote them."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from typing import Any

import pytest

import localreg.records
from localreg.errors import FormatError, InvalidInputError
from localreg.log.row import Row
from localreg.records.base import Record
from localreg.records.files import FilePointer
from localreg.records.forms import FILES, MODULES, has_declared_form
from localreg.tables.hints import schema_of
from localreg.tables.schema import MOST_NODES, Node

GOOD: dict[str, dict[str, Any]] = {
    "model": {"id": "1", "name": "m", "tags": ["a"], "metadata": {"a": [1]}, "archived": False, "task": None},
    "metrics": {"id": "1", "name": "x", "owner": "2", "owner_kind": "model_version", "values": {"a": 1, "b": None}},
    "test_suite_version": {"id": "1", "name": "1", "test_suite": "2", "test_cases": ["3"], "baseline": None},
    "experiment": {"id": "1", "name": "e", "status": "running", "environment": {}, "later": [{"any": 1}]},
}
NO_TAGS: list[Any] = ["a", [5], None, {"a": "b"}, ["a", None]]
NO_VALUES: list[Any] = [[], {"a": "x"}, {"a": True}, {"a": [1]}, None]
NO_TEST_CASES: list[Any] = [5, None, "x", [None], [["x"]], {}]
NO_STATUS: list[Any] = [5, None, []]
BAD: list[tuple[str, dict[str, Any]]] = [
    *(("model", {field: 5}) for field in ("id", "name", "tags", "metadata", "archived", "task", "former_names")),
    *(("model", {"tags": value}) for value in NO_TAGS),
    *(("metrics", {"values": value}) for value in NO_VALUES),
    *(("test_suite_version", {"test_cases": value}) for value in NO_TEST_CASES),
    *(("experiment", {"status": value}) for value in NO_STATUS),
]


def row(kind: str, record: dict[str, Any], name: str = "n") -> Row:
    return Row(kind, "", name, "1", record, (1, 1), "", "", (7, 2), "", "")


@pytest.mark.parametrize("kind", GOOD)
def test_a_record_as_it_should_be_is_taken(kind: str) -> None:
    assert has_declared_form(kind, GOOD[kind])
    assert row(kind, GOOD[kind]).fields is GOOD[kind]


@pytest.mark.parametrize(("kind", "fields"), BAD, ids=str)
def test_a_field_of_another_form_is_told(kind: str, fields: dict[str, Any]) -> None:
    assert not has_declared_form(kind, {**GOOD[kind], **fields})
    with pytest.raises(FormatError, match=r"'n' was recorded in commit 7, event 2, in a form .* `localreg undo 7`"):
        _ = row(kind, {**GOOD[kind], **fields}).fields


def test_what_has_no_default_must_be_there() -> None:
    said = {key: value for key, value in GOOD["test_suite_version"].items() if key != "test_cases"}
    assert not has_declared_form("test_suite_version", said)
    assert has_declared_form("experiment", {"id": "1", "name": "e"})


def test_kinds_of_later_releases_say_what_they_like() -> None:
    assert has_declared_form("later", {"id": 5, "tags": 5})


@pytest.mark.parametrize("kind", sorted(FILES))
def test_a_record_of_a_file_is_a_pointer(kind: str) -> None:
    good = FilePointer("data/a/b.parquet", "a", "1" * 32, 1, 1, "0" * 64).to_json()
    assert has_declared_form(kind, good)
    assert not has_declared_form(kind, {**good, "path": "../../etc/passwd"})
    assert not has_declared_form(kind, {})


def test_every_kind_with_a_class_is_known() -> None:
    for module in pkgutil.iter_modules(localreg.records.__path__):
        importlib.import_module(f"localreg.records.{module.name}")
    found = {
        of.kind: of.__module__.rpartition(".")[2]
        for of in _below(Record)
        if of.__module__.startswith("localreg.records.") and hasattr(of, "kind")
    }
    assert found == MODULES


def _below(of: type[Record]) -> list[type[Record]]:
    return [each for below in of.__subclasses__() for each in (below, *_below(below))]


@pytest.mark.parametrize("name", ["x", "", "²", "1" * 5_000, "-1", " 1"])
def test_a_name_that_is_no_number_is_told(name: str) -> None:
    with pytest.raises(FormatError, match="cannot read"):
        _ = row("test_case_version", {}, name).number


# --- types ------------------------------------------------------------------------------------------------------------


def deep(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "str"}
    for _ in range(levels):
        node = {"type": "list", "items": node}
    return node


def wide(fields: int) -> dict[str, Any]:
    return {"type": "struct", "fields": [{"name": f"f{number}", "type": "int"} for number in range(fields)]}


ABSURD: dict[str, Any] = {
    "a million levels would be": deep(10_000),
    "many fields": wide(100_000),
    "nothing": {},
    "no type": {"type": 5},
    "unhashable type": {"type": []},
    "a type of later": {"type": "tensor"},
    "items": {"type": "list", "items": 5},
    "fields": {"type": "struct", "fields": 5},
    "a field": {"type": "struct", "fields": ["x"]},
    "a field's name": {"type": "struct", "fields": [{"name": 5, "type": "int"}]},
    "a class": {"type": "struct", "class": 5},
    "values": {"type": "enum", "values": [[]]},
    "a size": {"type": "vector", "size": -1},
    "a large size": {"type": "vector", "size": 2**70},
}


@pytest.mark.parametrize("what", ABSURD)
def test_a_recorded_type_that_is_none_is_refused(what: str) -> None:
    """Named for a bug: one of 100,000 fields took 20 seconds, and others were a KeyError of every query."""
    with pytest.raises(FormatError, match="a recorded type cannot be read"):
        Node.from_json(ABSURD[what])


@pytest.mark.parametrize("value", [deep(50), wide(9_000)], ids=["deep", "wide"])
def test_large_types_are_taken(value: dict[str, Any]) -> None:
    assert Node.from_json(value).nodes() > 50


def test_a_class_that_could_not_be_read_back_is_refused() -> None:
    made = dataclasses.make_dataclass("Wide", [(f"f{number}", int) for number in range(MOST_NODES)])
    with pytest.raises(InvalidInputError, match="Wide has 10,001 fields in all"):
        schema_of(made)
