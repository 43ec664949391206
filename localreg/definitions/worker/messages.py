"""What a process and the one that runs its model say to each other; pickled, and never kept."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

from localreg.definitions.plan import Plan
from localreg.definitions.worker.raised import Raised
from localreg.garbage import without_collector

__all__ = ["ALIVE", "ANSWER", "ENDED_S", "Answer", "Order", "unpickled"]

ALIVE, ANSWER = 0, 1
"""Tags of what a child says."""

ENDED_S = 2.0
"""So long a child that is not at work may take to end by itself."""


class Order(NamedTuple):
    """The first message to a child; those after it are batches.

    Attributes:
        plan: the model.
        alive_s: how often it says, between two calls, that it goes on; None = never.
    """

    plan: Plan
    alive_s: float | None


class Answer(NamedTuple):
    """What came of a message.

    Attributes:
        batches: predictions of its batches, up to the one that went wrong.
        raised: what went wrong.
        seconds: that it took.
        modules: names of the top-level modules that the process has loaded; none = no more than it told before.
    """

    batches: list[list[object]]
    raised: Raised | None
    seconds: float
    modules: tuple[str, ...] = ()


def unpickled(data: bytes | bytearray) -> Any:
    """What a message holds. The garbage collector rests meanwhile: objects made in bulk are no garbage.

    Raises:
        Exception: it cannot be read here.
    """
    with without_collector():
        return pickle.loads(data)
