from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import names
from localreg.errors import InvalidInputError


class Name(enum.StrEnum):
    YOLOR = " yolor "


CHECKS: list[Callable[[object], str]] = [names.check_name, names.check_tag, names.check_alias, names.check_version]
checks = pytest.mark.parametrize("check", CHECKS)


@checks
@pytest.mark.parametrize(
    "name",
    [
        "helpful-meadow-5 (YOLOR-D6, 1280x1280, pytorch-1.7)",
        "a/b\\c[0]{1}*?|<>\"'",
        "../x",
        "CON",
        ".",
        "é",
        "e\u0301",
        "👩\u200d🚀",
        "日本語",
        "עברית",
        "a\u00a0b",
        "\ue000",  # private use
        "a\u0378",  # unassigned
        "x" * 128,
    ],
)
def test_free_text_is_kept_to_the_character(check: Callable[[object], str], name: str) -> None:
    assert check(name) == name


@checks
def test_names_are_stripped_and_plain(check: Callable[[object], str]) -> None:
    assert check("\t a  b\n") == "a  b"
    checked = check(Name.YOLOR)
    assert checked == "yolor"
    assert type(checked) is str
    assert type(check(np.str_("x"))) is str


TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))


def test_marks_of_direction_may_stand_in_names_and_all_of_them_in_texts() -> None:
    assert names.check_name("שלום\u200f (1)\u200e") == "שלום\u200f (1)\u200e"
    text = "".join(map(chr, TURNING))
    assert names.check_text(text, what="description") == text


@checks
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is blank"),
        (" \t\u3000\n", "is blank"),
        ("\u200b\u2060", "is blank"),
        ("a\nb", r"'a\nb' contains a control character or line break, U+000A, at position 1"),
        ("a\tb", "U+0009"),
        ("a\x00b", "U+0000"),
        ("a\x7fb", "U+007F"),
        ("a\x85b", "U+0085"),
        ("a\u2028b", "U+2028"),
        ("a\u2029b", "U+2029"),
        *(
            (f"a{chr(code)}b", f"contains a character that turns the direction of text, U+{code:04X}")
            for code in TURNING
        ),
        ("a\ud800", "half of a surrogate pair, U+D800, at position 1"),
        ("👩\u200d🚀\x1b[31m", "U+001B"),
        (None, "is of type NoneType, not text"),
        (b"x", "is of type bytes, not text"),
        (["x"], "is of type list, not text"),
        (True, "is of type bool, not text"),
        ("x" * 513, "has 513 characters, more than"),
    ],
)
def test_refuses_with_the_reason(check: Callable[[object], str], name: object, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(name)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_limits_are_512_for_names_and_128_for_what_is_typed_by_hand() -> None:
    assert names.check_name("x" * 512)
    with pytest.raises(InvalidInputError, match="dataset"):
        names.check_name("x" * 513, what="dataset")
    for check in (names.check_tag, names.check_alias, names.check_version):
        with pytest.raises(InvalidInputError, match="129 characters, more than 128"):
            check("x" * 129)


@given(st.text())
def test_whatever_is_accepted_is_stable_and_can_be_written_and_printed_on_one_line(text: str) -> None:
    try:
        name = names.check_name(text)
    except InvalidInputError:
        return
    assert names.check_name(name) == name == text.strip()
    assert name.encode().decode().splitlines() == [name]


# --- tags, aliases, versions, texts -----------------------------------------------------------------------------------


def test_tags_are_sorted_and_unique() -> None:
    assert names.check_tags(["b", " a", "a", "B, c"]) == ["B, c", "a", "b"]
    assert names.check_tags(iter(())) == []


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("detector", "write ['detector']"),
        ({"a": 1}, "store pairs as metadata"),
        (3, "tags is of type int; write a list"),
        (None, "tags is of type NoneType; write a list"),
        (b"ab", "tag is of type int, not text"),
        (["a", None], "tag is of type NoneType, not text"),
        (["a", " "], "is blank"),
    ],
)
def test_tags_that_are_none(tags: object, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        names.check_tags(tags)  # type: ignore[arg-type]
    assert reason in str(caught.value)


@pytest.mark.parametrize(("alias", "hint"), [("model@production", "'production'"), ("@", "leave it out")])
def test_an_alias_has_no_at_sign(alias: str, hint: str) -> None:
    with pytest.raises(InvalidInputError, match=f"contains '@'.*{hint}"):
        names.check_alias(alias)


@pytest.mark.parametrize(("version", "text"), [(2, "2"), (0, "0"), (np.int64(7), "7"), ("v1.0 beta", "v1.0 beta")])
def test_versions_are_text_or_whole_numbers(version: object, text: str) -> None:
    assert names.check_version(version) == text


@pytest.mark.parametrize(
    ("version", "reason"),
    [(1.1, r"write it as text, '1\.1'"), (-1, "below 0"), (10**4000, "above 10"), (None, "NoneType")],
)
def test_versions_of_no_one_spelling_are_refused(version: object, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        names.check_version(version)


def test_texts_are_kept_exactly() -> None:
    text = "  line\r\n\tsecond é 😀 \u2028 \n"
    assert names.check_text(text, what="description") == text
    assert names.check_text("", what="description") == ""
    assert type(names.check_text(Name.YOLOR, what="description")) is str


@pytest.mark.parametrize("bad", ["a\x00", "\x1b[0m", "\x85", "\ud800", "x" * 11, None, b"x"])
def test_texts_without_sense_are_refused(bad: object) -> None:
    with pytest.raises(InvalidInputError, match=r"^note "):
        names.check_text(bad, what="note", limit=10)


# --- namespaces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "namespace", ["default", "a", "0", "ai/langtech/translation", "a_-", "console", "com", "com10", "x" * 200]
)
def test_namespaces_map_to_a_folder_without_slashes(namespace: str) -> None:
    assert names.check_namespace(namespace) == namespace
    assert names.namespace_folder(namespace) == namespace.replace("/", ".")


@pytest.mark.parametrize(
    ("namespace", "reason"),
    [
        ("AI/langtech", "has the segment 'AI': a segment is lower-case letters"),
        ("ai/Lang Tech", "; try 'ai/lang-tech'"),
        ("Équipe", "; try 'equipe'"),
        ("a\\b", "; try 'a/b'"),
        ("a.b", "; try 'a-b'"),
        ("_a", "; try 'a'"),
        ("", "is empty"),
        ("/", "has an empty segment"),
        ("a//b", "has an empty segment: '/' stands between segments only; try 'a/b'"),
        ("/a", "empty segment"),
        ("a/", "empty segment"),
        ("..", "; 'default' is the usual one"),
        ("a/../b", "has the segment '..'"),
        ("a/con", "has the segment 'con', the name of a device on Windows; try 'a/con_'"),
        ("nul/b", "device"),
        ("com0", "device"),
        ("lpt9", "device"),
        ("a\n", r"has the segment 'a\n'"),
        ("\u0661", "has the segment"),  # a digit, but not of ours
        ("x" * 201, "has 201 characters, more than 200"),
        (None, "is of type NoneType"),
    ],
)
def test_refused_namespaces_name_the_segment(namespace: object, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        names.check_namespace(namespace)
    assert reason in str(caught.value)


@given(st.text(alphabet=st.sampled_from("aB0_-./\\ énulco"), max_size=12))
def test_a_suggested_namespace_is_a_good_one(text: str) -> None:
    try:
        names.check_namespace(text)
    except InvalidInputError as error:
        _, _, near = str(error).rpartition("; try ")
        if near and "; 'default'" not in near:
            assert names.check_namespace(near.strip("'"))


# --- ids --------------------------------------------------------------------------------------------------------------


def test_new_ids_are_ids_and_never_the_same() -> None:
    many = [names.new_id() for _ in range(1001)]
    assert len(set(many)) == 1001
    assert all(names.check_id(value) == value for value in many)


@pytest.mark.parametrize("value", ["", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 32 + "\n", None, 3])
def test_what_is_no_id(value: object) -> None:
    with pytest.raises(InvalidInputError, match=r"run .* is not 32 lower-case hex|run of type"):
        names.check_id(value, what="run")


@pytest.mark.parametrize(
    ("value", "yes"),
    [("0f" * 32, True), ("0F" * 32, False), ("0" * 63, False), ("0" * 64 + "\n", False), (None, False)],
)
def test_is_digest(value: object, yes: bool) -> None:
    assert names.is_digest(value) is yes


# --- finding what was meant -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "candidates", "told"),
    [
        ("yolr", ["resnet", "yolor"], "; did you mean 'yolor'?"),
        ("YOLOR", ["yolor"], "; did you mean 'yolor'?"),
        ("ab", ["abc", "abd"], "; did you mean 'abc' or 'abd'?"),
        ("ab", ["abc", "abd", "abe", "abf"], "; did you mean 'abc', 'abd' or 'abe'?"),
        (
            "yolor",
            ["helpful-meadow-5 (YOLOR-D6, 1280x1280)"],
            "; did you mean 'helpful-meadow-5 (YOLOR-D6, 1280x1280)'?",
        ),
        ("yolor", ["resnet", "ab"], ""),
        ("yolor", [], ""),
        (" ", ["a", "b"], ""),
        ("a\nb", ["a\tb"], r"; did you mean 'a\tb'?"),
        ("", [""], ""),
    ],
)
def test_did_you_mean(name: str, candidates: list[str], told: str) -> None:
    assert names.did_you_mean(name, candidates) == told


def test_did_you_mean_puts_the_nearest_first() -> None:
    assert names.did_you_mean("run-17", [f"run-{i}" for i in range(100)], n=1) == "; did you mean 'run-17'?"
    assert names.did_you_mean("rum-17", [f"run-{i}" for i in range(100)], n=1) == "; did you mean 'run-17'?"


def test_did_you_mean_is_bounded() -> None:
    looked_at = 0
    names_of_all = [f"{number} helpful-meadow (YOLOR)" * 20 for number in range(7)]

    def candidates() -> object:
        nonlocal looked_at
        while True:
            looked_at += 1
            yield names_of_all[looked_at % 7]

    started = time.process_time()
    assert names.did_you_mean("helpful-meadows (YOLOR)" * 20, candidates())  # type: ignore[arg-type]
    assert looked_at <= 1_000_001
    assert time.process_time() - started < 10  # quadratic work over all of it takes minutes


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("name", [("name", None)]),
        ("name@2", [("name@2", None), ("name", "2")]),
        (" a @ production ", [("a @ production", None), ("a", "production")]),
        ("a@b@2", [("a@b@2", None), ("a@b", "2"), ("a", "b@2")]),
        ("@", [("@", None)]),
        ("@a", [("@a", None)]),
        ("a@", [("a@", None)]),
        ("a@@b", [("a@@b", None), ("a@", "b"), ("a", "@b")]),
        ("", [("", None)]),
    ],
)
def test_split_reference_tries_the_exact_name_first(text: str, ways: list[tuple[str, str | None]]) -> None:
    assert names.split_reference(text) == ways


@dataclasses.dataclass(frozen=True)
class Photo:
    locator: str


def test_a_message_shows_of_a_sample_what_tells_it_from_others() -> None:
    assert names.shown_value(Photo("val2017/000000397133.jpg")) == "Photo(locator='val2017/000000397133.jpg')"
    assert len(names.shown_value(Photo("x" * 1000))) <= 100
