"""One page of a listing, with the number of all rows that fit and their facets: what a table on a screen shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.names import check_whole
from localreg.query.bulk_tables import BULK
from localreg.query.result import Result
from localreg.query.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Asked", "ListingPage", "checked_limit"]


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Some rows of a listing, all of one commit. Made by `Registry.page`."""

    rows: Result
    """The rows of this page, with all documented columns."""
    total: int
    """How many rows fit, on all pages together."""
    facets: Mapping[str, Result]
    """By what was asked for: `value` and `count` over all rows that fit, as `Registry.facets` gives them."""

    @staticmethod
    def of(rows: pa.Table, total: int, facets: Mapping[str, pa.Table]) -> ListingPage:
        """A page of what was fetched."""
        return ListingPage(_fetched(rows), total, {by: _fetched(counts) for by, counts in facets.items()})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is to show, checked.

    Attributes:
        rows: which rows, in which order.
        counted: the same rows, by what they are counted by.
        limit: rows of the page at most; None = all.
        offset: how many rows are on the pages before.
        most: values of a facet at most; None = all.
    """

    rows: Rows
    counted: Mapping[str, Rows]
    limit: int | None
    offset: int
    most: int | None

    @staticmethod
    def of(rows: Rows, facets: object, *, limit: object, offset: object, most: object) -> Asked:
        """The question of a user, with the arguments of `Registry.page`.

        Raises:
            InvalidInputError: an expression does not parse or names an unknown column, a number is none, or the table
                has no listing.
        """
        if rows.table in BULK and not BULK[rows.table].order:
            raise InvalidInputError(
                f"{rows.table} have no listing, since their rows are in no order; "
                "ask SQL for them, with ORDER BY, LIMIT and OFFSET"
            )
        rows.condition(), rows.order()
        listed = [facets] if isinstance(facets, str) else facets
        if not isinstance(listed, Sequence):
            raise InvalidInputError(
                f"facets is of type {type(facets).__qualname__}; pass a list of columns and paths, such as "
                "['tags', 'metadata.framework']"
            )
        counted = [replace(rows, order_by=None, by=by) for by in listed]
        for each in counted:
            each.facet()
        return Asked(
            rows,
            {each.by: each for each in counted},
            checked_limit(limit),
            check_whole(offset, what="offset", hint="it must be a whole number, 0 or more"),
            checked_limit(most, what="most"),
        )

    def of_kept(self) -> Asked:
        """The same of rows that a connection keeps."""
        counted = {by: replace(rows, kept=True) for by, rows in self.counted.items()}
        return replace(self, rows=replace(self.rows, kept=True), counted=counted)


def _fetched(table: pa.Table) -> Result:
    return Result(lambda: table)


def checked_limit(limit: object, *, what: str = "limit") -> int | None:
    """A number of rows at most; None = all.

    Raises:
        InvalidInputError: it is neither.
    """
    hint = "it must be a whole number, 0 or more, or None for all"
    return None if limit is None else check_whole(limit, what=what, hint=hint)
