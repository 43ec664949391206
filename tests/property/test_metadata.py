"""Whatever JSON a user says of a model, it says it back: in memory, from disk, in tables, in the log."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import localreg
from localreg import Registry

texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: not 2**53 < abs(number) < 1e21  # see the last test
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=5)
names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=30)


def typed(value: object) -> object:
    """With types, for `1 == True`; a float of integral value is the integer that JSON makes of it."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return ("int", int(value))
    return (type(value).__name__, value)


@pytest.fixture
def fresh_name() -> Callable[[], str]:
    counter = itertools.count()
    return lambda: f"m{next(counter)}"


SHARED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SHARED
@given(metadata=objects)
def test_metadata_comes_back_from_memory_from_disk_and_from_tables(
    registry: Registry, fresh_name: Callable[[], str], metadata: dict[str, Any]
) -> None:
    model = registry.create_model(fresh_name(), metadata=metadata)
    reopened = localreg.open(registry.uri)
    assert typed(model.metadata) == typed(reopened.get_model(model.name).metadata) == typed(metadata)
    row = reopened.sql("SELECT metadata FROM models WHERE id = ?", [model.id])[0]
    assert row["metadata"] == metadata
    assert reopened.audit(name=model.name)[-1]["after"]["metadata"] == metadata


@SHARED
@given(old=objects, new=objects, unset=st.sets(texts, max_size=3))
def test_update_is_a_merge_of_dicts(
    registry: Registry, fresh_name: Callable[[], str], old: dict[str, Any], new: dict[str, Any], unset: set[str]
) -> None:
    removed = unset.union(list(old)[:1])
    model = registry.create_model(fresh_name(), metadata=old)
    model.update(metadata=new, unset=removed)
    expected = {**{key: value for key, value in old.items() if key not in removed}, **new}
    assert model.metadata == localreg.open(registry.uri).get_model(model.name).metadata == expected
    version = model.create_version("1", metadata=old)
    assert version.metadata == {**expected, **old}
    table = registry.sql("SELECT metadata FROM model_versions WHERE id = ?", [version.id])[0]
    assert table["metadata"] == version.metadata


@SHARED
@given(name=names)
def test_a_name_finds_its_model_and_its_version(registry: Registry, name: str) -> None:
    name = name.strip()
    if not name or registry.find_model(name) is not None:
        return
    version = registry.create_model(name).create_version("1")
    assert registry.get_model(name).name == name
    assert registry.get_version(f"{name}@1") == version
    assert [row["name"] for row in registry.sql("FROM models WHERE name = ?", [name])] == [name]
    literal = name.replace("'", "''")
    assert [row["id"] for row in registry.models(f"name = '{literal}'")] == [version.model.id]


def test_a_large_float_of_integral_value_comes_back_equal(registry: Registry) -> None:
    registry.create_model("m", metadata={"x": 2.912314454243423e16})
    assert localreg.open(registry.uri).get_model("m").metadata == {"x": 2.912314454243423e16}
