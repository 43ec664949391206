"""`localreg coco`: COCO JSON in and out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.inferences import Overwrite
from localreg.cli.place import Place, examples, new_group, placed, writing

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["coco"]

Suite = Annotated[str, typer.Option(metavar="NAME", help="Name of the test suite.", autocompletion=completion.suites)]
Reset = Annotated[bool, typer.Option("--reset", help="Replace what is stored.")]

coco = new_group(
    "COCO JSON: annotations and results, in and out.",
    epilog=examples("localreg coco import annotations.json --suite val2026"),
)


@coco.command(
    "import",
    epilog=examples(
        "localreg coco import annotations.json --suite val2026",
        "localreg coco import annotations.json --suite val2026 --images-root /data/coco",
    ),
)
@writing
def import_annotations(
    registry: "Registry",
    annotations: Annotated[Path, typer.Argument(metavar="FILE", help="COCO annotations.")],
    suite: Suite,
    images_root: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Goes before each file name; may be an address.")
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="Free text.")] = None,
    reset: Reset = False,
) -> str:
    """Make a test suite of COCO annotations.

    Images without annotations are samples, too; crowds are kept. The same file again changes nothing.
    """
    made = registry.import_coco(annotations, suite=suite, images_root=images_root, description=description, reset=reset)
    (case,) = made.test_cases
    return f"made test suite {made.name!r} of {len(case):,} images"


@coco.command("results", epilog=examples("localreg coco results results.json --suite val2017 --model detr"))
@writing
def import_results(
    registry: "Registry",
    results: Annotated[Path, typer.Argument(metavar="FILE", help="COCO results.")],
    suite: Suite,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The model, or MODEL@VERSION; made if need be.", autocompletion=completion.models
        ),
    ],
    reset: Reset = False,
) -> str:
    """Store COCO results as what a model saw in the images of a test suite.

    Images without a result count as looked at, with nothing found.
    """
    made = registry.import_coco_results(results, suite=suite, model=model, reset=reset)
    return f"stored the results of model {made.name!r} on {suite!r}"


def _export(
    place: Place,
    suite: Annotated[str, typer.Argument(metavar="SUITE", autocompletion=completion.suites)],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A local file.")],
    overwrite: Overwrite = False,
) -> None:
    """Write a test suite as COCO annotations; localreg inferences export writes the results that go with them.

    Any test suite will do whose ground truth has one list of labelled boxes.
    """
    count = place.read().export_coco(path, suite=suite, overwrite=overwrite)
    print(f"wrote {count:,} annotations: {path}")


coco.command("export", epilog=examples("localreg coco export val2017 again.json"))(placed(_export, hidden={"actor"}))
