from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import Registry
from localreg.canonical import canonical, checked_object
from localreg.records.differences import LONGEST_TOLD, MOST_TOLD, Difference, differences, in_words, path_text

KEYS = [
    *("lr", "LR", "_x", "a1", "at", "select", "order", "a.b", "a b", "it's", 'say "hi"', "é", "日本", "*", "", "0"),
    *("a-b", "[0]", "a]", "\\", 'a\\"b', "$", "#", "null", "true", "end", "'", "x\ny", "👩‍👧", "/", "~1", "x'] OR ['"),
]  # fmt: skip


def paths(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, object, object, str]]:
    return [(each.path, each.before, each.after, each.change) for each in differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True, "changed")]),
        ({"a": None}, {}, [("a", None, None, "removed")]),
        ({}, {"a": None}, [("a", None, None, "added")]),
        ({"a": None}, {"a": 0}, [("a", None, 0, "changed")]),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3, "d": 2}}}, [("a.b.c", 1, 3, "changed")]),
        ({"a": {"b": 1}}, {"a": {}}, [("a.b", 1, None, "removed")]),
        ({"a": {"b": 1}}, {"a": 1}, [("a", {"b": 1}, 1, "changed")]),
        ({"a": {"b": 1}}, {}, [("a", {"b": 1}, None, "removed")]),
        ({"tags": ["x", "y"]}, {"tags": ["x", "z"]}, [("tags", ["x", "y"], ["x", "z"], "changed")]),
        ({"l": [{"u": 1}, {"u": 2}]}, {"l": [{"u": 1}, {"u": 3}]}, [("l[1].u", 2, 3, "changed")]),
        ({"l": [{"u": 1}]}, {"l": []}, [("l", [{"u": 1}], [], "changed")]),
        ({"l": [{"u": 1}]}, {"l": [7]}, [("l", [{"u": 1}], [7], "changed")]),
        ({"b": 1, "a": 1}, {"a": 2}, [("b", 1, None, "removed"), ("a", 1, 2, "changed")]),
        ({"a": 1}, {"c": 1, "a": 2}, [("a", 1, 2, "changed"), ("c", None, 1, "added")]),
    ],
)  # fmt: skip
def test_only_what_differs_is_told_with_its_path(
    before: dict[str, Any], after: dict[str, Any], told: list[tuple[str, object, object, str]]
) -> None:
    assert paths(before, after) == told


def test_an_absent_object_is_an_empty_one() -> None:
    assert differences(None, {"a": 1}) == [Difference("a", None, 1, "added")]
    assert differences({"a": 1}, None) == [Difference("a", 1, None, "removed")]
    assert differences(None, None) == []


def test_a_key_of_the_top_is_a_column() -> None:
    assert path_text("", "metadata") == "metadata"
    assert path_text("", 'odd "one"') == '"odd ""one"""'


@pytest.mark.parametrize("key", KEYS)
def test_every_path_can_be_used_in_where(registry: Registry, key: str) -> None:
    before: dict[str, Any] = {"metadata": {key: {key: 1}, "list": [{key: 1}]}}
    after: dict[str, Any] = {"metadata": {key: {key: 2}, "list": [{key: 2}]}}
    found = differences(before, after)
    assert [each.after for each in found] == [2, 2]
    registry.create_model("m", metadata=after["metadata"])
    for each in found:
        assert [row["name"] for row in registry.models(f"{each.path} = 2")] == ["m"], each.path
        assert not registry.models(f"{each.path} = 1"), each.path


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "a", 1.5])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b.c"]), inner)),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c d"]), JSON, max_size=3)


@given(OBJECTS, OBJECTS)
def test_nothing_differs_exactly_between_equals_and_each_way_tells_the_same(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    before, after = checked_object(before, what="before"), checked_object(after, what="after")
    found = differences(before, after)
    assert (found == []) == (canonical(before) == canonical(after))
    assert differences(before, before) == []
    assert len({each.path for each in found}) == len(found)
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    back = {(each.path, canonical(each.after), canonical(each.before), turned[each.change]) for each in found}
    assert {(e.path, canonical(e.before), canonical(e.after), e.change) for e in differences(after, before)} == back


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {}, ""),
        ({"m": {"lr": 0.1}}, {"m": {"lr": 0.2}}, "m.lr 0.1 → 0.2"),
        ({"tags": ["old", "x"]}, {"tags": ["detector", "x"]}, "tags +detector -old"),
        ({"tags": ["x", "y"]}, {"tags": ["y", "x"]}, 'tags ["x","y"] → ["y","x"]'),
        ({"l": [1]}, {"l": [1, 2]}, "l [1] → [1,2]"),
        ({"owner": None}, {"owner": "ana"}, "owner null → ana"),
        ({"a": ""}, {"a": "5"}, 'a "" → 5'),
        ({"a": 1}, {"b": {"c": True}}, '-a, +b {"c":true}'),
        ({"a": 1, "b": 1}, {"a": 2, "b": 2}, "a 1 → 2, b 1 → 2"),
    ],
)
def test_differences_are_told_in_words(before: dict[str, Any], after: dict[str, Any], told: str) -> None:
    assert in_words(differences(before, after)) == told


def test_words_stay_short_and_tell_what_they_leave_out() -> None:
    many = {f"k{number}": "x" * 1_000 for number in range(MOST_TOLD + 3)}
    told = in_words(differences({}, many))
    assert told.endswith(", and 3 more")
    assert "x" * (LONGEST_TOLD - 1) + "…" in told
    assert "x" * LONGEST_TOLD not in told
    assert in_words(differences({}, {"k": "x" * LONGEST_TOLD})) == "+k " + "x" * LONGEST_TOLD
