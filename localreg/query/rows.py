"""Which rows of a documented table are wanted: what `where`, `search` and `archived` come to, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from localreg.errors import InvalidInputError, LocalregError
from localreg.names import did_you_mean, shown_value
from localreg.query.bulk_tables import BULK
from localreg.query.expressions import Facet, rewrite_facet, rewrite_order_by, rewrite_where
from localreg.query.failures import explain_error, is_of_storage, translate_error
from localreg.query.quoting import identifier
from localreg.query.search import folded_condition, search_condition
from localreg.query.tables import INTERNAL, TABLES
from localreg.query.user_text import HasKey, no_key

__all__ = ["FOLDED", "Rows", "kept_name"]

FOLDED = "_folded"
"""The column of a kept table that holds its searched texts, folded."""


def kept_name(table: str) -> str:
    """The table in which a connection keeps the rows of a documented one."""
    return f"{INTERNAL}.kept_{table}"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one documented table; every argument is checked when it is made.

    Args:
        table: name of the table.
        where: a condition, see `localreg.query.expressions`; None = no condition.
        search: words, see `localreg.query.search`; None = no condition.
        archived: only archived records, only others, or (None) both.
        order_by: their order, see `localreg.query.expressions`; None = as they were made.
        by: what to count them by.
        has_key: whether some row's metadata has a key, for messages.
        kept: from what a connection keeps of the table, see `localreg.query.kept`.

    Raises:
        InvalidInputError: no such table, a malformed `where` or `search`, or `archived` where nothing can be.
    """

    table: str
    where: str | None = None
    search: str | None = None
    archived: bool | None = None
    order_by: str | Sequence[str] | None = None
    by: str = ""
    has_key: HasKey = no_key
    kept: bool = False

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
        columns = {name: kind for name, (kind, _) in bulk.columns.items()}
        return columns if bulk.typed is None else {**columns, bulk.typed: "JSON"}

    @property
    def source(self) -> str:
        """The view, with what a listing needs beside the documented columns."""
        if self.kept:
            return kept_name(self.table)
        return f"{INTERNAL}.{self.table}" if self.table in TABLES else self.table

    def condition(self) -> str:
        """The SQL that is true of the rows."""
        conditions = []
        if self.archived is not None:
            conditions.append(self._archived_condition())
        if self.search is not None:
            conditions.append(self._search_condition(self.search))
        if self.where is not None:
            conditions.append(f"({rewrite_where(self.where, self.columns, table=self.table, has_key=self.has_key)})")
        return " AND ".join(conditions) or "true"

    def _search_condition(self, search: str) -> str:
        table = TABLES.get(self.table)
        searched, is_own = (table.searched, table.is_own) if table else ((), False)
        if self.kept:
            return folded_condition(search, self.columns, searched, folded=FOLDED)
        return search_condition(search, self.columns, searched, is_own=is_own)

    def _archived_condition(self) -> str:
        if not isinstance(self.archived, bool):
            raise InvalidInputError(
                f"archived is {shown_value(self.archived)}; write True (only archived ones), False (only others) "
                "or None (both)"
            )
        if "archived" not in self.columns:
            raise InvalidInputError(f"nothing in {self.table} can be archived; leave out archived")
        return "archived" if self.archived else "NOT archived"

    def order(self) -> str:
        """What stands after ORDER BY: what the user says, then the order of creation, or that of the bulk table."""
        usual = "_order" if self.table in TABLES else BULK[self.table].order
        if self.order_by is None:
            return usual
        return f"{rewrite_order_by(self.order_by, self.columns, table=self.table, has_key=self.has_key)}, {usual}"

    def facet(self) -> Facet:
        """The expression to count by."""
        try:
            return _facet(self.by, self.table, tuple(self.columns.items()))
        except (InvalidInputError, TypeError):  # TypeError: no text, nothing that could be looked up
            return rewrite_facet(self.by, self.columns, table=self.table, has_key=self.has_key)

    def documented(self) -> str:
        """The documented columns, for a SELECT."""
        return ", ".join(map(identifier, self.columns))

    def told(self, error: Exception) -> LocalregError:
        """DuckDB's error in the user's words; where the user wrote no expression, whatever fails is the registry's."""
        order_by = [self.order_by] if isinstance(self.order_by, str) else self.order_by or []
        texts = {"where": self.where, "order_by": ", ".join(order_by), "by": self.by}
        given = {label: text for label, text in texts.items() if text}
        if not given or is_of_storage(error):
            return translate_error(error, self.source, tables=[*TABLES, *BULK], what=f"list {self.table}")
        return explain_error(error, given, self.columns)


@lru_cache(maxsize=512)
def _facet(by: str, table: str, columns: tuple[tuple[str, str], ...]) -> Facet:
    """Pages count by the same few expressions again and again; what is refused is told with what keys there are."""
    return rewrite_facet(by, dict(columns), table=table, has_key=no_key)
