"""Of a log and of what a copy holds of its files: the last commit that is all there, whatever was copied when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.log.entry import Head
from localreg.log.state import State
from localreg.log.torn import ENOUGH, TORN_AT_MOST, Tail, find_torn
from localreg.records.files import FilePointer
from localreg.storage import MemoryStore

FOLDERS = ("artifacts/aa", "artifacts/bb", "data/events/o", "data/inferences/o", "data/inferences/p")


def pointer(commit: int, folder: str) -> FilePointer:
    return FilePointer(f"{folder}/{commit}", "t", "o", 0, 1, "0" * 64)


def torn_at(brought: dict[int, list[str]], there: set[str], newest: int, *, seen: int = 0) -> int | None:
    """Where the log of so many commits is torn; None = nowhere."""
    store = MemoryStore()
    for path in there:
        store.put(path, b"x")
    tail = Tail(0)
    tail.brought = [(commit, [pointer(commit, folder) for folder in brought[commit]]) for commit in sorted(brought)]
    torn = find_torn(store, State(Head(newest, "", "")), tail, seen)
    return None if torn is None else torn.last


@given(
    st.dictionaries(st.integers(1, 50), st.lists(st.sampled_from(FOLDERS), min_size=1, unique=True)),
    st.fixed_dictionaries({folder: st.integers(0, 50) for folder in FOLDERS}),
)
def test_what_is_left_is_all_there_and_no_less_than_there_is(
    brought: dict[int, list[str]], taken: dict[str, int]
) -> None:
    """`taken`: the commit at which each folder was taken; what came into it later is not there."""
    there = {f"{each}/{commit}" for commit, folders in brought.items() for each in folders if commit <= taken[each]}
    lacking = [commit for commit, folders in brought.items() if any(commit > taken[each] for each in folders)]
    assert torn_at(brought, there, 50) == (min(lacking) - 1 if lacking else None)


def whole(brought: dict[int, list[str]], *but: str) -> set[str]:
    return {f"{each}/{commit}" for commit, folders in brought.items() for each in folders} - set(but)


@pytest.mark.parametrize("folder", ["artifacts/bb", "data/inferences/o"])
def test_many_whole_files_of_one_kind_say_nothing_of_another(folder: str) -> None:
    brought = {1: ["artifacts/aa"], 2: [folder]} | {number: ["data/events/o"] for number in range(3, 200)}
    assert torn_at(brought, whole(brought, f"{folder}/2"), 199) == 1


def test_a_file_that_is_lost_before_many_whole_ones_of_its_kind_is_damage() -> None:
    last = 10 + ENOUGH
    brought = {number: [f"data/events/{number}"] for number in range(1, last + 1)}
    assert torn_at(brought, whole(brought, "data/events/10/10"), last) is None
    assert torn_at(brought, whole(brought, "data/events/11/11"), last) == 10


def test_a_file_that_is_lost_before_a_later_one_of_its_folder_is_damage() -> None:
    brought = {1: ["data/events/o"], 2: ["data/events/o"], 3: ["data/events/p"]}
    assert torn_at(brought, whole(brought, "data/events/o/1"), 3) is None
    assert torn_at(brought, whole(brought, "data/events/o/2"), 3) == 1


def test_what_was_seen_is_not_looked_at() -> None:
    brought = {1: ["data/events/o"], 2: ["data/events/o"]}
    assert torn_at(brought, set(), 2) == 0
    assert torn_at(brought, set(), 2, seen=1) == 1
    assert torn_at(brought, set(), 2, seen=2) is None


def test_files_that_were_left_out_are_no_tear() -> None:
    newest = TORN_AT_MOST + 5
    brought = {number: ["data/events/o"] for number in range(1, newest + 1)}
    assert torn_at(brought, set(), newest) is None
