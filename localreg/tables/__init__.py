"""Typed tables: Python types to Parquet and back, and the files that hold their rows."""

from localreg.tables.codecs import StructCodec, note_extras
from localreg.tables.columns import objects_of, struct_column
from localreg.tables.conform import conform, unpacked, unpacked_type
from localreg.tables.dict_codecs import DictCodec
from localreg.tables.extras import extras_of, put_extras
from localreg.tables.faults import Fault, first_fault
from localreg.tables.fitting import Fitting, fit
from localreg.tables.hints import Names, Vector, is_json_object, schema_of
from localreg.tables.labels import NO_LABEL, CodedRows, Vocabulary, coded_rows
from localreg.tables.parts import part_file, read_part, write_part
from localreg.tables.schema import JSON_FIELD, Field, Node, arrow_type, merged
from localreg.tables.vectors import (
    EMPTY,
    VECTORS,
    split_vectors,
    vector_digests,
    vector_fields,
    without_vectors,
    write_rows,
)

__all__ = [
    "EMPTY",
    "JSON_FIELD",
    "NO_LABEL",
    "VECTORS",
    "DictCodec",
    "Fault",
    "Field",
    "Fitting",
    "Names",
    "Node",
    "StructCodec",
    "Vector",
    "CodedRows",
    "Vocabulary",
    "arrow_type",
    "conform",
    "extras_of",
    "first_fault",
    "fit",
    "is_json_object",
    "coded_rows",
    "merged",
    "note_extras",
    "objects_of",
    "part_file",
    "put_extras",
    "read_part",
    "schema_of",
    "split_vectors",
    "struct_column",
    "unpacked",
    "unpacked_type",
    "vector_digests",
    "vector_fields",
    "without_vectors",
    "write_part",
    "write_rows",
]
