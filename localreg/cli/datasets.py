"""`localreg datasets`: what models, versions and experiments were trained and evaluated on."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from localreg.cli import completion, values
from localreg.cli.artifacts import model_or_version
from localreg.cli.listing import Columns, Limit, OrderBy, Search, Where, shown
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing

if TYPE_CHECKING:
    from localreg.artifacts import Artifact
    from localreg.experiments import Experiment
    from localreg.models import Model, ModelVersion
    from localreg.registry import Registry

__all__ = ["datasets"]

USUAL = ("owner", "name", "role", "artifact", "uri", "created_at")

Owner = Annotated[
    str,
    typer.Argument(
        metavar="OWNER",
        help="MODEL, MODEL@VERSION or MODEL@ALIAS; with --experiment, an experiment.",
        autocompletion=completion.models,
    ),
]
OfExperiment = Annotated[bool, typer.Option("--experiment", help="OWNER is an experiment.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set.", autocompletion=completion.datasets)]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="Free text.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeatable.")]
Role = Literal["train", "eval"]

datasets = new_group(
    "Data sets: what models, versions and experiments were trained and evaluated on.",
    epilog=examples(
        "localreg datasets add meadow-5 s3://plates/2026.parquet --role train",
        "localreg datasets list --where \"role = 'train'\"",
    ),
)


@datasets.command("list", epilog=examples("localreg datasets list --where \"role = 'train'\""))
@reading()
def list_datasets(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the data sets of everything; those of a model hold for its versions, too."""
    return shown(registry.datasets(where, search=search, order_by=order_by or None, limit=limit), columns, USUAL)


@datasets.command("show", epilog=examples("localreg datasets show meadow-5@2 plates"))
@reading()
def show_dataset(registry: "Registry", owner: Owner, name: Name, experiment: OfExperiment = False) -> Card:
    """Show a data set; of a version also one of its model."""
    found = _owner(registry, owner, experiment).get_dataset(name)
    return Card(Rows.of(registry.datasets(f"id = '{found.id}'")))


@datasets.command(
    "add",
    epilog=examples(
        "localreg datasets add meadow-5 s3://plates/2026.parquet --role train --metadata license=CC0",
        "localreg datasets add meadow-5@2 weights --artifact --role eval --name holdout",
        "localreg datasets add 'lr 0.1' plates/night --experiment --role train",
    ),
)
@writing
def add_dataset(
    registry: "Registry",
    owner: Owner,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Where the data lie: a URI or a path, not opened.")],
    role: Annotated[Role, typer.Option("--role", help="What they are for.")],
    artifact: Annotated[bool, typer.Option("--artifact", help="SOURCE is the name of an artifact of OWNER.")] = False,
    artifact_of: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="SOURCE is the name of an artifact of this model or MODEL@VERSION."),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Else that of the artifact or file.")] = None,
    description: Description = None,
    metadata: Metadata = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a data set of that name; it stays in the past.")
    ] = False,
    experiment: OfExperiment = False,
) -> str:
    """Say what something was trained or evaluated on: a place, or an artifact of the registry."""
    of = _owner(registry, owner, experiment)
    content: str | Artifact = source
    if artifact_of is not None:
        content = _owner(registry, artifact_of, False).get_artifact(source)
    elif artifact:
        content = of.get_artifact(source)
    made = of.add_dataset(
        content,
        role=role,
        name=name,
        description=description,
        metadata=values.metadata(metadata or (), None),
        replace=replace,
    )
    return f"added data set {made.name!r} to {owner!r}"


@datasets.command("set", epilog=examples("localreg datasets set meadow-5 plates license=CC0 --role eval"))
@writing
def set_dataset(
    registry: "Registry",
    owner: Owner,
    name: Name,
    pairs: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Metadata.")] = None,
    role: Annotated[Role | None, typer.Option("--role", help="What it is for.")] = None,
    description: Description = None,
    experiment: OfExperiment = False,
) -> str:
    """Set metadata, role or description of a data set."""
    given: dict[str, Any] = {"role": role, "description": description}
    said = {field: value for field, value in given.items() if value is not None}
    if not pairs and not said:
        raise typer.BadParameter("nothing to set: give KEY=VALUE, --role or --description")
    _owner(registry, owner, experiment).get_dataset(name).update(metadata=values.metadata(pairs or (), None), **said)
    return f"updated data set {name!r}"


@datasets.command("delete", epilog=examples("localreg datasets delete meadow-5 plates"))
@writing
def delete_dataset(registry: "Registry", owner: Owner, name: Name, experiment: OfExperiment = False) -> str:
    """Delete a data set; the artifact that it stands on stays."""
    _owner(registry, owner, experiment).get_dataset(name).delete()
    return f"deleted data set {name!r}"


def _owner(registry: "Registry", name: str, experiment: bool) -> "Model | ModelVersion | Experiment":
    """Whose data sets are meant."""
    if experiment:
        return registry.get_experiment(name)
    return model_or_version(registry, name)
