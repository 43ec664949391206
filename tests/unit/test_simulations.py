"""A small part of `python -m tests.simulations.coverage`: seeds make it come out the same each time."""

from __future__ import annotations

import pytest

from tests.simulations.cases import Case, all_cases
from tests.simulations.families import FamilyRow, simulated

REPETITIONS = 100
SHOWN = {
    "ROC AUC, AP": ("equal, 5 % positive", 100),
    "log loss, Brier score": ("too sure", 100),
    "regression": ("equal, heavy tails (t of 3)", 100),
    "labels in clusters": ("equal, clusters much alike", 10),
    "ROC AUC, AP in clusters": ("5 % positive", 10),
    "regression in clusters": ("normal errors", 10),
    "tests of means": ("equal, normal errors", 10),
    "detection": ("3 classes, images unlike each other", 50),
}
"""Of each family that takes no bootstrap one population, and how many samples or clusters."""


def chosen(family: str) -> Case:
    (case,) = [
        each
        for each in all_cases((50, 100), (10,))
        if each.family == family and (each.population, each.n) == SHOWN[family]
    ]
    return case


def found(case: Case) -> FamilyRow:
    return simulated(case, REPETITIONS, seed=1, size=case.size // 20)


@pytest.mark.parametrize("family", SHOWN)
def test_intervals_of_each_family_cover(family: str) -> None:
    case = chosen(family)
    row = found(case)
    coverage, alarms = row.coverage(), row.rejected()
    assert coverage or family == "tests of means"
    assert all(each >= 86 for each in coverage.values()), coverage
    if case.equal:
        assert alarms
        assert all(each <= 12 for each in alarms.values()), alarms
