from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from localreg.errors import InvalidInputError
from localreg.names import check_name
from localreg.workflow.model_name import ModelName

pieces = st.text(st.sampled_from("ab5-,.() é\u200d"), min_size=1, max_size=12)
names = st.lists(pieces | st.sampled_from([" (", ")", ", ", "x"]), min_size=1, max_size=8).map("".join)


def test_the_recommended_form_is_composed_and_taken_apart() -> None:
    text = "helpful-meadow-5 (YOLOR-D6, 1280x1280, pytorch-1.7)"
    name = ModelName("helpful-meadow-5", ("YOLOR-D6", "1280x1280", "pytorch-1.7"))
    assert str(name) == text
    assert ModelName.parse(text) == name
    assert str(ModelName("helpful-meadow-5")) == "helpful-meadow-5"


@given(name=names)
@example(name="a (b, (c, d))")
@example(name="a (b) (c)")
@example(name="a (b,, c)")
def test_what_is_taken_apart_is_composed_again(name: str) -> None:
    try:
        name = check_name(name)
    except InvalidInputError:
        assume(False)
    parsed = ModelName.parse(name)
    assert str(parsed) == name
    assert ModelName(parsed.base, parsed.details) == parsed


@given(base=names, details=st.lists(names, max_size=3))
@example(base="a (b)", details=["c"])
def test_what_is_composed_is_taken_apart_again(base: str, details: list[str]) -> None:
    try:
        name = ModelName(base, tuple(details))
    except InvalidInputError:
        assume(False)
    assert ModelName.parse(str(name)) == name
    assert (name.base, list(name.details)) == (base, details)


@pytest.mark.parametrize(
    ("text", "base", "details"),
    [
        ("a (b, c)", "a", ("b", "c")),
        ("a (b (nightly), c)", "a", ("b (nightly)", "c")),
        ("a (b (x, y), c)", "a", ("b (x, y)", "c")),
        ("a (b) (c)", "a (b)", ("c",)),
        ("a (b,c)", "a", ("b,c",)),
        ("a(b)", "a(b)", ()),
        ("a ()", "a ()", ()),
        ("a (b,  c)", "a (b,  c)", ()),
        ("a (b, )", "a (b, )", ()),
        ("(b, c)", "(b, c)", ()),
        ("a  (b)", "a  (b)", ()),
        ("a b)", "a b)", ()),
        ("a (b) c", "a (b) c", ()),
    ],
)
def test_only_a_list_in_brackets_at_the_end_is_details(text: str, base: str, details: tuple[str, ...]) -> None:
    assert ModelName.parse(text) == ModelName(base, details)


@pytest.mark.parametrize(
    ("base", "details", "message"),
    [
        (" ", (), r"base '' is blank"),
        (" a", (), r"base is ' a'; remove the white space"),
        ("a\n", ("b",), r"base is 'a\\n'; remove the white space"),
        ("a", ("b", " "), r"details\[1\] '' is blank"),
        ("a", ("b, c",), r"details\[0\] is 'b, c'; write it as several details"),
        ("a", ("b (",), r"details\[0\] is 'b \('; close each bracket"),
        ("a", ("b)(",), r"details\[0\] is 'b\)\('; close each bracket"),
        ("a (b)", (), r"base is 'a \(b\)', which ends in details; use ModelName.parse"),
        ("a", "bc", r"details is 'bc'; write a list"),
        ("a", 5, r"details is 5; write a list"),
        ("a", (5,), r"details\[0\] is of type int, not text"),
        ("a" * 300, ("b" * 300,), r"model name .* has 603 characters, more than 512"),
    ],
)
def test_parts_that_could_not_be_told_apart_are_refused(base: str, details: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ModelName(base, details)


def test_lists_of_details_will_do_and_names_can_be_keys() -> None:
    details: Any = ["b", "c"]
    assert {ModelName("a", details): 1}[ModelName.parse("a (b, c)")] == 1
    with pytest.raises(InvalidInputError, match="control character"):
        ModelName.parse("a\x00b")
