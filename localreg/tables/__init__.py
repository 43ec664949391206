"""Typed tables: Python types to Parquet and back, and the files that hold their rows."""

from localreg.tables.columns import objects_of, struct_column
from localreg.tables.parts import read_part, write_part
from localreg.tables.schema import Field, Node, arrow_type, schema_of

__all__ = ["Field", "Node", "arrow_type", "objects_of", "read_part", "schema_of", "struct_column", "write_part"]
