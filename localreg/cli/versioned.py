"""The commands that test cases and test suites have in common: list, archive, restore, delete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli.archiving import add_archiving
from localreg.cli.listing import All, Archived, Columns, Limit, OrderBy, Search, Where, archived_or_not, shown
from localreg.cli.output import Listing
from localreg.cli.place import examples, reading, writing

if TYPE_CHECKING:
    from typer.models import ArgumentInfo

    from localreg.query import Result
    from localreg.registry import Registry
    from localreg.workflow.stored import StoredTestCase, StoredTestSuite

__all__ = ["Versioned", "add_versioned"]


@dataclass(frozen=True)
class Versioned:
    """What is to be known of test cases, or of test suites.

    Attributes:
        group: of commands.
        noun: what it is about, such as `test case`.
        get: the handle of that name.
        listed: the method of a registry that lists them.
        name: the argument that names one.
        usual: columns that a listing shows.
        free: which of them can be deleted without --force.
        example: a name that the examples are about.
        listing: options of a listing, for an example.
    """

    group: typer.Typer
    noun: str
    get: "Callable[[Registry, str], StoredTestCase | StoredTestSuite]"
    listed: "Callable[[Registry], Callable[..., Result]]"
    name: "ArgumentInfo"
    usual: tuple[str, ...]
    free: str
    example: str
    listing: str

    @property
    def program(self) -> str:
        """The beginning of its commands."""
        return f"localreg {self.noun.split()[-1]}s"


def add_versioned(kind: Versioned) -> None:
    """Give a group the commands."""
    _add_list(kind)
    add_archiving(kind.group, kind.noun, kind.get, argument=kind.name, example=kind.example)
    _add_delete(kind)


def _add_list(kind: Versioned) -> None:
    lines = f"{kind.program} list", f"{kind.program} list {kind.listing}"

    @kind.group.command("list", help=f"List the {kind.noun}s, in order of creation.", epilog=examples(*lines))
    @reading()
    def list_them(
        registry: "Registry",
        where: Where = None,
        search: Search = None,
        order_by: OrderBy = None,
        limit: Limit = None,
        archived: Archived = False,
        all: All = False,
        columns: Columns = None,
    ) -> Listing:
        asked: dict[str, Any] = {"search": search, "order_by": order_by or None, "limit": limit}
        found = kind.listed(registry)(where, archived=archived_or_not(archived, all), **asked)
        return shown(found, columns, kind.usual)


def _add_delete(kind: Versioned) -> None:
    @kind.group.command(
        "delete",
        help=f"Delete a {kind.noun}; without --force only one {kind.free}.",
        epilog=examples(f"{kind.program} delete {kind.example} --force"),
    )
    @writing
    def delete(
        registry: "Registry",
        name: Annotated[str, kind.name],
        force: Annotated[bool, typer.Option("--force", help="With all that depends on it, in one commit.")] = False,
    ) -> str:
        kind.get(registry, name).delete(force=force)
        return f"deleted {kind.noun} {name!r}"
