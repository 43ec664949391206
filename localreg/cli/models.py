"""`localreg models`: what `Registry.models`, `create_model` and the methods of `Model` do."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion, values
from localreg.cli.archiving import add_archiving
from localreg.cli.beside import datasets_of, measured
from localreg.cli.listing import (
    All,
    AllNamespaces,
    Archived,
    Columns,
    Limit,
    OrderBy,
    Search,
    Where,
    archived_or_not,
    one_or_all,
    shown,
)
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.names import WELL_KNOWN
from localreg.records.differences import Difference

if TYPE_CHECKING:
    from localreg.handles.handle import Handle
    from localreg.registry import Registry

__all__ = ["Name", "Pairs", "models"]

LISTED = ("name", "latest_version", "aliases", "tags", "owner", "updated_at")
CHANGES = ("commit", "time", "actor", "action", "name", "changes")

VALUES = """A VALUE that is JSON is taken as JSON (5, true, null, [1, 2], {"lr": 0.1}), anything else as text; for the
text 5 write KEY='"5"'. Dots in a KEY are plain characters: metadata is merged by whole top-level keys."""

NAME = typer.Argument(
    metavar="NAME",
    help="Name of the model; one that begins with - goes after --.",
    autocompletion=completion.models,
)
Name = Annotated[str, NAME]
MEANT = "A model, or a version of one: MODEL@VERSION or MODEL@ALIAS."
Json = Annotated[str | None, typer.Option(metavar="JSON", help="A JSON object of metadata.")]
Pairs = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Metadata.")]
Owner = Annotated[str | None, typer.Option(metavar="NAME", help="Whom to ask.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="Free text.")]
Task = Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for, such as detection.")]

models = new_group(
    "Register models, find them, and keep what is said of them.",
    epilog=examples("localreg models list", "localreg models show meadow-5"),
)


@models.command(
    "list",
    epilog=examples(
        "localreg models list --where \"metadata.framework = 'pytorch' AND 'detector' IN tags\"",
        "localreg models list --order-by 'created_at DESC' --limit 20 --format json",
        "localreg models list --search 'night yolor' --columns name,owner",
    ),
)
@reading()
def list_models(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    archived: Archived = False,
    all: All = False,
    columns: Columns = None,
    all_namespaces: AllNamespaces = False,
) -> Listing:
    """List the models, in order of creation."""
    place = one_or_all(registry, all_namespaces)
    found = place.models(
        where, search=search, order_by=order_by or None, limit=limit, archived=archived_or_not(archived, all)
    )
    return shown(found, columns, ("namespace", *LISTED) if all_namespaces else LISTED)


@models.command(
    "show", epilog=examples("localreg models show meadow-5", "localreg models show meadow-5 --at 3 --format json")
)
@reading()
def show_model(registry: "Registry", name: Name) -> Card:
    """Show one model in full, with its metadata."""
    model = registry.get_model(name)
    aliases = ", ".join(f"{alias} → {version.version}" for alias, version in sorted(model.aliases().items()))
    newest = model.latest_version
    verdict = None if newest is None else newest.determinism
    told = {} if verdict is None or newest is None else {"determinism": f"{newest.version}: {verdict.in_words}"}
    return Card(
        Rows.of(registry.models(f"id = '{model.id}'", archived=None)),
        first=WELL_KNOWN,
        told={"aliases": aliases, **told},
        more={"measured": measured(registry, model.name), "datasets": datasets_of(model)},
    )


@models.command(
    "create",
    help=f"Make a model.\n\n{VALUES}",
    epilog=examples(
        "localreg models create 'helpful-meadow-5 (1280x1280)' --metadata framework=pytorch --metadata seed=7",
        'localreg models create yolor --json \'{"optim": {"lr": 0.1}}\' --tag detector --owner ana',
    ),
)
@writing
def create_model(
    registry: "Registry",
    name: Name,
    metadata: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeatable.")] = None,
    json: Json = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Repeatable.")] = None,
    owner: Owner = None,
    description: Description = None,
    task: Task = None,
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="No error if it is there; it is left as it is.")] = False,
) -> str:
    """Make a model."""
    model = registry.create_model(
        name,
        metadata=values.metadata(metadata or (), json),
        tags=tag or (),
        owner=owner,
        description=description,
        task=task,
        exist_ok=exist_ok,
    )
    return f"created model {model.name!r}"


@models.command(
    "set",
    help=f"Set metadata, owner, description or task.\n\nWhat is not named stays. It is one audited act. {VALUES}",
    epilog=examples(
        'localreg models set meadow-5 framework=pytorch lr=0.1 \'classes=["cat", "dog"]\'',
        "localreg models set meadow-5 release='\"1.10\"' --owner ana -m 'after review'",
    ),
)
@writing
def set_model(
    registry: "Registry",
    name: Name,
    pairs: Pairs = None,
    json: Json = None,
    owner: Owner = None,
    description: Description = None,
    task: Task = None,
) -> str:
    """Set metadata, owner, description or task."""
    fields = {"owner": owner, "description": description, "task": task}
    given: dict[str, Any] = {field: text for field, text in fields.items() if text is not None}
    metadata = values.metadata(pairs or (), json)
    if not metadata and not given:
        raise typer.BadParameter("nothing to set: give KEY=VALUE, --json, --owner, --description or --task")
    model = registry.get_model(name).update(metadata=metadata, **given)
    return f"updated model {model.name!r}"


@models.command(
    "unset",
    epilog=examples("localreg models unset meadow-5 lr classes", "localreg models unset meadow-5 --owner"),
)
@writing
def unset_model(
    registry: "Registry",
    name: Name,
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEY", help="Top-level metadata keys.")] = None,
    owner: Annotated[bool, typer.Option("--owner", help="Remove the owner.")] = False,
    description: Annotated[bool, typer.Option("--description", help="Remove the description.")] = False,
    task: Annotated[bool, typer.Option("--task", help="Remove the task.")] = False,
) -> str:
    """Remove metadata, owner, description or task; absent is fine."""
    fields = {"owner": owner, "description": description, "task": task}
    removed: dict[str, Any] = {field: None for field, asked in fields.items() if asked}
    if not keys and not removed:
        raise typer.BadParameter("nothing to unset: give KEY, --owner, --description or --task")
    model = registry.get_model(name).update(unset=keys or (), **removed)
    return f"updated model {model.name!r}"


Tags = Annotated[list[str], typer.Argument(metavar="TAG", help="One or more.")]


@models.command("tag", epilog=examples("localreg models tag meadow-5 detector 'night shift'"))
@writing
def tag_model(registry: "Registry", name: Name, tags: Tags) -> str:
    """Add tags; those already there are fine."""
    return f"tagged model {registry.get_model(name).tag(*tags).name!r}"


@models.command("untag", epilog=examples("localreg models untag meadow-5 detector"))
@writing
def untag_model(registry: "Registry", name: Name, tags: Tags) -> str:
    """Remove tags; absent ones are fine."""
    return f"untagged model {registry.get_model(name).untag(*tags).name!r}"


@models.command("rename", epilog=examples("localreg models rename meadow-5 'meadow-5 (retired)'"))
@writing
def rename_model(
    registry: "Registry", name: Name, new_name: Annotated[str, typer.Argument(metavar="NEW", help="A free name.")]
) -> str:
    """Give a model another name.

    Its versions, results and history stay its own. The old name is free, and asking for it tells the new one.
    """
    return f"renamed model {name!r} to {registry.get_model(name).rename(new_name).name!r}"


add_archiving(models, "model", lambda registry, name: registry.get_model(name), argument=NAME, example="night-owl")


@models.command(
    "delete", epilog=examples("localreg models delete night-owl", "localreg models delete night-owl --force")
)
@writing
def delete_model(
    registry: "Registry",
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="With its versions, aliases, test runs and their inferences.")
    ] = False,
) -> str:
    """Delete a model; without --force only one that has no versions.

    Its history stays in the audit log, and its name is free.
    """
    model = registry.get_model(name)
    deleted = model.name
    model.delete(force=force)
    return f"deleted model {deleted!r}"


@models.command(
    "history",
    epilog=examples(
        "localreg models history meadow-5", "localreg models history meadow-5 --columns commit,kind,changes,message"
    ),
)
@reading()
def model_history(registry: "Registry", name: Name, columns: Columns = None) -> Listing:
    """Show what was done to a model, its versions and aliases.

    In order of commit. For a deleted model: localreg audit --name NAME.
    """
    return shown(registry.get_model(name).history(), columns, CHANGES)


@models.command(
    "diff", epilog=examples("localreg models diff meadow-4 meadow-5", "localreg models diff meadow-5@1 meadow-5@2")
)
@reading()
def diff_models(
    registry: "Registry",
    name: Annotated[str, typer.Argument(metavar="A", help=MEANT, autocompletion=completion.models)],
    other: Annotated[str, typer.Argument(metavar="B", help="Likewise.", autocompletion=completion.models)],
) -> Rows:
    """Show what differs between two models, or two versions: only that, path by path."""
    found = _meant(registry, name).differences(_meant(registry, other))
    columns = Difference._fields  # of the class, so that they stand there when nothing differs
    return Rows(columns, found.rows, shown=columns[:-1])


def _meant(registry: "Registry", reference: str) -> "Handle[Any]":
    """The model of exactly that name, else the version that the reference means."""
    model = registry.find_model(reference)
    if model is None and "@" in reference:
        return registry.get_version(reference)
    return model or registry.get_model(reference)  # which raises, and tells a near name
