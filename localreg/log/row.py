"""One record as the log left it: what snapshots hold, the fold makes, and queries and handles read."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from localreg.canonical import JsonObject
from localreg.errors import FormatError, NotFoundError
from localreg.records.base import Record

__all__ = ["Row"]

RecordT = TypeVar("RecordT", bound=Record)


class Row(NamedTuple):
    """One record as the log left it, with what the log knows of its making.

    Attributes:
        parent: id of the record within which the name is unique; "" = the namespace.
        record: the record's fields; None if the event that put it was redacted and none put it since.
        created: (commit, event) that put it first: the order of creation.
        updated: (commit, event) that put it last: changes with every change of the record.
    """

    kind: str
    parent: str
    name: str
    id: str
    record: JsonObject | None
    created: tuple[int, int]
    created_at: str
    created_by: str
    updated: tuple[int, int]
    updated_at: str
    updated_by: str

    @property
    def fields(self) -> JsonObject:
        """The record's fields; of a redacted one, what the log itself still says."""
        return self.record if self.record is not None else {"id": self.id, "name": self.name}

    def load(self, record_class: type[RecordT]) -> RecordT:
        """The record as an object of its class; of a redacted one, as far as id and name suffice.

        Raises:
            NotFoundError: the event that put it last was redacted, and what it said is needed.
            FormatError: this release cannot read what is recorded.
        """
        try:
            return record_class.model_validate(self.fields)
        except ValidationError as error:
            what = f"{self.kind.replace('_', ' ')} {self.name!r}"
            if self.record is None:
                where = f"commit {self.updated[0]}, event {self.updated[1]}"
                raise NotFoundError(
                    f"{what} was redacted in {where}; look at a later commit", code="redacted"
                ) from error
            raise FormatError(
                f"{what} was recorded in a form that this release cannot read; upgrade localreg"
            ) from error
