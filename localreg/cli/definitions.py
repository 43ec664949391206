"""`localreg check`, `push`, `test`, `determinism`, `definitions`: models as a YAML file describes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion
from localreg.cli.listing import Columns, Limit, OrderBy, Search, Where, shown
from localreg.cli.output import Listing, Rows
from localreg.cli.place import Account, Place, examples, new_group, placed, reading, writing
from localreg.cli.runs import Results
from localreg.records.differences import Difference

if TYPE_CHECKING:
    from localreg.definitions import Definition, Registered
    from localreg.records.determinism import Determinism
    from localreg.registry import Registry

__all__ = ["app", "definitions"]

LISTED = ("name", "version", "created_at", "created_by")

File = Annotated[str, typer.Argument(metavar="FILE", help="YAML, such as models.yaml.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="This entry and no other. Repeatable.")]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="MODEL (its newest version), MODEL@VERSION or MODEL@ALIAS; '${model.name}' is the one for all models.",
        autocompletion=completion.models,
    ),
]

app = typer.Typer(rich_markup_mode=None)
definitions = new_group(
    "What models are made of and how they are run, as `localreg push` registered it.",
    epilog=examples("localreg definitions list", "localreg definitions show plate-reader"),
)


# --- from a file ------------------------------------------------------------------------------------------------------


@app.command("check", epilog=examples("localreg check models.yaml"))
def check(file: File, only: Only = None) -> None:
    """Check a file of definitions: everything that is wrong is told, each with its line.

    Needs no registry and no network, and runs no code of a model.
    """
    from localreg.definitions import check_definitions

    checked = check_definitions(file, only=only)
    for note in checked.notes:
        print(f"note: {note}")
    print(f"{file} is fine: {', '.join(checked.names)}")


@app.command("push", epilog=examples("localreg push models.yaml", "localreg push models.yaml --only plate-reader"))
@writing
def push(
    registry: "Registry",
    file: File,
    only: Only = None,
    no_network: Annotated[
        bool, typer.Option("--no-network", help="Ask no repository which commit is meant; loading does then.")
    ] = False,
) -> str:
    """Register the models that a file describes, with their code and files: all of them, or none.

    A model whose content is there already gets no new version. No code is run. Secrets stay in the environment: write
    ${NAME}.
    """
    return Account("\n".join(_told(registry.push(file, only=only, network=not no_network))))


def _told(registered: "list[Registered]") -> Iterator[str]:
    for each in registered:
        for note in each.notes:
            yield f"note: {note}"
        if each.version is None:
            yield f"{each.outcome} the definition for all models, {each.name}"
        elif each.outcome == "unchanged":
            yield f"model {each.name!r}: version {each.version.version!r} is the same, nothing to change"
        elif each.outcome == "updated":
            yield f"model {each.name!r}: version {each.version.version!r} is the same; where it comes from was updated"
        else:
            yield f"model {each.name!r}: created version {each.version.version!r}"


@app.command(
    "test",
    epilog=examples(
        "localreg test plate-reader --suite plates",
        "localreg test plate-reader@production --suite plates --executor processes:2",
    ),
)
@reading(past=False, as_writer=True)
def run_test(
    registry: "Registry",
    model: Reference,
    suite: Annotated[
        str,
        typer.Option(metavar="NAME", help="Test suite, at its newest version.", autocompletion=completion.suites),
    ],
    evaluator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One that is there, such as classification or detection; else only infer."),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="processes, processes:8 or dask://host:8786; else one process."),
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="Goes before that of the definition.")] = None,
    record_errors: Annotated[
        bool, typer.Option("--record-errors", help="Go on where the model raises; else it ends the run.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Infer all samples again.")] = False,
) -> "Results | Rows":
    """Run a registered model on a test suite, as its definition says, and evaluate it.

    Its code runs here, with your rights. Samples that were inferred before are not inferred again.
    """
    run = registry.test(
        model,
        suite,
        evaluator,
        reset=reset,
        on_error="record" if record_errors else "raise",
        executor=executor,
        device=device,
    )
    assert run.id is not None, "it was run"
    stored = registry.get_test_run(run.id)
    if evaluator is not None:
        return Results([stored.results(name) for name in stored.configurations()])
    return Rows(("status", "samples"), [(status, count) for status, count in stored.counts().items() if count])


@dataclass(frozen=True)
class Verdict:
    """Whether a model gives one answer for one sample."""

    verdict: "Determinism"

    @property
    def ok(self) -> bool:
        """Whether it is as deterministic as was asked for."""
        return self.verdict.ok

    def lines(self) -> Iterator[str]:
        """The level, that under each variation, and the first sample that shows it."""
        yield from str(self.verdict).splitlines()

    def json(self) -> dict[str, Any]:
        """As it stands in the record of the version."""
        return {**self.verdict.to_json(), "ok": self.ok}

    def csv(self) -> Rows:
        """The variations, a row each."""
        return Rows(("variation", "level"), list(self.verdict.variations.items()))


@app.command(
    "determinism",
    epilog=examples(
        "localreg determinism plate-reader --suite plates",
        "localreg determinism plate-reader@production --suite plates --level machine",
    ),
)
@reading(past=False, as_writer=True)
def verify_determinism(
    registry: "Registry",
    model: Reference,
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Samples of this test suite; else any of the model's workflow.",
            autocompletion=completion.suites,
        ),
    ] = None,
    samples: Annotated[int, typer.Option(metavar="N", help="So many at most, the same ones each time.")] = 32,
    level: Annotated[
        str,
        typer.Option(
            metavar="LEVEL",
            help="How much has to stay the same: machine, bit-exact, within-tolerance or decision-stable.",
        ),
    ] = "bit-exact",
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="How many it is given at once; else as its definition says.")
    ] = None,
    rtol: Annotated[float, typer.Option(help="Of floats, for within-tolerance: of the greater of two.")] = 1e-5,
    atol: Annotated[float, typer.Option(help="Likewise, absolute, in addition.")] = 1e-8,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="For loading, and for each call.")] = 600,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="Goes before that of the definition.")] = None,
) -> Verdict:
    """Infer some samples again with a registered model, and tell how far its answers stay the same.

    In a fresh process, another order, other batches, with another number of threads, and beside what is stored. The
    verdict stays with the version; it is an error (exit code 1) if less stays the same than LEVEL. For the level
    machine run it on one machine, and then on another.
    """
    from localreg.records.determinism import LEVELS

    wanted = next((each for each in LEVELS if each.replace(" ", "-") == level), level)
    return Verdict(
        registry.verify_determinism(
            model,
            suite,
            samples,
            level=wanted,  # type: ignore[arg-type]  # the library refuses any other
            batch_size=batch_size,
            rtol=rtol,
            atol=atol,
            timeout_s=timeout,
            device=device,
        )
    )


# --- what is registered -----------------------------------------------------------------------------------------------


@definitions.command("list", epilog=examples("localreg definitions list", "localreg definitions list --search npz"))
@reading()
def list_definitions(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List what versions are made of and how they are run.

    The one that stands for all models has no version.
    """
    found = registry.definitions(where, search=search, order_by=order_by or None, limit=limit)
    return shown(found, columns, LISTED)


@dataclass(frozen=True)
class Written:
    """A definition: YAML to read, JSON of all that is known."""

    definition: "Definition"
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """YAML, which registers the same again."""
        yield from self.definition.yaml().splitlines()

    def json(self) -> dict[str, Any]:
        """The record."""
        return self.definition.info.to_json()

    def csv(self) -> Rows:
        """The record, in one row."""
        record = self.json()
        return Rows(tuple(record), [tuple(record.values())])


@definitions.command(
    "show", epilog=examples("localreg definitions show plate-reader", "localreg definitions show plate-reader@1")
)
@reading()
def show_definition(registry: "Registry", name: Reference) -> Written:
    """Show a definition as YAML.

    What it says can be written to a file and pushed, beside the files that it names.
    """
    return Written(registry.get_definition(name))


def _export(
    place: Place,
    name: Reference,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to: it is made if need be.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that hold something else.")] = False,
) -> None:
    """Write a definition into a folder, with its code and stored files, to be pushed into another registry.

    There it is the same content, unless files were named by a path outside of their folder, or by an address. What is
    only tracked, and a repository, stay named.
    """
    print(f"wrote {place.read().get_definition(name).export(folder, overwrite=overwrite)}")


definitions.command("export", epilog=examples("localreg definitions export plate-reader plates"))(
    placed(_export, hidden={"actor"})
)


@definitions.command(
    "diff",
    epilog=examples(
        "localreg definitions diff plate-reader@1 plate-reader@2", "localreg definitions diff plate-reader"
    ),
)
@reading()
def diff_definitions(
    registry: "Registry",
    name: Reference,
    other: Annotated[
        str | None, typer.Argument(metavar="B", help="Likewise; else MODEL is compared with the one before it.")
    ] = None,
) -> Rows:
    """Show what differs between two definitions, path by path: code by its files' digest, files, runtime."""
    one = registry.get_definition(name)
    before, after = (one.previous(), one) if other is None else (one, registry.get_definition(other))
    return Rows(Difference._fields, before.differences(after).rows, shown=Difference._fields[:-1])


@definitions.command("log", epilog=examples("localreg definitions log plate-reader"))
@reading()
def log_definition(registry: "Registry", name: Reference) -> Rows:
    """Show who registered what of a model, in order of commit."""
    return Rows.of(registry.get_definition(name).log())


@definitions.command("delete", epilog=examples("localreg definitions delete '${model.name}'"))
@writing
def delete_definition(registry: "Registry", name: Reference) -> str:
    """Delete the definition for all models; that of a version goes with the version."""
    definition = registry.get_definition(name)
    definition.delete()
    return f"deleted the definition {name!r}"
