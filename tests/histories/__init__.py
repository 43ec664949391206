"""Histories: the real code over a simulated place, with schedules, faults and clocks that a seed decides.

`python -m tests.histories --seed 7` replays one history and prints what happened; `--count 100000` looks for one that
the oracle does not allow.
"""
