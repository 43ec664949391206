"""Play one history, or look for one that is not allowed.

`--seed N` replays one and prints who did what when; `--count N` plays so many from `--first` on, and shrinks the first
that fails.
"""

from __future__ import annotations

import argparse
import logging
import time

from tests.histories.history import Plan, play
from tests.histories.oracle import check
from tests.histories.shrinking import failure, shrunk


def main() -> int:
    """The exit code: 1 if a history is not allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--count", type=int, default=1_000, help="how many to play")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args()
    logging.disable()
    if chosen.seed is not None:
        return replay(chosen.seed, Plan.of(chosen.seed))
    began = time.process_time()
    for number in range(chosen.count):
        seed = chosen.first + number
        if failure(seed) is not None:
            print(f"seed {seed} fails; the smallest history of it that does:")
            replay(seed, shrunk(seed, Plan.of(seed)))
            print(f"\npython -m tests.histories --seed {seed}")
            return 1
    rate = chosen.count / (time.process_time() - began)
    print(f"{chosen.count} histories are as they must be; {rate:.0f} in a second of one processor")
    return 0


def replay(seed: int, plan: Plan) -> int:
    """Play a history, and tell it."""
    print(plan)
    told: list[str] = []
    try:
        history = play(seed, plan, told=told)
        with history.world.cleaned():
            check(history)
    except Exception as error:
        print("\n".join(told))
        print(f"{type(error).__name__}: {error}")
        return 1
    print("\n".join(told))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
