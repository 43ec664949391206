from __future__ import annotations

import numpy as np
import pytest

from localreg.hashing import HashIndex


@pytest.mark.parametrize("count", [0, 1, 2, 17, 1_000, 300_000])
def test_each_hash_is_found_where_it_stands(count: int) -> None:
    values = np.random.default_rng(count).integers(0, 2**64, count, dtype=np.uint64)
    index = HashIndex(values)
    order = np.random.default_rng(1).permutation(count)
    assert np.array_equal(index.find(values[order]), order)
    assert not len(index.doubles)


def test_a_hash_that_is_not_there_is_not_found() -> None:
    values = np.arange(1_000, dtype=np.uint64)  # all in one slot of the first table
    index = HashIndex(values)
    assert np.array_equal(index.find(values), np.arange(1_000))
    assert (index.find(values + np.uint64(1_000)) == -1).all()


def test_of_equal_hashes_one_is_found_and_the_others_are_told() -> None:
    values = np.array([7, 5, 7, 9, 7, 5], np.uint64)
    index = HashIndex(values)
    found = index.find(values)
    assert np.array_equal(values[found], values)
    assert sorted([*index.doubles.tolist(), *set(found.tolist())]) == [0, 1, 2, 3, 4, 5]
    assert len(index.doubles) == 3
