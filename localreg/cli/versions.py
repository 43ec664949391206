"""`localreg versions` and `localreg aliases`: a model's versions, and the names that point to them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion, values
from localreg.cli.beside import datasets_of, measured
from localreg.cli.listing import Columns, shown
from localreg.cli.models import CHANGES, VALUES, Description, Json, Pairs
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import Account, examples, new_group, reading, writing
from localreg.names import WELL_KNOWN

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["aliases", "versions"]

LISTED = ("version", "aliases", "tags", "description", "metadata", "metrics", "created_at", "created_by")

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model.", autocompletion=completion.models)]
Version = Annotated[
    str,
    typer.Argument(metavar="VERSION", help="Free text, such as 2 or 2026-03.", autocompletion=completion.versions),
]
Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="Such as production.", autocompletion=completion.aliases)]

versions = new_group(
    "The versions of a model, each one trained thing.",
    epilog=examples("localreg versions list meadow-5"),
)
aliases = new_group(
    "Movable names for the versions of a model, such as production.",
    epilog=examples("localreg aliases set meadow-5 production 2"),
)


@versions.command("list", epilog=examples("localreg versions list meadow-5"))
@reading()
def list_versions(registry: "Registry", model: Model) -> Rows:
    """List a model's versions, in order of creation.

    Their metadata is the model's, overlaid by their own.
    """
    name = registry.get_model(model).name
    return Rows.of(registry.sql("SELECT * FROM model_versions WHERE model = ?", [name]), shown=LISTED)


@versions.command("show", epilog=examples("localreg versions show meadow-5 2"))
@reading()
def show_version(registry: "Registry", model: Model, version: Version) -> Card:
    """Show one version, with its metadata laid over the model's."""
    handle = registry.get_model(model).version(version)
    verdict, machines = handle.determinism, handle.machines
    told = {} if verdict is None else {"determinism": verdict.in_words, "first deviation": verdict.first_deviation}
    return Card(
        Rows.of(registry.model_versions(f"id = '{handle.id}'")),
        first=WELL_KNOWN,
        told={**told, **({"verified on": "; ".join(map(str, machines))} if machines else {})},
        more={"measured": measured(registry, handle.model.name, handle.name), "datasets": datasets_of(handle)},
    )


@versions.command(
    "set",
    help=f"Set metadata or the description of a version.\n\nWhat is not named stays. It is one audited act. {VALUES}",
    epilog=examples("localreg versions set meadow-5 2 epochs=40 --description 'more night images'"),
)
@writing
def set_version(
    registry: "Registry",
    model: Model,
    version: Version,
    pairs: Pairs = None,
    json: Json = None,
    description: Description = None,
) -> str:
    """Set metadata or the description of a version."""
    given: dict[str, Any] = {} if description is None else {"description": description}
    metadata = values.metadata(pairs or (), json)
    if not metadata and not given:
        raise typer.BadParameter("nothing to set: give KEY=VALUE, --json or --description")
    made = registry.get_model(model).version(version).update(metadata=metadata, **given)
    return f"updated version {made.version!r} of model {made.model.name!r}"


@versions.command(
    "unset",
    epilog=examples("localreg versions unset meadow-5 2 epochs", "localreg versions unset meadow-5 2 --description"),
)
@writing
def unset_version(
    registry: "Registry",
    model: Model,
    version: Version,
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Top-level metadata keys.")] = None,
    description: Annotated[bool, typer.Option("--description", help="Remove the description.")] = False,
) -> str:
    """Remove metadata or the description of a version; absent is fine."""
    removed: dict[str, Any] = {"description": None} if description else {}
    if not keys and not removed:
        raise typer.BadParameter("nothing to unset: give KEY or --description")
    made = registry.get_model(model).version(version).update(unset=keys or (), **removed)
    return f"updated version {made.version!r} of model {made.model.name!r}"


Tags = Annotated[list[str], typer.Argument(metavar="TAG")]


@versions.command("tag", epilog=examples("localreg versions tag meadow-5 2 checked"))
@writing
def tag_version(registry: "Registry", model: Model, version: Version, tags: Tags) -> str:
    """Add tags to a version; those that it has are fine."""
    made = registry.get_model(model).version(version).tag(*tags)
    return f"tagged version {made.version!r} of model {made.model.name!r}"


@versions.command("untag", epilog=examples("localreg versions untag meadow-5 2 checked"))
@writing
def untag_version(registry: "Registry", model: Model, version: Version, tags: Tags) -> str:
    """Remove tags from a version; absent ones are fine."""
    made = registry.get_model(model).version(version).untag(*tags)
    return f"untagged version {made.version!r} of model {made.model.name!r}"


@versions.command("history", epilog=examples("localreg versions history meadow-5 2"))
@reading()
def version_history(registry: "Registry", model: Model, version: Version, columns: Columns = None) -> Listing:
    """Show what was done to a version and its test runs, in order of commit."""
    return shown(registry.get_model(model).version(version).history(), columns, CHANGES)


@versions.command("consume", epilog=examples("localreg versions consume meadow-5@production"))
@writing
def consume_version(
    registry: "Registry",
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="MODEL (its newest version), MODEL@VERSION or MODEL@ALIAS.",
            autocompletion=completion.models,
        ),
    ],
) -> str:
    """Say that a version is used here, as a program does that loads it, and print which one it is.

    It is an event of the audit log, unless nothing can be written to the registry: then there is a warning.
    """
    version = registry.consume(reference)
    return Account(f"{version.model.name}@{version.version}")


@versions.command(
    "consumers",
    epilog=examples("localreg versions consumers meadow-5", "localreg versions consumers meadow-5 2 --format json"),
)
@reading()
def list_consumers(
    registry: "Registry",
    model: Model,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Else all.", autocompletion=completion.versions)
    ] = None,
) -> Rows:
    """List who used a model's versions, when, where, and by which alias: once for each process and version."""
    handle = registry.get_model(model)
    return Rows.of((handle if version is None else handle.version(version)).consumers())


@versions.command("delete", epilog=examples("localreg versions delete meadow-5 2 --force"))
@writing
def delete_version(
    registry: "Registry",
    model: Model,
    version: Version,
    force: Annotated[bool, typer.Option("--force", help="With its aliases, test runs and their inferences.")] = False,
) -> str:
    """Delete a version; without --force only one that no alias or test run depends on."""
    handle = registry.get_model(model)
    handle.version(version).delete(force=force)
    return f"deleted version {version!r} of model {handle.name!r}"


@versions.command(
    "create",
    help=f"Add a version; it becomes the newest.\n\n{VALUES}",
    epilog=examples("localreg versions create meadow-5 3 epochs=40 --description 'more night images'"),
)
@writing
def create_version(
    registry: "Registry",
    model: Model,
    version: Version,
    pairs: Pairs = None,
    json: Json = None,
    description: Description = None,
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="No error if it is there; it is left as it is.")] = False,
) -> str:
    """Add a version; it becomes the newest."""
    metadata = values.metadata(pairs or (), json)
    made = registry.get_model(model).create_version(
        version, metadata=metadata, description=description, exist_ok=exist_ok
    )
    return f"created version {made.version!r} of model {made.model.name!r}"


@aliases.command("list", epilog=examples("localreg aliases list meadow-5"))
@reading()
def list_aliases(registry: "Registry", model: Model) -> Rows:
    """List a model's aliases and the versions that they mean."""
    pointers = registry.get_model(model).aliases()
    return Rows(("alias", "version"), [(alias, version.version) for alias, version in pointers.items()])


@aliases.command("set", epilog=examples("localreg aliases set meadow-5 production 2"))
@writing
def set_alias(registry: "Registry", model: Model, alias: Alias, version: Version) -> str:
    """Point an alias at a version, wherever it pointed before."""
    handle = registry.get_model(model).set_alias(alias, version)
    return f"alias {alias!r} of model {handle.name!r} now means version {version!r}"


@aliases.command("remove", epilog=examples("localreg aliases remove meadow-5 production"))
@writing
def remove_alias(registry: "Registry", model: Model, alias: Alias) -> str:
    """Remove an alias; the version stays."""
    handle = registry.get_model(model).remove_alias(alias)
    return f"removed alias {alias!r} of model {handle.name!r}"
