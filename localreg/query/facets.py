"""Facets: which values there are, and how many rows have each."""

from __future__ import annotations

from localreg.query.rows import Rows

__all__ = ["facets_sql", "holders_sql"]


def facets_sql(rows: Rows, *, limit: int | None) -> str:
    """The SELECT of `value`, `count`: the most frequent first, equal ones by value.

    Args:
        rows: the rows to count, and what by: of a list, each distinct item counts once a row.
        limit: at most so many values; None = all.

    Raises:
        InvalidInputError: `by` does not parse, or names an unknown column.
    """
    values = _values_sql(rows, "count(*)")
    bound = "" if limit is None else f" LIMIT {limit}"
    return (
        f"SELECT value, CAST(sum(held) AS BIGINT) AS count FROM ({values}) "
        f"GROUP BY value ORDER BY count DESC, value NULLS LAST{bound}"
    )


def holders_sql(rows: Rows) -> str:
    """The SELECT of `value`, `holders`: the `_order` of all rows that have the value, in no order; by value.

    Raises:
        InvalidInputError: as in `facets_sql`.
    """
    values = _values_sql(rows, "list(_order)", beside=", _order")
    return f"SELECT value, flatten(list(held)) AS holders FROM ({values}) GROUP BY value ORDER BY value NULLS LAST"


def _values_sql(rows: Rows, held: str, *, beside: str = "") -> str:
    """The values, each with an aggregate of the rows that have it; a value may come several times, of other rows.

    What rows hold is grouped first, so that lists and JSON are taken apart once for all rows that hold the same.
    """
    facet = rows.facet()
    item = f"SELECT {facet.sql} AS item{beside} FROM {rows.source} WHERE {rows.condition()}"
    grouped = f"SELECT item, {held} AS held FROM ({item}) GROUP BY item"
    if facet.is_json:
        # The items of a list count each; a JSON null is told as what is missing.
        items = (
            "list_filter(CASE WHEN json_type(item) = 'ARRAY' THEN CAST(item->'$[*]' AS JSON[]) ELSE [item] END, "
            "lambda each: json_type(each) <> 'NULL')"
        )
    elif facet.is_list:
        items = "item"
    else:
        return f"SELECT item AS value, held FROM ({grouped})"
    # list_distinct drops NULL; a row without an item has one row, NULL.
    return (
        f"SELECT unnest(CASE WHEN len(items) > 0 THEN items ELSE [NULL] END) AS value, held "
        f"FROM (SELECT list_distinct({items}) AS items, held FROM ({grouped}))"
    )
