"""Pages of listings beside the listings and facets themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localreg import Registry
from localreg.query import Result
from localreg.registry import AllNamespaces

FACETS = ("tags", "owner", "workflow", "metadata.framework", "aliases", "metadata.optim.lr", "len(tags)", "archived")


def check_page(
    registry: Registry | AllNamespaces,
    table: str,
    *,
    facets: Sequence[str] = FACETS,
    limit: int | None = 3,
    offset: int = 0,
    order_by: Any = None,
    **question: Any,
) -> None:
    """A page is a slice of the listing, its total its length, and its facets those of the same question."""
    page = registry.page(table, limit=limit, offset=offset, order_by=order_by, facets=facets, most=4, **question)
    engine = registry._asked()
    listing = engine.select(table, order_by=order_by, **question)
    assert page.total == len(listing), question
    end = len(listing) if limit is None else offset + limit
    assert page.rows.dicts() == listing[offset:end], question
    assert page.rows.arrow().schema.equals(listing.arrow().schema, check_metadata=True)
    assert list(page.facets) == list(dict.fromkeys(facets))
    for by, counts in page.facets.items():
        same(counts, engine.facets(table, by=by, limit=4, **question))


def same(ours: Result, theirs: Result) -> None:
    """The same rows, of the same types."""
    assert ours.arrow().schema.equals(theirs.arrow().schema, check_metadata=True)
    assert ours.dicts() == theirs.dicts()
