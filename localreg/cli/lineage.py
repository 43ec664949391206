"""`localreg lineage`: what something comes from, and what it leads to, as a tree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion
from localreg.cli.output import Rows
from localreg.cli.place import examples, reading
from localreg.handles.words import noun, one_line

if TYPE_CHECKING:
    from localreg.handles.lineage import HasLineage
    from localreg.registry import Registry

__all__ = ["app"]

NOUNS = {"model_version": "version", "test_suite_version": "test suite"}
ROLES = {"trains": " (train)", "evaluates": " (eval)"}

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "lineage",
    epilog=examples(
        "localreg lineage meadow-5@2",
        "localreg lineage 'lr 0.1' --experiment",
        "localreg lineage meadow-5@2 --dataset plates --format json",
    ),
)
@reading()
def lineage(
    registry: "Registry",
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help="MODEL (its newest version), MODEL@VERSION or MODEL@ALIAS; with --experiment or --checkpoint, an "
            "experiment; with --run, the id of a test run.",
            autocompletion=completion.models,
        ),
    ],
    experiment: Annotated[bool, typer.Option("--experiment", help="REFERENCE is an experiment.")] = False,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="NAME", help="Of this checkpoint of the experiment REFERENCE.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="REFERENCE is the id of a test run.")] = False,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help="Of this data set of the version or experiment.")
    ] = None,
    artifact: Annotated[
        str | None, typer.Option("--artifact", metavar="NAME", help="Of this artifact of what REFERENCE says.")
    ] = None,
) -> "Tree":
    """Show what something comes from and what it leads to: data, experiments, checkpoints, versions, test runs."""
    if run and (experiment or checkpoint or dataset or artifact):
        raise typer.BadParameter("a test run stands alone: leave out the other options", param_hint="--run")
    if dataset and (artifact or checkpoint):
        raise typer.BadParameter("a data set is one of a version or an experiment", param_hint="--dataset")
    found = _asked(registry, reference, experiment=experiment, checkpoint=checkpoint, run=run)
    if dataset is not None:
        found = found.get_dataset(dataset)
    elif artifact is not None:
        found = found.get_artifact(artifact)
    return Tree.of(found)


def _asked(registry: "Registry", reference: str, *, experiment: bool, checkpoint: str | None, run: bool) -> Any:
    if run:
        return registry.get_test_run(reference)
    if checkpoint is not None:
        return registry.get_experiment(reference).get_checkpoint(checkpoint)
    return registry.get_experiment(reference) if experiment else registry.get_version(reference)


@dataclass(frozen=True)
class Tree:
    """The edges around one thing, for people as two trees that grow from it.

    Attributes:
        root: what the thing is called.
        id: its id.
        rows: of `HasLineage.lineage`.
    """

    root: str
    id: str
    rows: Rows
    ok: bool = True

    @classmethod
    def of(cls, thing: "HasLineage[Any]") -> "Tree":
        """What hangs together with a thing."""
        kind = thing._record_class.kind
        return cls(_called(kind, thing._label()), thing.id, Rows.of(thing.lineage()))

    def lines(self) -> Iterator[str]:
        """What it comes from, then what it leads to, each indented below what it hangs on."""
        yield self.root
        edges = self.rows.json()
        before = [edge for edge in edges if _depth(edge) < 0]
        after = [edge for edge in edges if _depth(edge) > 0]
        for title, found, here, there in (
            ("comes from", before, "target", "source"),
            ("leads to", after, "source", "target"),
        ):
            if found:
                yield f"  {title}"
                yield from _branches(found, self.id, here, there)
        if not edges:
            yield "  nothing is known of what it comes from, or leads to"

    def json(self) -> list[dict[str, object]]:
        """The edges."""
        return self.rows.json()

    def csv(self) -> Rows:
        """The edges."""
        return self.rows


def _branches(edges: Sequence[Mapping[str, object]], root: str, here: str, there: str) -> Iterator[str]:
    """What hangs on a thing, line by line; what hangs on two things is told once, and named again."""
    hanging: dict[object, list[Mapping[str, object]]] = {}
    for edge in edges:
        hanging.setdefault(edge[f"{here}_id"], []).append(edge)
    waiting, told = [(edge, 2) for edge in reversed(hanging.get(root, []))], {root}
    while waiting:
        edge, depth = waiting.pop()
        id = str(edge[f"{there}_id"])
        again = " …" if id in told and id in hanging else ""
        called = _called(str(edge[f"{there}_kind"]), str(edge[there]))
        yield f"{'  ' * depth}{called}{ROLES.get(str(edge['relation']), '')}{again}"
        if id not in told:
            told.add(id)
            waiting += [(each, depth + 1) for each in reversed(hanging.get(id, []))]


def _called(kind: str, name: str) -> str:
    return f"{NOUNS.get(kind) or noun(kind)} {one_line(name)!r}"


def _depth(edge: Mapping[str, object]) -> int:
    depth = edge["depth"]
    assert isinstance(depth, int), "a column of whole numbers"
    return depth
