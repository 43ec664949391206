"""`localreg inferences`: what a model saw, sample by sample, in files that others read and write."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.listing import Columns, Limit, shown
from localreg.cli.output import Listing
from localreg.cli.place import Place, examples, new_group, placed, reading, writing
from localreg.cli.tables import Choice, Column, File, OnInvalid, mapping, told
from localreg.names import check_whole

if TYPE_CHECKING:
    from localreg.query import Result
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
        "localreg inferences list meadow-5 --suite plates --limit 20",
        "localreg inferences list meadow-5@1 --format csv",
    ),
)
@reading()
def list_inferences(
    registry: "Registry", model: Model, suite: Suite = None, columns: Columns = None, limit: Limit = None
) -> Listing:
    """List the inferences of a model version, each with its sample, its ground truth and its status.

    To write many to a file, take localreg inferences export.
    """
    rows = registry.get_version(model).inferences(suite)
    if limit is not None:
        rows = _first(rows, check_whole(limit, what="--limit"))
    return shown(rows, columns, [name for name in rows.columns if name not in ("metadata", "extra", "error")])


def _first(rows: "Result", count: int) -> "Result":
    """No more is read than is shown: there may be millions."""
    import pyarrow as pa

    from localreg.query import Result

    wanted: list[pa.RecordBatch] = []
    for batch in rows.batches():
        wanted.append(batch.slice(0, count))
        count -= wanted[-1].num_rows
        if not count:
            break
    table = pa.Table.from_batches(wanted) if wanted else rows.arrow().slice(0, 0)
    return Result(lambda: table)


@inferences.command(
    "import",
    epilog=examples(
        "localreg inferences import predictions.parquet --model meadow-6 --workflow Plates --on number",
        "localreg inferences import predictions.csv --model meadow-6 --suite plates --column text=plate",
    ),
)
@writing
def import_inferences(
    registry: "Registry",
    file: File,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The model, or MODEL@VERSION; made if need be.", autocompletion=completion.models
        ),
    ],
    workflow: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Else that of the suite, or of the model.", autocompletion=completion.workflows
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Samples of this test suite; else any of the workflow.",
            autocompletion=completion.suites,
        ),
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="By which a row tells its sample; repeatable. Else locator, or all fields."),
    ] = None,
    column: Column = None,
    on_invalid: OnInvalid = Choice.RAISE,
    on_unknown: Annotated[Choice, typer.Option(help="Likewise a row whose sample is not known.")] = Choice.RAISE,
    reset: Annotated[bool, typer.Option("--reset", help="Replace what is stored of these samples.")] = False,
) -> str:
    """Record inferences that were made elsewhere, from a file with a row for each sample: all in one commit, or none.

    Columns are matched to fields by name; rows may come in any order. What is stored already, and equal, stays.
    """
    report = registry.import_inferences(
        file,
        model=model,
        workflow=workflow,
        suite=suite,
        on=on or None,
        columns=mapping(column),
        on_invalid=on_invalid.value,
        on_unknown=on_unknown.value,
        reset=reset,
    )
    return told(report)


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
    if str(path) == "-":
        raise typer.BadParameter("write to a file; to print, take localreg inferences list --format csv or json")
    count = place.read().get_version(model).export_inferences(path, suite=suite, format=format, overwrite=overwrite)
    print(f"wrote {count:,} rows: {path}")


inferences.command(
    "export",
    epilog=examples(
        "localreg inferences export meadow-5 preds.parquet --suite plates",
        "localreg inferences export meadow-5@1 preds.csv --suite plates --overwrite",
    ),
)(placed(_export, hidden={"actor"}))
