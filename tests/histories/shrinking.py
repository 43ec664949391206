"""A failing history, made small: fewer acts, fewer clients, fewer kinds of faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from tests.histories.history import Plan, play
from tests.histories.oracle import check

__all__ = ["failure", "shrunk"]


def failure(seed: int, plan: Plan | None = None) -> BaseException | None:
    """What is wrong with the history of a seed; None if nothing is."""
    try:
        history = play(seed, plan)
        with history.world.cleaned():
            check(history)
    except Exception as error:  # whatever the code under test lets out is a finding
        return error
    return None


def shrunk(seed: int, plan: Plan) -> Plan:
    """The smallest plan that still fails, as far as leaving out one thing after another leads."""
    found = True
    while found:
        found = False
        for smaller in _smaller(plan):
            if failure(seed, smaller) is not None:
                plan, found = smaller, True
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    for place in range(len(plan.clients)):
        yield replace(plan, clients=plan.clients[:place] + plan.clients[place + 1 :])
    for fault in fields(plan.weather):
        if getattr(plan.weather, fault.name):
            calmer: dict[str, Any] = {fault.name: fault.default}
            yield replace(plan, weather=replace(plan.weather, **calmer))
    for place, acts in enumerate(plan.clients):
        for number in reversed(range(len(acts))):
            fewer = acts[:number] + acts[number + 1 :]
            clients = (*plan.clients[:place], *([fewer] if fewer else []), *plan.clients[place + 1 :])
            yield replace(plan, clients=clients)
