"""`localreg artifacts`: files and folders of models, versions, experiments and checkpoints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion, values
from localreg.cli.listing import Columns, Limit, OrderBy, Search, Where, shown
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import Account, examples, new_group, reading, writing

if TYPE_CHECKING:
    from localreg.experiments import Checkpoint, Experiment
    from localreg.models import Model, ModelVersion
    from localreg.registry import Registry

__all__ = ["Metadata", "OfCheckpoint", "OfExperiment", "Owner", "artifacts", "owner_of", "model_or_version"]

USUAL = ("owner_kind", "owner", "name", "media_type", "bytes", "files", "uri", "created_at")

Owner = Annotated[
    str,
    typer.Argument(
        metavar="OWNER",
        help="MODEL, MODEL@VERSION or MODEL@ALIAS; with --experiment or --checkpoint, an experiment.",
        autocompletion=completion.models,
    ),
]
OfExperiment = Annotated[bool, typer.Option("--experiment", help="OWNER is an experiment.")]
OfCheckpoint = Annotated[
    str | None, typer.Option("--checkpoint", metavar="NAME", help="Of the experiment OWNER, this checkpoint.")
]
Artifact = Annotated[str, typer.Argument(metavar="NAME", help="Name of the artifact.")]
Named = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Else that of the file.")]
MediaType = Annotated[str | None, typer.Option(metavar="TYPE", help="Such as application/json; else by the name.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeatable.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace an artifact of that name; it stays in the past.")]

artifacts = new_group(
    "Artifacts: files and folders, stored by content or tracked where they are.",
    epilog=examples(
        "localreg artifacts upload meadow-5@2 weights.pt", "localreg artifacts download meadow-5@2 weights deployed"
    ),
)


@artifacts.command("list", epilog=examples("localreg artifacts list --where \"owner = 'meadow-5@2'\""))
@reading()
def list_artifacts(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the artifacts of everything."""
    return shown(registry.artifacts(where, search=search, order_by=order_by or None, limit=limit), columns, USUAL)


@artifacts.command("show", epilog=examples("localreg artifacts show meadow-5@2 weights"))
@reading()
def show_artifact(
    registry: "Registry",
    owner: Owner,
    name: Artifact,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> Card:
    """Show an artifact, and the files of a folder."""
    found = owner_of(registry, owner, experiment, checkpoint).get_artifact(name)
    row = Rows.of(registry.artifacts(f"id = '{found.id}'"))
    return Card(row, more={"content": Rows.of(found.files())} if found.info.folder else {})


@artifacts.command(
    "upload",
    epilog=examples(
        "localreg artifacts upload meadow-5@2 weights.pt --metadata epoch=30",
        "localreg artifacts upload 'lr 0.1' notes.md --experiment",
    ),
)
@writing
def upload_artifact(
    registry: "Registry",
    owner: Owner,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file or a folder.")],
    name: Named = None,
    media_type: MediaType = None,
    metadata: Metadata = None,
    replace: Replace = False,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> str:
    """Store a file or a folder; equal content is stored once."""
    stored = owner_of(registry, owner, experiment, checkpoint).upload(
        path, name=name, media_type=media_type, metadata=values.metadata(metadata or (), None), replace=replace
    )
    return f"stored {stored.name!r}, {stored.bytes:,} bytes, sha256 {stored.sha256}"


@artifacts.command("track", epilog=examples("localreg artifacts track meadow-5 s3://bucket/data.parquet"))
@writing
def track_artifact(
    registry: "Registry",
    owner: Owner,
    uri: Annotated[str, typer.Argument(metavar="URI", help="Where it is: any that fsspec opens, or a path.")],
    name: Named = None,
    media_type: MediaType = None,
    metadata: Metadata = None,
    stat: Annotated[bool, typer.Option("--stat", help="Read it once, and keep its size and sha256.")] = False,
    replace: Replace = False,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> str:
    """Say where something is, and leave it there; it is not opened."""
    tracked = owner_of(registry, owner, experiment, checkpoint).track(
        uri,
        name=name,
        media_type=media_type,
        metadata=values.metadata(metadata or (), None),
        stat=stat,
        replace=replace,
    )
    return f"tracked {tracked.name!r} at {tracked.uri}"


@artifacts.command("download", epilog=examples("localreg artifacts download meadow-5@production weights deployed"))
@writing
def download_artifact(
    registry: "Registry",
    owner: Owner,
    name: Artifact,
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to: it is made if need be.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that hold something else.")] = False,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> str:
    """Copy an artifact into a folder, and check every byte.

    That is an event of the audit log, unless nothing can be written to the registry.
    """
    artifact = owner_of(registry, owner, experiment, checkpoint).get_artifact(name)
    return Account(f"wrote {artifact.download(to, overwrite=overwrite)}")


@artifacts.command("delete", epilog=examples("localreg artifacts delete meadow-5@2 weights"))
@writing
def delete_artifact(
    registry: "Registry",
    owner: Owner,
    name: Artifact,
    force: Annotated[bool, typer.Option("--force", help="With the data sets that stand on it.")] = False,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> str:
    """Delete an artifact; earlier commits still show it."""
    owner_of(registry, owner, experiment, checkpoint).get_artifact(name).delete(force=force)
    return f"deleted artifact {name!r}"


def owner_of(
    registry: "Registry", name: str, experiment: bool, checkpoint: str | None
) -> "Model | ModelVersion | Experiment | Checkpoint":
    """What is meant by OWNER."""
    if checkpoint is not None:
        return registry.get_experiment(name).get_checkpoint(checkpoint)
    if experiment:
        return registry.get_experiment(name)
    return model_or_version(registry, name)


def model_or_version(registry: "Registry", reference: str) -> "Model | ModelVersion":
    """The model of exactly that name, else the version that is meant."""
    return registry.find_model(reference) or registry.get_version(reference)
