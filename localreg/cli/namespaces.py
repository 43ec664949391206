"""`localreg namespaces`: which there are, who may do what in them, and what the operating system enforces of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.listing import AllNamespaces, Columns, Limit, OrderBy, Search, Where, one_or_all, shown
from localreg.cli.output import Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["namespaces"]

USUAL = ("principal", "role", "created_by", "updated_at")

PRINCIPAL = typer.Argument(metavar="PRINCIPAL", help="An actor, as the audit log names it; '*' = everybody else.")

namespaces = new_group(
    "Namespaces: which there are, and who may do what in them.",
    epilog=examples("localreg namespaces list", "localreg namespaces grant ana writer"),
)


@namespaces.command("list", epilog=examples("localreg namespaces list"))
@reading(past=False)
def list_namespaces(registry: "Registry") -> Rows:
    """List the namespaces in which something was committed, with your role; 'inaccessible' are those closed to you.

    json and csv hold the reason, too.
    """
    found = registry.namespaces()
    rows = [(name, registry.namespace(name).role, None) for name in found]
    closed = [(name, "inaccessible", why) for name, why in found.inaccessible.items()]
    return Rows(("namespace", "role", "reason"), sorted([*rows, *closed]), ("namespace", "role"))


@namespaces.command(
    "grant",
    epilog=examples("localreg namespaces grant ana writer", "localreg namespaces grant '*' reader -m 'all may look'"),
)
@writing
def grant(
    registry: "Registry",
    principal: Annotated[str, PRINCIPAL],
    role: Annotated[str, typer.Argument(metavar="reader|runner|writer|owner", help="Each may do what is before it.")],
) -> str:
    """Give somebody a role in the namespace. The first grant closes it to all others, and makes you an owner.

    A guard, as strong as the folder's permissions: who may write into the folder can do anything. See
    `localreg namespaces protect`.
    """
    registry.grant(principal, role)
    return f"granted {role} to {principal!r} in namespace {registry.namespace_name!r}"


@namespaces.command("revoke", epilog=examples("localreg namespaces revoke eve"))
@writing
def revoke(registry: "Registry", principal: Annotated[str, PRINCIPAL]) -> str:
    """Take somebody's grant away."""
    registry.revoke(principal)
    return f"revoked the grant of {principal!r} in namespace {registry.namespace_name!r}"


@namespaces.command("grants", epilog=examples("localreg namespaces grants", "localreg namespaces grants -A"))
@reading()
def list_grants(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
    all_namespaces: AllNamespaces = False,
) -> Listing:
    """List who has which role in the namespace; none = it is open to all."""
    place = one_or_all(registry, all_namespaces)
    found = place.grants(where, search=search, order_by=order_by or None, limit=limit)
    return shown(found, columns, ("namespace", *USUAL) if all_namespaces else USUAL)
