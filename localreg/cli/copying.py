"""`localreg copy`: a namespace, or all of them, into another place."""

from dataclasses import replace
from typing import Annotated

import typer

from localreg.cli.place import REMOTE, Place, examples, placed
from localreg.cli.values import storage_options

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


def _copy(
    place: Place,
    source: Annotated[str, typer.Argument(metavar="SRC", help="The registry: a folder or URI, as --registry.")],
    target: Annotated[
        str, typer.Argument(metavar="DST", help="Another one; an absent or empty place becomes a mirror of SRC.")
    ],
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Name of the namespace there.")] = None,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME[@VERSION]", help="Only this test suite, into that namespace.")
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Of a suite, make new versions of what is there and differs.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", "-A", help="All namespaces that you may read.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how much there is to do.")] = False,
    target_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="As --storage-option, for DST. Repeatable."),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", metavar="TEXT", help="Why; stands with the commits of an import or suite."),
    ] = None,
) -> None:
    """Copy a namespace with its whole history, each file compared with its digest: a backup, a mirror, or an import.

    Again later, it brings over what is new. Interrupted, it goes on where it stopped. Into another registry, or under
    another name, the namespace is imported: it keeps its history, and goes its own way from there on. With --suite,
    only a test suite is copied, with its samples and ground truths, as new records of the namespace DST.
    """
    if place.registry is not None:
        raise typer.BadParameter("give the registry once: as SRC", param_hint="--registry")
    if everything and (name is not None or place.namespace is not None or place.at is not None):
        raise typer.BadParameter("all namespaces keep their names and are copied as they are now", param_hint="--all")
    if everything and suite is not None:
        raise typer.BadParameter("a test suite is of one namespace", param_hint="--suite")
    if reset and suite is None:
        raise typer.BadParameter("it is for --suite: a namespace goes on where its copy ends", param_hint="--reset")
    registry = replace(place, registry=source).read()
    options = storage_options(target_option or ()) or None
    if suite is not None:
        print(
            registry.copy_suite(
                suite, target, namespace=name, storage_options=options, reset=reset, dry_run=dry_run, message=message
            )
        )
        return
    found = registry.namespaces() if everything else None
    for each in [registry] if found is None else map(registry.namespace, found):
        print(each.copy(target, name=name, storage_options=options, dry_run=dry_run, message=message))
    left_out = {} if found is None else found.inaccessible
    for closed, why in left_out.items():
        print(f"left out namespace {closed!r}: {why}")
    if left_out:
        raise typer.Exit(1)


app.command(
    "copy",
    epilog=examples(
        "localreg copy registry backup --all",
        "localreg copy registry backup --as team/copied --dry-run",
        "localreg copy registry other --suite plates",
    ),
)(placed(_copy, shown=REMOTE))
