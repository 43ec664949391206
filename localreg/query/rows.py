"""Which rows of a documented table are wanted: what `where`, `search` and `archived` come to, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localreg.errors import InvalidInputError, LocalregError
from localreg.names import did_you_mean, shown_value
from localreg.query.expressions import rewrite_order_by, rewrite_where
from localreg.query.guard import explain_error, is_of_files, translate_error
from localreg.query.quoting import identifier
from localreg.query.search import search_condition
from localreg.query.tables import BULK, INTERNAL, TABLES

__all__ = ["Rows"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one documented table; every argument is checked when it is made.

    Args:
        table: name of the table.
        where: a condition, see `localreg.query.expressions`; None = no condition.
        search: words, see `localreg.query.search`; None = no condition.
        archived: only archived records, only others, or (None) both.

    Raises:
        InvalidInputError: no such table, a malformed `where` or `search`, or `archived` where nothing can be.
    """

    table: str
    where: str | None = None
    search: str | None = None
    archived: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.table, str) or self.table not in {*TABLES, *BULK}:
            hint = did_you_mean(self.table, [*TABLES, *BULK]) if isinstance(self.table, str) else ""
            raise InvalidInputError(
                f"no table {shown_value(self.table)}{hint or '; tables: ' + ', '.join([*TABLES, *BULK])}"
            )

    @property
    def columns(self) -> Mapping[str, str]:
        """Documented name → DuckDB type."""
        if self.table in TABLES:
            return TABLES[self.table].columns
        bulk = BULK[self.table]
        return {**{name: kind for name, (kind, _) in bulk.columns.items()}, bulk.typed: "JSON"}

    @property
    def source(self) -> str:
        """The view, with what a listing needs beside the documented columns."""
        return f"{INTERNAL}.{self.table}" if self.table in TABLES else self.table

    def condition(self) -> str:
        """The SQL that is true of the rows."""
        conditions = []
        if self.archived is not None:
            conditions.append(self._archived_condition())
        if self.search is not None:
            table = TABLES.get(self.table)
            searched, is_own = (table.searched, table.is_own) if table else ((), False)
            conditions.append(search_condition(self.search, self.columns, searched, is_own=is_own))
        if self.where is not None:
            conditions.append(f"({rewrite_where(self.where, self.columns, table=self.table)})")
        return " AND ".join(conditions) or "true"

    def _archived_condition(self) -> str:
        if not isinstance(self.archived, bool):
            raise InvalidInputError(
                f"archived is {shown_value(self.archived)}; write True (only archived ones), False (only others) "
                "or None (both)"
            )
        if "archived" not in self.columns:
            raise InvalidInputError(f"nothing in {self.table} can be archived; leave out archived")
        return "archived" if self.archived else "NOT archived"

    def order(self, order_by: str | Sequence[str] | None) -> str:
        """What stands after ORDER BY: what the user says, then the order of creation."""
        own = f"{rewrite_order_by(order_by, self.columns, table=self.table)}, " if order_by is not None else ""
        return f"{own}_order"

    def documented(self) -> str:
        """The documented columns, for a SELECT."""
        return ", ".join(map(identifier, self.columns))

    def told(self, error: Exception) -> LocalregError:
        """DuckDB's error in the user's words; the fault is ours without a `where`, or if a file cannot be read."""
        if self.where is None or is_of_files(error):
            return translate_error(error, self.source, tables=[*TABLES, *BULK])
        return explain_error(error, self.where, self.columns)
