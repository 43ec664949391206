"""Rows of inferences to an open file, batch by batch."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from localreg.workflow.export.json_text import as_texts, lines_of, selected
from localreg.workflow.inferred import BATCH

if TYPE_CHECKING:
    from localreg.workflow.inferred import Inferred

__all__ = ["write_csv", "write_json_lines", "write_parquet"]


def write_parquet(inferred: Inferred, file: BinaryIO) -> int:
    """All columns as they are; a row group a batch."""
    import pyarrow.parquet as pq

    tables = inferred.tables(BATCH)
    first = next(tables)
    with pq.ParquetWriter(file, first.schema, compression="zstd", compression_level=1) as writer:
        for table in chain([first], tables):
            writer.write_table(table)
    return len(inferred.indices)


def write_csv(inferred: Inferred, file: BinaryIO) -> int:
    """One header; nested values as JSON text; nothing between commas is null, `""` an empty text."""
    from pyarrow import csv

    for number, table in enumerate(inferred.tables(BATCH)):
        texts = selected(as_texts(table.schema), table)
        csv.write_csv(texts, file, csv.WriteOptions(include_header=number == 0))
    return len(inferred.indices)


def write_json_lines(inferred: Inferred, file: BinaryIO) -> int:
    """An object a line, with all columns."""
    for table in inferred.tables(BATCH):
        for chunk in selected(lines_of(table.schema), table)["line"].chunks:
            file.writelines(f"{line}\n".encode() for line in chunk.to_pylist())
    return len(inferred.indices)
