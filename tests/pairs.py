"""Pairs of pictures and models that say how alike they are, for tests of verification."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localreg import Registry
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test

__all__ = ["Case", "Net", "Pair", "Same", "Suite", "genuine_of", "judged", "pairs", "said_by"]


@dataclass(frozen=True)
class Pair(TestSample):
    n: int
    light: str = "day"
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Same(GroundTruth):
    same: bool | None
    note: str = ""


@dataclass(frozen=True)
class Alike(Inference):
    similarity: float | None
    seconds: float = 0.1


_, Case, Suite, Net = define_workflow("Pairs", Pair, Same, Alike)

Said = Mapping[int, float | None]


def genuine_of(n: int) -> bool:
    return n % 3 == 0


def pairs(numbers: Sequence[int], truth: Mapping[int, bool | None] | None = None) -> list[Any]:
    """A third of them genuine, if nothing else is said; five to a person."""
    known = truth or {}
    return [
        (Pair(n, "day" if n % 2 else "night", {"person": n // 5}), Same(known.get(n, genuine_of(n)))) for n in numbers
    ]


def said_by(name: str, count: int, apart: float) -> dict[int, float | None]:
    """What a model says of pairs: of genuine ones more, by so much. What is hard is so for all models."""
    dice, own = random.Random("all"), random.Random(name)
    return {n: round(dice.gauss(0, 0.7) + own.gauss(0, 0.7) + apart * genuine_of(n), 3) for n in range(count)}


def judged(registry: Registry, models: Mapping[str, Said], suite: str = "s") -> Registry:
    """Models, run on a suite; None = that pair failed to enrol, and one that is not there is skipped."""
    for name, said in models.items():

        def infer(pair: Pair, said: Said = said) -> Alike | None:
            return Alike(said[pair.n]) if pair.n in said else None

        test(Net(name, infer), Suite(suite))
    return registry
