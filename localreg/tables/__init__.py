"""Typed tables: Python types to Parquet and back, and the files that hold their rows."""

from localreg.tables.columns import objects_of, struct_column
from localreg.tables.parts import part_file, read_part, write_part
from localreg.tables.schema import ANY_JSON_FIELDS, Field, Node, arrow_type, schema_of

__all__ = [
    "ANY_JSON_FIELDS",
    "Field",
    "Node",
    "arrow_type",
    "objects_of",
    "part_file",
    "read_part",
    "schema_of",
    "struct_column",
    "write_part",
]
