"""Programs that run a model on a test suite, for tests that kill them or start two.

`python -m tests.crash.testers FOLDER [eager]`: opens the registry, says `ready`, and runs the model `tester` on the
suite `numbers`. Before each inference it writes the number of the sample on its standard output, and waits for a line.
With `eager` each inference is written at once; else as the library sees fit. At the end it says `done`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import localreg
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, running, test

__all__ = ["Case", "Model", "Number", "Parity", "Suite", "Truth", "parity"]


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


_, Case, Suite, Model = define_workflow("parity", Number, Truth, Parity)


def parity(number: Number) -> Parity:
    return Parity(number.value % 2 == 0, number.value)


def say(text: str) -> None:
    """One write to the pipe: whole, and not in any buffer of ours when a kill comes."""
    os.write(1, f"{text}\n".encode())


def told(number: Number) -> Parity:
    say(str(number.value))
    sys.stdin.readline()
    return parity(number)


def main(folder: Path, eager: bool) -> None:
    if eager:
        running.FLUSHED_S = 0.0
    localreg.use(localreg.open(folder, actor="tester"))
    model, suite = Model("tester", told), Suite.load("numbers")
    say("ready")
    sys.stdin.readline()
    test(model, suite)
    say("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "eager" in sys.argv[2:])
