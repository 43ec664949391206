"""A clock for tests of leases, in which waiting takes no time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localreg.storage import Lease, Store


class World:
    """One clock for all, moved by sleeping; things happen while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.plans: list[tuple[float, Callable[[], object]]] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [plan for plan in self.plans if plan[0] <= end]:
            plan = min(due, key=lambda each: each[0])
            self.plans.remove(plan)
            self.now = max(self.now, plan[0])
            plan[1]()
        self.now = end

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        self.plans.append((self.now + seconds, act))

    def adopt_leases(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sessions that are opened from now on have their leases here."""
        made = Lease.__init__
        world = self

        def init(self: Lease, store: Store, *, actor: str, host: str) -> None:
            made(self, store, actor=actor, host=host, clock=world.clock, sleep=world.sleep)

        monkeypatch.setattr(Lease, "__init__", init)
