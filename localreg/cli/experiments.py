"""`localreg experiments` and `checkpoints`: what was tried, and what was saved of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.archiving import add_archiving
from localreg.cli.beside import datasets_of
from localreg.cli.listing import All, Archived, Columns, Limit, OrderBy, Search, Where, archived_or_not, shown
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.cli.runs import code_in_words
from localreg.names import amount

if TYPE_CHECKING:
    from localreg.experiments import Checkpoint
    from localreg.registry import Registry

__all__ = ["checkpoints", "experiments"]

USUAL = ("name", "status", "owner", "framework", "params", "created_at", "ended_at")
SAVED = ("experiment", "name", "step", "epoch", "metrics", "versions", "created_at")

EXPERIMENT = typer.Argument(metavar="EXPERIMENT", help="Name of an experiment.", autocompletion=completion.experiments)
Experiment = Annotated[str, EXPERIMENT]
Name = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Name of a checkpoint, such as 'step 30'.")]

experiments = new_group(
    "Experiments: what was tried to make a model, point by point.",
    epilog=examples("localreg experiments list", "localreg experiments points 'lr 0.1' train/loss"),
)
checkpoints = new_group(
    "Checkpoints: the saved weights of experiments.",
    epilog=examples("localreg checkpoints list", "localreg checkpoints promote 'lr 0.1' 'step 30' meadow-5 3"),
)


@experiments.command(
    "list", epilog=examples("localreg experiments list", "localreg experiments list --where 'params.lr < 0.2'")
)
@reading()
def list_experiments(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
    archived: Archived = False,
    all: All = False,
) -> Listing:
    """List the experiments, in order of creation."""
    found = registry.experiments(
        where, search=search, order_by=order_by or None, limit=limit, archived=archived_or_not(archived, all)
    )
    return shown(found, columns, USUAL)


@experiments.command("show", epilog=examples("localreg experiments show 'lr 0.1'"))
@reading()
def show_experiment(registry: "Registry", experiment: Experiment) -> Card:
    """Show an experiment: what it was asked for, how it ended, and each series in a line.

    It is killed if it should be running and no process of it is alive.
    """
    found = registry.get_experiment(experiment)
    row = Rows.of(registry.experiments(f"id = '{found.id}'", archived=None))
    environment = row.json()[0]["environment"]
    told = {"status": found.status, "environment": "; ".join(code_in_words(environment))}
    return Card(row, told=told, more={"datasets": datasets_of(found), "series": Rows.of(found.summary())})


@experiments.command(
    "points",
    epilog=examples("localreg experiments points 'lr 0.1' train/loss", "localreg experiments points 'lr 0.1' train/"),
)
@reading()
def show_points(
    registry: "Registry",
    experiment: Experiment,
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="A series, or a group such as train/; else all.")
    ] = None,
    committed: Annotated[
        bool, typer.Option("--committed", help="Without what is still on its way, of running and killed processes.")
    ] = False,
) -> Rows:
    """List the points of an experiment, by series, step, wall clock."""
    return Rows.of(registry.get_experiment(experiment).points(key, live=not committed))


@experiments.command("recover", epilog=examples("localreg experiments recover"))
@writing
def recover_experiments(registry: "Registry") -> str:
    """Close the experiments whose processes are gone, as killed, with all that they logged."""
    found = registry.recover_experiments()
    names = ", ".join(repr(each.name) for each in found)
    return f"closed {amount(len(found), 'experiment')}{f': {names}' if names else ''}"


@experiments.command("delete", epilog=examples("localreg experiments delete 'lr 0.1' --force"))
@writing
def delete_experiment(
    registry: "Registry",
    experiment: Experiment,
    force: Annotated[
        bool, typer.Option("--force", help="With its checkpoints, and the versions made of them.")
    ] = False,
) -> str:
    """Delete an experiment."""
    registry.get_experiment(experiment).delete(force=force)
    return f"deleted experiment {experiment!r}"


add_archiving(
    experiments,
    "experiment",
    lambda registry, name: registry.get_experiment(name),
    argument=EXPERIMENT,
    example="'lr 0.1'",
)


@checkpoints.command(
    "list",
    epilog=examples(
        "localreg checkpoints list --where \"experiment = 'lr 0.1'\"",
        "localreg checkpoints list --order-by 'metrics.val_loss' --limit 3",
    ),
)
@reading()
def list_checkpoints(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the checkpoints of all experiments, with the versions that were made of them."""
    return shown(registry.checkpoints(where, search=search, order_by=order_by or None, limit=limit), columns, SAVED)


@checkpoints.command("promote", epilog=examples("localreg checkpoints promote 'lr 0.1' 'step 30' meadow-5 3"))
@writing
def promote_checkpoint(
    registry: "Registry",
    experiment: Experiment,
    checkpoint: Name,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model.", autocompletion=completion.models)],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The new version.")],
) -> str:
    """Make a version of a model of a checkpoint; the audit log names experiment and checkpoint."""
    _checkpoint(registry, experiment, checkpoint).promote(model, version)
    return f"made version {version!r} of model {model!r}"


@checkpoints.command("delete", epilog=examples("localreg checkpoints delete 'lr 0.1' 'step 30'"))
@writing
def delete_checkpoint(
    registry: "Registry",
    experiment: Experiment,
    checkpoint: Name,
    force: Annotated[bool, typer.Option("--force", help="With the versions that were made of it.")] = False,
) -> str:
    """Delete a checkpoint."""
    _checkpoint(registry, experiment, checkpoint).delete(force=force)
    return f"deleted checkpoint {checkpoint!r} of experiment {experiment!r}"


def _checkpoint(registry: "Registry", experiment: str, name: str) -> "Checkpoint":
    return registry.get_experiment(experiment).get_checkpoint(name)
