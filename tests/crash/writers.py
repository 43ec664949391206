"""Programs that the kill tests start, and kill.

`python -m tests.crash.writers`: loads everything, says `ready`, and lives for each line (`forks.serve`).

`FOLDER, NAME`: commits without end. Each line is an acknowledgement, written after the call returned: the
names of the models that the commit made, with blanks between.
"""

from __future__ import annotations

import localreg
from tests.crash.forks import say, serve
from tests.crash.scenarios import SCENARIOS, short_spans
from tests.pictures import Picture, TestCase, Truth


def forever(folder: str, writer: str) -> None:
    registry = localreg.open(folder, actor=writer)
    localreg.use(registry)
    number = 0
    while True:
        number += 1
        name = f"{writer}-{number}"
        if number % 5 == 0:
            TestCase(f"case-{name}", test_samples=[(Picture(number), Truth(name)), (Picture(-number), Truth(writer))])
            say(f"case-{name}")
        elif number % 2:
            registry.create_model(name)
            say(name)
        else:
            names = [f"{name}-{part}-of-3" for part in "abc"]
            with registry.transaction(name):
                for each in names:
                    registry.create_model(each)
            say(" ".join(names))


def rehearse() -> None:
    """Load all modules: their files shall not be counted."""
    for scenario in SCENARIOS:
        registry = localreg.open(f"memory://rehearsal of {scenario.name}")
        for step in (*scenario.before, *scenario.steps):
            step(registry)


if __name__ == "__main__":
    with short_spans():
        rehearse()
        say("ready")
        serve(forever)
