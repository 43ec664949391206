"""A fault before and after every storage call while an experiment runs and ends: what was reported is there, once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from localreg import Registry
from localreg.errors import LocalregError, UnknownOutcomeError
from localreg.experiments import Experiment
from localreg.session import Session
from localreg.session.presence import Presence
from localreg.storage import LocalStore
from localreg.testing import CrashedError, FaultyStore
from tests.crash.scenarios import open_at
from tests.crash.strikes import Strikes

LATE = 3_600.0
POINTS = 4


def train(registry: Registry, done: list[int]) -> None:
    """Log points and events, half of which are flushed, and end."""
    experiment = registry.experiment("e", strict=True, flush_every=LATE)
    try:
        for step in range(POINTS):
            experiment.log({"x": float(step)}, step=step)
            done.append(step)
            experiment.event("x", metadata={"n": step})
            done.append(step)
            if step == 1:
                experiment.flush()
        experiment.finish()
    finally:
        if experiment._recorder is not None:  # what a process that is gone does not do any more
            with suppress(LocalregError, CrashedError):
                experiment._recorder._stack.close()


def values(experiment: Experiment, *, live: bool) -> list[float]:
    """Of points and events, sorted."""
    points = [row["value"] for row in experiment.points("x", live=live)]
    events = [row["metadata"]["n"] for row in experiment.events(live=live)]
    return sorted(points + events)


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_any_storage_call_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: Literal["before", "after"], dead: bool
) -> None:
    for k in (strikes := Strikes()):
        root = LocalStore(tmp_path / str(k))
        store = FaultyStore(root, fail_at=k, when=when, then_dead=dead)
        done: list[int] = []
        with suppress(LocalregError, CrashedError):
            train(Registry(open_at(store)), done)
        with monkeypatch.context() as gone:
            gone.setattr(Presence, "is_alive", lambda *_: False)
            registry = Registry(open_at(root))
            if len(registry.experiments()):
                experiment = registry.get_experiment("e")
                assert values(experiment, live=True) == done, f"call {k}"
                registry.recover_experiments()
                assert values(experiment, live=False) == done, f"call {k}"
                assert experiment.info.status in ("finished", "killed")
            else:
                assert not done
            assert registry.verify().ok
        strikes.called(store.calls)
        assert len(store.calls) > 20 or k


@pytest.mark.parametrize("error", [UnknownOutcomeError("nobody answers"), KeyboardInterrupt()], ids=["unknown", "key"])
def test_rows_stay_where_an_entry_may_name_them(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    experiment = registry.experiment("e")
    experiment.log({"x": 1.0})
    experiment.event("x", metadata={"n": 1})
    change = Session.change

    def lost(session: Session, *arguments: Any, **named: Any) -> Any:
        change(session, *arguments, **named)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Session, "change", lost)
        with pytest.raises(type(error)):
            experiment.finish()
    assert (experiment.info.status, values(experiment, live=False)) == ("finished", [1.0, 1.0])
    assert values(experiment, live=True) == [1.0, 1.0]
    assert registry.verify().ok
