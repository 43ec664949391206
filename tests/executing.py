"""A workflow whose models can be sent to other processes, for tests of executors."""

from __future__ import annotations

import os
from dataclasses import dataclass

from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow

__all__ = ["Case", "Model", "Number", "Parity", "Suite", "Truth", "parity"]

DEADLY, ODD, BAD = 37, 11, 13


@dataclass(frozen=True)
class Number(TestSample):
    value: int


@dataclass(frozen=True)
class Truth(GroundTruth):
    even: bool


@dataclass(frozen=True)
class Parity(Inference):
    even: bool
    value: int
    pid: int


_, Case, Suite, Model = define_workflow("parity", Number, Truth, Parity)


def parity(number: Number) -> Parity:
    return Parity(number.value % 2 == 0, number.value, os.getpid())


def exits(number: Number) -> Parity:
    if number.value == DEADLY:
        os._exit(3)
    return parity(number)
