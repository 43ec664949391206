"""The options that every listing takes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.output import Listing

if TYPE_CHECKING:
    from localreg.query import Result
    from localreg.registry import AllNamespaces as Together
    from localreg.registry import Registry

__all__ = [
    "All",
    "AllNamespaces",
    "Archived",
    "Columns",
    "Limit",
    "OrderBy",
    "Search",
    "Where",
    "archived_or_not",
    "one_or_all",
    "shown",
]

Where = Annotated[
    str | None, typer.Option(metavar="EXPRESSION", help="A condition in SQL over the columns and paths into metadata.")
]
Search = Annotated[
    str | None, typer.Option(metavar="WORDS", help='Words that must all occur; "a phrase" in quotes, -without.')
]
OrderBy = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="A column or metadata path, with ASC or DESC; repeatable.")
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="At most so many; else all.")]
Archived = Annotated[bool, typer.Option("--archived", help="Only the archived ones, which are hidden else.")]
All = Annotated[bool, typer.Option("--all", help="The archived ones, too.")]
Columns = Annotated[
    str | None, typer.Option(metavar="A,B,…", help="Columns of the table; json and csv hold all of them.")
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces that may be read.")]


def one_or_all(registry: "Registry", all_namespaces: bool) -> "Registry | Together":
    """What a listing asks; of all namespaces, those that are closed to the user are named in a warning."""
    if not all_namespaces:
        return registry
    closed = registry.namespaces().inaccessible
    if closed:
        import warnings

        warnings.warn(f"left out, since they may not be read: {', '.join(closed)}", stacklevel=2)
    return registry.all()


def archived_or_not(archived: bool, all: bool) -> bool | None:
    """What the library's `archived` is for the two options: only those, only others, or (None) both.

    Raises:
        typer.BadParameter: both are given.
    """
    if archived and all:
        raise typer.BadParameter("give one of the two", param_hint="--archived, --all")
    return None if all else archived


def shown(result: "Result", columns: str | None, usual: Sequence[str]) -> Listing:
    """A listing with the columns that were asked for, else the usual ones.

    Raises:
        typer.BadParameter: no such column.
    """
    wanted = [name.strip() for name in columns.split(",")] if columns is not None else list(usual)
    unknown = [name for name in wanted if name not in result.columns]
    if unknown:
        raise typer.BadParameter(
            f"no column {unknown[0]!r}; there are {', '.join(result.columns)}", param_hint="--columns"
        )
    return Listing(result, wanted)
