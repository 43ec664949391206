"""How old something is: never more than it is, whatever other machines' clocks show, and as much as one has seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localreg.log import Entry
from localreg.upkeep.age import NAMELESS, Ages, Look

HOSTS = ("desk", "rack", "laptop")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY_S = 86_400.0
SOON = 1e-3
"""Seconds by which texts of times may be off."""


class Step(NamedTuple):
    """What happens next: somebody commits, or looks."""

    is_look: bool
    host: int
    days: float
    """Since the last step."""
    begun: float
    """Of a commit: how far its writer was, between the commit before and this one, when it took the time."""
    back: float
    """Days by which the machine's clock is set back after it."""


STEPS = st.lists(
    st.builds(
        Step,
        st.booleans(),
        st.integers(0, len(HOSTS) - 1),
        st.floats(0, 30),
        st.floats(0, 1),
        st.one_of(st.just(0.0), st.floats(0, 4000)),
    ),
    min_size=1,
    max_size=20,
)
OFF = st.tuples(*[st.floats(-9000, 9000)] * len(HOSTS))


class Told(NamedTuple):
    """A history as it is noted, and as it was."""

    ages: Ages
    begun: dict[int, float]
    """By commit, the day on which its writer took the time."""
    looked: list[float]
    """The day of each look."""
    today: float


def text(day: float) -> str:
    return (BEGIN + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry(commit: int, host: str, time: str) -> Entry:
    return cast(Entry, SimpleNamespace(events=(SimpleNamespace(commit=commit, host=host, time=time),)))


def told(steps: Sequence[Step], off: Sequence[float], monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is noted of steps, by clocks that are wrong by `off` days and are only ever set back."""
    wrong, today, before = list(off), 0.0, 0.0
    entries: list[Entry] = []
    looks: list[Look] = []
    begun: dict[int, float] = {}
    looked: list[float] = []
    clock_at: list[list[tuple[float, float]]] = [[(0.0, each)] for each in off]
    for step in steps:
        today += step.days
        if step.is_look:
            looks.append(Look(len(entries), text(today + wrong[step.host]), f"{HOSTS[step.host]} 0"))
            looked.append(today)
        else:
            day = before + step.begun * (today - before)
            shown = day + next(by for since, by in reversed(clock_at[step.host]) if since <= day)
            entries.append(entry(len(entries) + 1, HOSTS[step.host], text(shown)))
            begun[len(entries)], before = day, today
        wrong[step.host] -= step.back
        clock_at[step.host].append((today, wrong[step.host]))
    here = steps[-1].host
    monkeypatch.setattr("localreg.upkeep.age.host", lambda: HOSTS[here])
    present = Look(len(entries), text(today + wrong[here]), f"{HOSTS[here]} 0")
    return Told(Ages(entries, looks, present), begun, looked, today)


@given(STEPS, OFF)
@example([Step(True, 0, 0, 0, 0), Step(False, 1, 10, 0, 0), Step(False, 1, 0, 1, 0)], (0.0, 0.0, 0.0))
def test_nothing_is_older_than_it_is(steps: list[Step], off: tuple[float, ...]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        history = told(steps, off, patch)
        for commit, day in history.begun.items():
            assert history.ages.of_commit(commit) <= (history.today - day) * DAY_S + SOON
        for place, day in enumerate(history.looked):
            assert history.ages.of_look(place) <= (history.today - day) * DAY_S + SOON


@given(STEPS, OFF)
def test_a_machine_that_is_asked_again_has_seen_all_that_passed(steps: list[Step], off: tuple[float, ...]) -> None:
    steady = [step._replace(back=0.0, host=1) for step in steps]
    with pytest.MonkeyPatch.context() as patch:
        history = told(steady, off, patch)
        for commit, day in history.begun.items():
            assert history.ages.of_commit(commit) >= (history.today - day) * DAY_S - SOON
        for place, day in enumerate(history.looked):
            assert history.ages.of_look(place) >= (history.today - day) * DAY_S - SOON


@pytest.mark.parametrize("host", sorted(NAMELESS))
def test_machines_of_a_name_that_many_have_are_not_taken_for_one(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.upkeep.age.host", lambda: host)
    entries = [entry(1, host, text(0)), entry(2, host, text(4000))]
    assert Ages(entries, [], Look(2, text(4000), f"{host} 0")).of_commit(1) == 0


def test_the_commit_after_a_look_may_be_older_than_the_look_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.upkeep.age.host", lambda: "desk")
    looks = [Look(1, text(10), "desk 0")]
    entries = [entry(2, "rack", text(0)), entry(3, "rack", text(10))]
    present = Look(3, text(10), "desk 0")
    assert Ages(entries, looks, present).of_look(0) == 0
    later: Any = [*entries, entry(4, "rack", text(12))]
    assert Ages(later, looks, present).of_look(0) == 2 * DAY_S


def test_what_is_no_time_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.upkeep.age.host", lambda: "desk")
    entries = [entry(1, "rack", "9999-99-99T99:99:99.999999Z"), entry(2, "rack", text(3)), entry(3, "rack", text(5))]
    assert Ages(entries, [], Look(3, text(0), "desk 0")).of_commit(1) == 2 * DAY_S
