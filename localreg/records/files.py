"""Pointers to bulk files: how an event names the Parquet parts and artifacts that it brings in."""

from __future__ import annotations

from dataclasses import dataclass, field

from localreg.canonical import JsonObject

__all__ = ["FilePointer"]


@dataclass(frozen=True, slots=True)
class FilePointer:
    """A bulk file that an event brings in.

    Attributes:
        path: relative to the namespace's folder, such as `data/inferences/<owner>/<part>.parquet`.
        table: which bulk table the rows belong to.
        owner: id of the record that the file hangs on.
        rows: number of rows.
        bytes: size of the file.
        sha256: of the file's bytes.
        details: what a reader of this table must know of the part, such as `first` (index of its first sample).
    """

    path: str
    table: str
    owner: str
    rows: int
    bytes: int
    sha256: str
    details: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The pointer as it stands in the event's record."""
        return {
            "bytes": self.bytes,
            "details": self.details,
            "owner": self.owner,
            "path": self.path,
            "rows": self.rows,
            "sha256": self.sha256,
            "table": self.table,
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> FilePointer:
        """The inverse of `to_json`; keys that a later release may add are ignored."""
        return cls(**{key: value[key] for key in cls.__slots__})  # type: ignore[arg-type]
