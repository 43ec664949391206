"""Facets: which values there are, and how many rows have each."""

from __future__ import annotations

from localreg.query.rows import Rows

__all__ = ["facets_sql"]


def facets_sql(rows: Rows, *, limit: int | None) -> str:
    """The SELECT of `value`, `count`: the most frequent first, equal ones by value.

    Args:
        rows: the rows to count, and what by: of a list, each distinct item counts once a row.
        limit: at most so many values; None = all.

    Raises:
        InvalidInputError: `by` does not parse, or names an unknown column.
    """
    facet = rows.facet()
    item, condition = facet.sql, rows.condition()
    if facet.is_json:
        # The items of a list count each; a JSON null is told as what is missing.
        items = (
            "list_filter(CASE WHEN json_type(item) = 'ARRAY' THEN CAST(item->'$[*]' AS JSON[]) ELSE [item] END, "
            "lambda each: json_type(each) <> 'NULL')"
        )
    else:
        items = "item" if facet.is_list else "[item]"
    # list_distinct drops NULL; a row without an item has one row, NULL.
    return f"""SELECT value, count(*) AS count FROM (
            SELECT unnest(CASE WHEN len(items) > 0 THEN items ELSE [NULL] END) AS value FROM (
                SELECT list_distinct({items}) AS items FROM (
                    SELECT {item} AS item FROM {rows.source} WHERE {condition})))
        GROUP BY value ORDER BY count DESC, value NULLS LAST{"" if limit is None else f" LIMIT {limit}"}"""
