"""What tables of things share: words, facets, order and pages, all of which stand in the address."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from localreg.canonical import canonical
from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.query.quoting import literal
from localreg.query.text import plain
from localreg.ui.view import View

__all__ = ["SIZE", "Column", "Facet", "Found", "Listing", "Value", "keys_of", "path_to"]

SIZE = 50
MOST_VALUES = 8
"""Of a facet; a search finds the others."""
MOST_FACETS = 12


class Column(NamedTuple):
    """A column of the table."""

    by: str
    """What `order_by` calls it."""
    title: str
    order: str | None
    """`ascending` or `descending`; None = the rows are not sorted by it."""
    address: str
    """Of the page that is sorted by it, or the other way round."""


class Value(NamedTuple):
    """One value of a facet."""

    told: str
    number: int
    """Of rows."""
    chosen: bool
    address: str
    """Of the page that shows what has it alone; if it is chosen, of the page without that."""


class Facet(NamedTuple):
    """What rows can be chosen by."""

    title: str
    values: list[Value]


class Found(NamedTuple):
    """A page of a table."""

    rows: list[dict[str, Any]]
    total: int
    facets: list[Facet]
    page: int
    """From 1."""


class Listing:
    """A table that a page shows, as its address asks for it.

    Parameters of the address: `q` words, `is` chosen values of facets (`owner="ana"`), `where` an expression, `sort` a
    column (`-` before it: the other way round), `page`, `facet` what to choose by.

    Args:
        view: who asks.
        table: its name, which is also that of the listing of `Registry`.
        facets: columns that rows can be chosen by.
        lists: columns that are lists.
        titles: of columns that are not called as they are.
        objects: columns that are JSON objects; titles of paths into them leave the column out.
        has_archived: whether things of that kind can be archived.
        conditions: SQL, each of which holds of all rows.
    """

    def __init__(
        self,
        view: View,
        table: str,
        *,
        facets: Sequence[str],
        lists: Collection[str] = (),
        titles: Mapping[str, str] | None = None,
        objects: Collection[str] = ("metadata",),
        has_archived: bool = True,
        conditions: Sequence[str] = (),
    ) -> None:
        self._view = view
        self._table = table
        self._facets = view.texts("facet") or list(facets)
        if len(self._facets) > MOST_FACETS:
            raise InvalidInputError(f"{len(self._facets)} facets are asked for; choose {MOST_FACETS} at most")
        self._lists = lists
        self._titles = titles or {}
        self._objects = objects
        self._has_archived = has_archived
        self._fixed = conditions

    @property
    def is_asked(self) -> bool:
        """Whether the address leaves rows out, beside archived ones."""
        view = self._view
        return bool(view.text("q") or view.text("where") or view.texts("is"))

    def found(self, usual: str | None = None) -> Found:
        """The rows of the page that is asked for.

        Args:
            usual: the order when the address says none, as `sort` has it; None = the listing's own.
        """
        view = self._view
        page = max(1, view.whole("page", 1))
        order = view.text("sort") or usual
        found = view.everything.page(
            self._table,
            " AND ".join(f"({each})" for each in self.conditions()) or None,
            search=view.text("q"),
            order_by=None if order is None else f"{order[1:]} DESC" if order.startswith("-") else f"{order} ASC",
            limit=SIZE,
            offset=(page - 1) * SIZE,
            archived=False if self._has_archived and not view.text("archived") else None,
            facets=self._facets,
            most=MOST_VALUES,
        )
        facets = [Facet(self.title(by), list(self.values(by, found.facets[by].dicts()))) for by in self._facets]
        return Found(found.rows.dicts(), found.total, facets, page)

    def told(self, found: Found, columns: Sequence[str], usual: str | None = None) -> dict[str, Any]:
        """What every template of a table shows beside its rows.

        Args:
            found: the page that is asked for.
            columns: as `order_by` has them.
            usual: see `found`.
        """
        return {
            "total": found.total,
            "page": found.page,
            "size": SIZE,
            "columns": self.columns(columns, usual),
            "facets": found.facets,
            "is_asked": self.is_asked,
        }

    def is_chosen(self, by: str) -> bool:
        """Whether rows can be chosen by that."""
        return by in self._facets

    def columns(self, names: Sequence[str], usual: str | None = None) -> list[Column]:
        """The heads of these columns.

        Args:
            names: as `order_by` has them.
            usual: see `found`.
        """
        return [self._column(each, self._view.text("sort") or usual) for each in names]

    def _column(self, by: str, sort: str | None) -> Column:
        order = "ascending" if sort == by else "descending" if sort == f"-{by}" else None
        address = self._view.here(sort=f"-{by}" if order == "ascending" else by, page=None)
        return Column(by, self.title(by), order, address)

    def title(self, by: str) -> str:
        """What a column is called."""
        first, *keys = keys_of(by)
        if keys and first in self._objects:
            return ".".join(keys)
        return self._titles.get(by, by.replace("_", " "))

    def cells(self, row: dict[str, Any], columns: Sequence[str]) -> list[Any]:
        """What columns show of a row."""
        return [self._cell(row, each) for each in columns]

    def _cell(self, row: dict[str, Any], column: str) -> Any:
        value: Any = row
        for key in keys_of(column):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def conditions(self) -> Iterator[str]:
        """What `where` says, and what facets were chosen."""
        yield from self._fixed
        where = self._view.text("where")
        if where is not None:
            yield where
        for each in self._view.texts("is"):
            by, value = _parsed(each)
            if value is None:
                yield f"{by} = []" if by in self._lists else f"{by} IS NULL"
            elif isinstance(value, dict):
                yield f"{by}::VARCHAR = {literal(canonical(value))}"
            elif by in self._lists:
                yield f"{_literal(value)} IN {by}"
            elif len(keys_of(by)) > 1 and not isinstance(value, list):  # items of lists count, too
                yield f"{by} = {_literal(value)} OR {_literal(value)} IN {by}"
            else:
                yield f"{by} = {_literal(value)}"

    def values(self, by: str, counts: Sequence[Mapping[str, Any]]) -> Iterator[Value]:
        """Values of a facet, each with its address.

        Args:
            by: what is counted by.
            counts: `value` and `count`.
        """
        chosen = self._view.texts("is")
        for each in counts:
            value = plain(each["value"])
            own = f"{by}={json.dumps(value)}"
            others = [one for one in chosen if one != own]
            told = "(none)" if value is None else value if isinstance(value, str) else json.dumps(value)
            is_chosen = own in chosen
            address = self._view.here(**{"is": others if is_chosen else [*chosen, own]}, page=None)
            yield Value(told, each["count"], is_chosen, address)


_KEY = re.compile(r"""\.(\w+)|\['((?:[^']|'')*)'\]""")


def keys_of(path: str) -> list[str]:
    """The column and the keys of a path into its JSON: `metadata.optim['a.b']`; of anything else the text itself."""
    column, rest = re.match(r"(\w*)(.*)", path, re.DOTALL).groups()  # type: ignore[union-attr]
    found = list(_KEY.finditer(rest))
    if sum(len(each[0]) for each in found) != len(rest):
        return [path]
    return [column, *(each[1] if each[1] is not None else each[2].replace("''", "'") for each in found)]


def path_to(column: str, key: str) -> str:
    """The path to a key of a column of JSON objects, whatever the key is called."""
    plain = re.fullmatch(r"[a-z_]\w*", key, re.ASCII) is not None
    return f"{column}.{key}" if plain else f"{column}[{literal(key)}]"


def _parsed(text: str) -> tuple[str, Any]:
    """A chosen value of a facet, as it stands in an address: `owner="ana"`."""
    by, equals, written = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return by, json.loads(written)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(
            f'is={shown_value(text)} is no choice; write COLUMN=JSON, such as owner="ana"'
        ) from error


def _literal(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return literal(value if isinstance(value, str) else json.dumps(value))
