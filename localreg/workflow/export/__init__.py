"""Inferences as files that others read: Parquet, CSV, JSON lines, COCO results. Streamed; whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from localreg.errors import InvalidInputError
from localreg.names import check_flag, shown_value
from localreg.storage.new_file import checked_target, new_file

if TYPE_CHECKING:
    from localreg.workflow.inferred import Inferred

__all__ = ["FORMATS", "export_inferences"]

FORMATS = ("parquet", "csv", "jsonl", "coco")
_BY_ENDING = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "coco",
}


def export_inferences(
    inferred: Callable[[], Inferred], path: str | os.PathLike[str], *, format: str | None, overwrite: bool
) -> int:
    """Write inferences; see `Model.export_inferences`. `inferred` is asked once it is known that there is a way."""
    target = checked_target(path, overwrite=check_flag(overwrite, what="overwrite"))
    write = _writer(_format_of(target.suffix, format))
    rows = inferred()
    with new_file(target, overwrite=overwrite) as file:
        return write(rows, file)


def _format_of(ending: str, format: str | None) -> str:
    if format is None:
        found = _BY_ENDING.get(ending.lower())
        if found is None:
            raise InvalidInputError(f"the ending {ending!r} says no format; pass format=, one of {', '.join(FORMATS)}")
        return found
    if format not in FORMATS:
        raise InvalidInputError(f"format is {shown_value(format)}; it must be one of {', '.join(FORMATS)}")
    return format


def _writer(format: str) -> Callable[[Inferred, BinaryIO], int]:
    from localreg.workflow.export import coco_results, writers

    return {
        "parquet": writers.write_parquet,
        "csv": writers.write_csv,
        "jsonl": writers.write_json_lines,
        "coco": coco_results.write_results,
    }[format]
