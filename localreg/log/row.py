"""One record as the log left it: what snapshots hold, the fold makes, and queries and handles read."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from localreg.canonical import JsonObject
from localreg.errors import FormatError, NotFoundError
from localreg.records.base import Record
from localreg.records.forms import has_declared_form

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
        """The record's fields; of a redacted one, what the log itself still says.

        Raises:
            FormatError: this release cannot read what is recorded.
        """
        if self.record is None:
            return {"id": self.id, "name": self.name}
        if not has_declared_form(self.kind, self.record):
            raise self._misread()
        return self.record

    @property
    def number(self) -> int:
        """The name of what is called by numbers: a version of a test case or a test suite.

        Raises:
            FormatError: it is called otherwise.
        """
        if not (self.name.isascii() and self.name.isdigit() and len(self.name) < 10):
            raise self._misread()
        return int(self.name)

    def load(self, record_class: type[RecordT]) -> RecordT:
        """The record as an object of its class; of a redacted one, as far as id and name suffice.

        Raises:
            NotFoundError: the event that put it last was redacted, and what it said is needed.
            FormatError: this release cannot read what is recorded.
        """
        try:
            return record_class.model_validate(self.record or {"id": self.id, "name": self.name})
        except ValidationError as error:
            if self.record is None:
                raise NotFoundError(
                    f"{self._what} was redacted in {self._where}; look at a later commit", code="redacted"
                ) from error
            raise self._misread() from error

    @property
    def _what(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.name!r}"

    @property
    def _where(self) -> str:
        return f"commit {self.updated[0]}, event {self.updated[1]}"

    def _misread(self) -> FormatError:
        return FormatError(
            f"{self._what} was recorded in {self._where}, in a form that this release cannot read; upgrade localreg, "
            f"or take it back: `localreg undo {self.updated[0]}`"
        )
