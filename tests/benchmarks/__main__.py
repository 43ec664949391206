"""Print how near we are to what the disk and the libraries underneath allow. No time is asserted: machines differ.

Run `python -m tests.benchmarks [--rounds N] [--folder FOLDER] [--large] [--only GROUP]`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks import (
    bulk_executors,
    bulk_in,
    bulk_out,
    compare,
    definitions,
    detection,
    experiments,
    faults,
    ground,
    metrics,
    page,
    page_compare,
    page_curves,
    remote,
    size,
    statistics,
    typed,
    writers,
)
from tests.benchmarks.harness import Bench, Figure, bench_folder, file_system

GROUPS = {
    "ground": ground,
    "size": size,
    "page": page,
    "page_curves": page_curves,
    "writers": writers,
    "remote": remote,
    "typed": typed,
    "executors": bulk_executors,
    "in": bulk_in,
    "out": bulk_out,
    "compare": compare,
    "metrics": metrics,
    "detection": detection,
    "statistics": statistics,
    "experiments": experiments,
    "definitions": definitions,
    "page_compare": page_compare,
    "faults": faults,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="more rounds, steadier medians")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to measure: a real disk")
    parser.add_argument(
        "--large", action="store_true", help="also ten million rows, and a million models: half an hour"
    )
    parser.add_argument("--only", default="", help=f"only this group: {', '.join(GROUPS)}")
    arguments = parser.parse_args()
    with bench_folder(arguments.folder) as folder:
        print(f"on {file_system(folder)}, medians of {arguments.rounds} rounds\n")
        print(f"{'ratio':>7}  {'at most':>7}  {'ours ms':>9}  {'limit ms':>9}  what")
        bench = Bench(folder, arguments.rounds, arguments.large)
        for name, group in GROUPS.items():
            if arguments.only in ("", name):
                for figure in group.figures(bench):
                    print(line(figure), flush=True)


def line(figure: Figure) -> str:
    """One row of the table; an exclamation mark where it falls short."""
    at_most = "" if figure.at_most is None else f"{figure.at_most:.3g}"
    mark = "!" if figure.at_most is not None and figure.ratio > figure.at_most else " "
    times = f"{figure.ours * 1e3:9.3f}  {figure.limit * 1e3:9.3f}"
    return f"{figure.ratio:7.2f}{mark} {at_most:>7}  {times}  {figure.what}"


if __name__ == "__main__":
    main()
