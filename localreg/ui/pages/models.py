"""The models: found by words and facets, sorted, in the columns that one chooses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.query.quoting import literal
from localreg.ui.view import View

__all__ = ["listing"]

SIZE = 50
MOST_VALUES = 8
"""Of a facet; a search finds the others."""

USUAL = ("name", "latest_version", "aliases", "workflow", "tags", "owner", "metadata.framework", "updated_at")
OFFERED = (
    *("name", "latest_version", "aliases", "workflow", "tags", "owner", "task", "description"),
    *("created_at", "created_by", "updated_at"),
)
"""Columns that are no metadata."""
FACETS = ("tags", "owner", "workflow", "metadata.framework")
TITLES = {
    "latest_version": "newest version",
    "created_at": "created",
    "created_by": "by",
    "updated_at": "updated",
}
LISTS = ("tags", "aliases")


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
    """Of models."""
    chosen: bool
    address: str
    """Of the page that shows what has it alone; if it is chosen, of the page without that."""


class Facet(NamedTuple):
    """What models can be chosen by."""

    title: str
    values: list[Value]


def listing(view: View) -> Response:
    """The page at `/`."""
    registry = view.everything
    facets = [*FACETS, *(f"metadata.{key}" for key in view.texts("facet"))]
    facets = [each for each in dict.fromkeys(facets) if each != view.text("without")]
    page = max(1, view.whole("page", 1))
    found = _page(
        registry,
        where=" AND ".join(f"({each})" for each in _conditions(view)) or None,
        search=view.text("q"),
        order_by=_order(view),
        limit=SIZE,
        offset=(page - 1) * SIZE,
        archived=None if view.text("archived") else False,
        facets=facets,
        most=MOST_VALUES,
    )
    columns = view.texts("column") or list(USUAL)
    return view.page(
        "models.html",
        title="Models",
        section="Models",
        rows=[_row(row, columns) for row in found.rows],
        total=found.total,
        page=page,
        size=SIZE,
        columns=[_column(view, each) for each in columns],
        facets=[Facet(_title(by), list(_values(view, by, found.facets[by]))) for by in facets],
        offered=OFFERED,
        is_asked=bool(view.text("q") or view.text("where") or view.texts("is")),
        chosen=view.texts("is"),
    )


def _conditions(view: View) -> Iterator[str]:
    """What `where` says, and what facets were chosen."""
    where = view.text("where")
    if where is not None:
        yield where
    for each in view.texts("is"):
        by, value = _parsed(each)
        if value is None:
            yield f"{by} = []" if by in LISTS else f"{by} IS NULL"
        elif by in LISTS:
            yield f"{_literal(value)} IN {by}"
        else:
            yield f"{by} = {_literal(value)}"


def _parsed(text: str) -> tuple[str, Any]:
    """A chosen value of a facet, as it stands in an address: `owner="ana"`."""
    by, equals, written = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return by, json.loads(written)
    except ValueError as error:
        raise InvalidInputError(
            f'is={shown_value(text)} is no choice; write COLUMN=JSON, such as owner="ana"'
        ) from error


def _literal(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return literal(value if isinstance(value, str) else json.dumps(value))


def _order(view: View) -> str | None:
    by = view.text("sort")
    return None if by is None else f"{by[1:]} DESC" if by.startswith("-") else f"{by} ASC"


def _column(view: View, by: str) -> Column:
    sort = view.text("sort")
    order = "ascending" if sort == by else "descending" if sort == f"-{by}" else None
    return Column(by, _title(by), order, view.here(sort=f"-{by}" if order == "ascending" else by, page=None))


def _title(by: str) -> str:
    return TITLES.get(by, by.removeprefix("metadata.").replace("_", " "))


def _row(row: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """A row with what its columns show: `cells`."""
    return {**row, "cells": [_cell(row, each) for each in columns]}


def _cell(row: dict[str, Any], column: str) -> Any:
    value: Any = row
    for key in column.split(".") if column.startswith("metadata.") else [column]:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _values(view: View, by: str, counts: Sequence[dict[str, Any]]) -> Iterator[Value]:
    chosen = view.texts("is")
    for each in counts:
        value = each["value"]
        own = f"{by}={json.dumps(value)}"
        others = [one for one in chosen if one != own]
        told = "(none)" if value is None else value if isinstance(value, str) else json.dumps(value)
        is_chosen = own in chosen
        yield Value(
            told, each["count"], is_chosen, view.here(**{"is": others if is_chosen else [*chosen, own]}, page=None)
        )


class _Found(NamedTuple):
    rows: list[dict[str, Any]]
    total: int
    facets: dict[str, list[dict[str, Any]]]


def _page(registry: Any, *, limit: int, offset: int, facets: Sequence[str], most: int, **asked: Any) -> _Found:
    order = asked.pop("order_by")
    rows = registry.models(**asked, order_by=order, limit=offset + limit).dicts()[offset:]
    counts = registry.facets("models", "true", **asked).dicts()
    counted = {by: registry.facets("models", by, **asked, limit=most).dicts() for by in facets}
    return _Found(rows, sum(each["count"] for each in counts), counted)
