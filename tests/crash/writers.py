"""Programs that the kill tests start, and kill.

`python -m tests.crash.writers forever FOLDER NAME`: commits without end. Each line on the standard output is an
acknowledgement, written after the call returned: the names of the models that the commit made, with blanks between.

`python -m tests.crash.writers once FOLDER SCENARIO`: opens the registry, says `ready`, waits for a line, runs the
steps of a scenario, says `done`.
"""

from __future__ import annotations

import os
import sys

import localreg
from tests.crash.scenarios import SCENARIOS
from tests.pictures import Picture, TestCase, Truth


def acknowledge(*names: str) -> None:
    """One write to the pipe: whole, and not in any buffer of ours when a kill comes."""
    os.write(1, f"{' '.join(names)}\n".encode())


def forever(folder: str, writer: str) -> None:
    registry = localreg.open(folder, actor=writer)
    localreg.use(registry)
    number = 0
    while True:
        number += 1
        name = f"{writer}-{number}"
        if number % 5 == 0:
            TestCase(f"case-{name}", test_samples=[(Picture(number), Truth(name)), (Picture(-number), Truth(writer))])
            acknowledge(f"case-{name}")
        elif number % 2:
            registry.create_model(name)
            acknowledge(name)
        else:
            names = [f"{name}-{part}-of-3" for part in "abc"]
            with registry.transaction(name):
                for each in names:
                    registry.create_model(each)
            acknowledge(*names)


def once(folder: str, scenario_name: str) -> None:
    (scenario,) = [each for each in SCENARIOS if each.name == scenario_name]
    registry = localreg.open(folder, actor="killed")
    if scenario.before:
        assert registry.commit == len(scenario.before)
    rehearsal = localreg.open("memory://rehearsal")  # loads all modules: their files shall not be counted
    for step in (*scenario.before, *scenario.steps):
        step(rehearsal)
    acknowledge("ready")
    sys.stdin.readline()
    for step in scenario.steps:
        step(registry)
    acknowledge("done")


if __name__ == "__main__":
    {"forever": forever, "once": once}[sys.argv[1]](*sys.argv[2:])
