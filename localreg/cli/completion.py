"""What a shell offers for a half-typed word: names from the registry that the line speaks of; nothing if in doubt.

Guarantees: whatever is wrong, nothing is said and nothing raised; no network is asked, so of a remote registry only
what this machine's cache holds is offered; names are looked up in the state, without DuckDB.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from localreg.cli.values import storage_options

if TYPE_CHECKING:
    from localreg.session import Session

__all__ = [
    "aliases",
    "cases",
    "datasets",
    "experiments",
    "models",
    "namespaces",
    "suites",
    "tables",
    "versions",
    "workflows",
]

MOST = 50
"""Offers, so that a tab in a large registry does not flood the terminal."""


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of models."""
    return _offered(ctx, incomplete, lambda session: session.state().names("model"))


def experiments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of experiments."""
    return _offered(ctx, incomplete, lambda session: session.state().names("experiment"))


def policies(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of policies."""
    return _offered(ctx, incomplete, lambda session: session.state().names("policy"))


def suites(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of test suites."""
    return _offered(ctx, incomplete, lambda session: session.state().names("test_suite"))


def cases(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of test cases."""
    return _offered(ctx, incomplete, lambda session: session.state().names("test_case"))


def workflows(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of workflows."""
    return _offered(ctx, incomplete, lambda session: session.state().names("workflow"))


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of namespaces."""
    return _offered(ctx, incomplete, lambda session: session.namespaces_there())


def aliases(ctx: typer.Context, incomplete: str) -> list[str]:
    """Aliases of the model that stands before on the line."""
    return _offered(ctx, incomplete, lambda session: _of_model(ctx, session, "alias"))


def versions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Versions of the model that stands before on the line."""
    return _offered(ctx, incomplete, lambda session: _of_model(ctx, session, "model_version"))


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Data sets of what stands before on the line: a model, a version, or an experiment."""
    return _offered(ctx, incomplete, lambda session: _datasets_of(ctx, session))


def tables(incomplete: str) -> list[str]:
    """Documented tables."""
    from localreg.query.bulk_tables import BULK
    from localreg.query.tables import TABLES

    return [name for name in (*TABLES, *BULK) if name.startswith(incomplete)]


def _offered(ctx: typer.Context, incomplete: str, ask: "Callable[[Session], Iterable[str]]") -> list[str]:
    try:
        with warnings.catch_warnings(action="ignore"):
            return sorted(name for name in ask(_session(ctx)) if name.startswith(incomplete))[:MOST]
    except Exception:  # whatever is wrong, the command itself will tell: a shell's prompt is no place for it
        return []


def _session(ctx: typer.Context) -> "Session":
    from localreg.session import open_session

    return open_session(
        _given(ctx, "registry"),
        namespace=_given(ctx, "namespace") or "default",
        read_only=True,
        storage_options=storage_options(_storage_options(ctx)) or None,
        offline=True,  # a place on this machine is read all the same
    )


def _of_model(ctx: typer.Context, session: "Session", kind: str) -> Iterable[str]:
    state = session.state()
    model = state.find("model", str(ctx.params.get("model")))
    return () if model is None else state.names(kind, model.id)


def _datasets_of(ctx: typer.Context, session: "Session") -> Iterable[str]:
    from localreg.datasets.dataset import holding
    from localreg.models import find_model, get_version

    state, owner = session.state(), str(ctx.params.get("owner"))
    if ctx.params.get("experiment"):
        row = state.find("experiment", owner)
        return () if row is None else holding(state, row)
    return holding(state, (find_model(session, owner) or get_version(session, owner))._row(state))


def _given(ctx: Any, option: str) -> str | None:
    """A general option as the line says it so far; what stands last wins."""
    if ctx is None:
        return None
    value = ctx.params.get(option)
    return value if isinstance(value, str) else _given(ctx.parent, option)


def _storage_options(ctx: Any) -> Sequence[str]:
    if ctx is None:
        return ()
    return (*_storage_options(ctx.parent), *(ctx.params.get("storage_option") or ()))
