"""`localreg namespaces`: which there are, who may do what in them, and what the operating system enforces of it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.listing import AllNamespaces, Columns, Limit, OrderBy, Search, Where, one_or_all, shown
from localreg.cli.output import Listing, Rows
from localreg.cli.place import Place, examples, new_group, placed, reading, writing
from localreg.errors import LocalregError

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
    rows: list[tuple[str, str | None, str | None]] = [(name, *_role(registry, name)) for name in found]
    closed = [(name, "inaccessible", why) for name, why in found.inaccessible.items()]
    return Rows(("namespace", "role", "reason"), sorted([*rows, *closed]), ("namespace", "role"))


def _role(registry: "Registry", name: str) -> tuple[str | None, str | None]:
    """The role in a namespace, and why there is none to tell, such as damage, which is no reason to list nothing."""
    try:
        return registry.namespace(name).role, None
    except LocalregError as error:
        return "unknown", error.message


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


def _protect(
    place: Place,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAMESPACE", help="Else that of --namespace.", autocompletion=completion.namespaces),
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Of the operating system, by name or number; else as it was.")
    ] = None,
    members: Annotated[
        str | None, typer.Option(metavar="read|write", help="What its members may do; else as it was, else write.")
    ] = None,
    others: Annotated[
        str | None, typer.Option(metavar="none|read", help="What everybody else may do; else as it was, else none.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what deviates.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="The same, with exit code 1 if anything does.")] = False,
) -> None:
    """Have the operating system keep others out of a namespace's folder: set its permissions, and verify them.

    New files get the same, whatever the umask of who writes them says. What could not be set is named, and the exit
    code is 1.
    """
    if name is not None:
        place = replace(place, namespace=name)
    only_looks = dry_run or verify
    registry = place.read() if only_looks else place.write()
    report = registry.protect(
        group,
        members=members,  # type: ignore[arg-type]  # checked there
        others=others,  # type: ignore[arg-type]
        dry_run=only_looks,
    )
    print(report)
    if not report.ok and (verify or not dry_run):
        raise typer.Exit(1)


def _import(
    place: Place,
    folder: Annotated[str, typer.Argument(metavar="FOLDER|NAME", help="A namespace's folder, or its name here.")],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Its name here; else that of the folder.")
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", metavar="TEXT", help="Why; stands with the events in the audit log."),
    ] = None,
) -> None:
    """Make the folder of a namespace that came from another registry, or had another name, one of this registry.

    It may have been copied into namespaces/ of this registry by hand, or lie elsewhere on this machine. All of its log
    is checked first. It keeps its history, and says since when it lies here.
    """
    print(place.write().import_namespace(folder, name=name, message=message))


namespaces.command(
    "import",
    epilog=examples("localreg namespaces import default", "localreg namespaces import default --as team/copied"),
)(placed(_import, hidden={"at", "namespace"}))
namespaces.command(
    "protect",
    epilog=examples(
        "localreg namespaces protect default --group vision --dry-run",
        "localreg namespaces protect default --group vision --members read --others none --dry-run",
    ),
)(placed(_protect, hidden={"at"}))
