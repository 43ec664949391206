"""`localreg inferences`: what a model saw, sample by sample, and as files that others read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.listing import Columns, shown
from localreg.cli.output import Listing
from localreg.cli.place import Place, examples, new_group, placed, reading

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["inferences"]

Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="MODEL, MODEL@VERSION or MODEL@ALIAS.", autocompletion=completion.models),
]
Suite = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Samples of this test suite, in its order, with ground truths; else all that were inferred.",
        autocompletion=completion.suites,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]

inferences = new_group(
    "Inferences: what a model saw, sample by sample.",
    epilog=examples("localreg inferences list meadow-5 --suite plates"),
)


@inferences.command(
    "list",
    epilog=examples(
        "localreg inferences list meadow-5 --suite plates", "localreg inferences list meadow-5@1 --format csv"
    ),
)
@reading()
def list_inferences(registry: "Registry", model: Model, suite: Suite = None, columns: Columns = None) -> Listing:
    """List the inferences of a model version, each with its sample, its ground truth and its status.

    To write many to a file, take localreg inferences export.
    """
    rows = registry.get_version(model).inferences(suite)
    return shown(rows, columns, [name for name in rows.columns if name not in ("metadata", "extra", "error")])


def _export(
    place: Place,
    model: Model,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A local file.")],
    suite: Suite = None,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="NAME", help="parquet, csv, jsonl or coco; else by the ending."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the inferences of a model version to a file, each with its sample, its ground truth and its status.

    Parquet has all columns as they are; csv nested values as JSON; jsonl an object a line; coco (ending .json) the
    boxes as COCO results. The file appears when it is whole.
    """
    count = place.read().get_version(model).export_inferences(path, suite=suite, format=format, overwrite=overwrite)
    print(f"wrote {count:,} rows: {path}")


inferences.command(
    "export",
    epilog=examples(
        "localreg inferences export meadow-5 preds.parquet --suite plates",
        "localreg inferences export meadow-5@1 preds.csv --suite plates --overwrite",
    ),
)(placed(_export, hidden={"actor"}))
