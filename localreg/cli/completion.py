"""What a shell offers for a half-typed word: names from the registry that the line speaks of; nothing if in doubt."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["aliases", "models", "namespaces", "suites", "tables"]

MOST = 50
"""Offers, so that a tab in a large registry does not flood the terminal."""


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of models."""
    return _offered(ctx, incomplete, lambda registry: _names(registry, "models", "name", incomplete))


def suites(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of test suites."""
    return _offered(ctx, incomplete, lambda registry: _names(registry, "test_suites", "name", incomplete))


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of namespaces."""
    return _offered(ctx, incomplete, lambda registry: iter(registry.namespaces()))


def aliases(ctx: typer.Context, incomplete: str) -> list[str]:
    """Aliases of any model."""
    return _offered(ctx, incomplete, lambda registry: iter(_values(registry.facets("models", "aliases"))))


def tables(incomplete: str) -> list[str]:
    """Documented tables."""
    from localreg.query.tables import BULK, TABLES

    return [name for name in (*TABLES, *BULK) if name.startswith(incomplete)]


def _offered(ctx: typer.Context, incomplete: str, ask: "Callable[[Registry], Iterator[str]]") -> list[str]:
    try:
        from localreg.opening import open_registry

        given = _given(ctx)
        registry = open_registry(given.get("registry"), namespace=given.get("namespace") or "default", read_only=True)
        fitting = (name for name in ask(registry) if name.startswith(incomplete))
        return [name for name, _ in zip(fitting, range(MOST), strict=False)]
    except Exception:  # whatever is wrong, the command itself will tell: a shell's prompt is no place for it
        return []


def _given(ctx: Any) -> dict[str, str]:
    """The general options on the line so far; those nearest to the command win."""
    outer = _given(ctx.parent) if ctx.parent is not None else {}
    return outer | {name: value for name, value in ctx.params.items() if isinstance(value, str)}


def _names(registry: "Registry", table: str, column: str, incomplete: str) -> Iterator[str]:
    found = registry.sql(
        f"SELECT {column} AS value FROM {table} WHERE starts_with({column}, ?) LIMIT {MOST}", [incomplete]
    )
    return iter(_values(found))


def _values(rows: object) -> list[str]:
    return [str(row["value"]) for row in rows if row["value"] is not None]  # type: ignore[attr-defined]
