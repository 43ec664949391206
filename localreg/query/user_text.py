"""What a user wrote as an expression, and what is said of it when it is refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.query.quoting import identifier, literal
from localreg.records.differences import path_text

__all__ = ["HasKey", "UserText", "no_key", "quote"]


def quote(text: object, *, length: int = 200) -> str:
    """What the user wrote, in quotes and cut to fit into a message."""
    shown = text if isinstance(text, str) else shown_value(text)
    return repr(shown if len(shown) <= length else shown[: length - 1] + "…")


HasKey = Callable[[str], bool]
"""Whether some row has a key in its metadata. Asked only where something is refused, since it costs a look at them."""


def no_key(key: str) -> bool:
    """Nothing is known of the rows."""
    return False


@dataclass(frozen=True, slots=True)
class UserText:
    """One expression as it was written, with what it may refer to, and how to complain about it."""

    label: str
    """The argument: `where`, `order_by` or `by`."""
    text: str
    columns: Mapping[str, str]
    """Documented name → DuckDB type."""
    table: str
    has_key: HasKey = no_key

    def error(self, reason: str) -> InvalidInputError:
        """The error to raise, with what the user wrote."""
        return InvalidInputError(f"cannot use {self.label} {quote(self.text)}: {reason}")

    def column(self, name: str) -> str | None:
        """The documented name that `name` means, in whatever case."""
        if name in self.columns:
            return name
        return next((each for each in self.columns if each.lower() == name.lower()), None)

    def unknown_column(self, names: list[str]) -> InvalidInputError:
        """The error to raise for a name, perhaps with fields, that is no column."""
        name = names[0]
        if len(names) == 1 and re.search(re.escape(identifier(name)), self.text):
            return self.error(
                f"no column {identifier(name)} in {self.table}; text stands in single quotes: {literal(name)}"
            )
        if "metadata" in self.columns and self.has_key(name):
            path = "metadata"
            for each in names:
                path = path_text(path, each)
            return self.error(f"no column '{name}' in {self.table}; did you mean {path}?")
        near = difflib.get_close_matches(name.lower(), self.columns, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        return self.error(f"no column '{name}' in {self.table}{hint} Columns: {', '.join(self.columns)}")
