"""`localreg metrics`: numbers that people say models and versions are worth."""

from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion, values
from localreg.cli.artifacts import model_or_version
from localreg.cli.listing import Columns, Limit, OrderBy, Where, shown
from localreg.cli.output import Listing
from localreg.cli.place import examples, new_group, reading, writing

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["metrics"]

USUAL = ("model", "version", "metric", "value", "dataset", "test_suite")

Owner = Annotated[
    str,
    typer.Argument(metavar="MODEL[@VERSION]", help="A model, or a version of it.", autocompletion=completion.models),
]
Dataset = Annotated[str | None, typer.Option(metavar="NAME", help="The data set that they were measured on.")]
Suite = Annotated[
    str | None,
    typer.Option(metavar="SUITE", help="The test suite that they were measured on.", autocompletion=completion.suites),
]

metrics = new_group(
    "Metrics: numbers that people say models and versions are worth.",
    epilog=examples("localreg metrics set meadow-5@2 accuracy=0.93 --suite plates", "localreg metrics list"),
)


@metrics.command("list", epilog=examples("localreg metrics list --where \"metric = 'accuracy' AND value > 0.9\""))
@reading()
def list_metrics(
    registry: "Registry",
    where: Where = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the metrics of all models and versions."""
    return shown(registry.model_metrics(where, order_by=order_by or None, limit=limit), columns, USUAL)


@metrics.command(
    "set",
    epilog=examples(
        "localreg metrics set meadow-5@2 accuracy=0.93 size=12", "localreg metrics set meadow-5 cost=3 --suite plates"
    ),
)
@writing
def set_metrics(
    registry: "Registry",
    owner: Owner,
    pairs: Annotated[list[str], typer.Argument(metavar="METRIC=NUMBER")],
    dataset: Dataset = None,
    suite: Suite = None,
) -> str:
    """Say what a model or a version is worth; numbers of the same names are replaced."""
    said = values.metadata(pairs)
    model_or_version(registry, owner).set_metrics(said, dataset=dataset, suite=suite)  # type: ignore[arg-type]
    return f"set {', '.join(said)} of {owner!r}"


@metrics.command("unset", epilog=examples("localreg metrics unset meadow-5@2 size"))
@writing
def unset_metrics(
    registry: "Registry",
    owner: Owner,
    names: Annotated[list[str], typer.Argument(metavar="METRIC")],
    dataset: Dataset = None,
    suite: Suite = None,
) -> str:
    """Take metrics back; absent ones are fine."""
    model_or_version(registry, owner).unset_metrics(*names, dataset=dataset, suite=suite)
    return f"took back {', '.join(names)} of {owner!r}"
