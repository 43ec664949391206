"""What all records share: frozen, plain JSON inside, and tolerant of fields that a later release may add."""

from __future__ import annotations

from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict

from localreg.canonical import JsonObject

__all__ = ["Record", "is_known"]


class Record(BaseModel):
    """One record of a namespace. Its fields are JSON; where it comes from, the log knows.

    Fields that this release does not know are kept, so that an older program never strips what a newer one wrote.
    """

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    kind: ClassVar[str]
    """The singular snake_case noun under which the log files it."""

    id: str
    """32 hex digits; the record's identity for ever."""

    name: str
    """Unique within `parent` at any one time."""

    @property
    def parent(self) -> str:
        """Id of the record that the name is unique within; "" = the namespace."""
        return ""

    def to_json(self) -> JsonObject:
        """The record as it stands in the log: plain JSON, null where nothing is said."""
        return cast(JsonObject, self.model_dump())

    def replaced(self, **fields: Any) -> Self:
        """A copy with some fields replaced; the values must already have been checked."""
        return self.model_copy(update=fields)


def is_known(record: JsonObject) -> bool:
    """Whether this is what a record said, and not the stand-in for what was redacted, which has an id and a name only.

    Every kind of record has more fields, and a writer writes every field.
    """
    return not record.keys() <= {"id", "name"}
