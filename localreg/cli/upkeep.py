"""Looking after a place: `doctor`, `du`, `compact`."""

from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.output import Report, Rows
from localreg.cli.place import Place, examples, placed, reading

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor", epilog=examples("localreg doctor", "localreg doctor --format json"))
@reading(past=False, as_writer=True)
def doctor(
    registry: "Registry",
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Take logs that were rolled back on purpose as they are; what is lost stays so."),
    ] = False,
) -> Report:
    """Look whether all is as it should be: place, versions, permissions, and each namespace. Exit code 1 if not.

    A line each: ok, note, or problem, and what to do. Nothing is changed. `verify` compares every digest besides.
    """
    report = registry.doctor(accept=accept)
    return Report(report, report.findings, ("level", "what", "message"))


@app.command("du", epilog=examples("localreg du", "localreg du --format csv"))
@reading(past=False)
def usage(registry: "Registry") -> Rows:
    """Show what takes how much room: files and bytes for each namespace and kind of file."""
    return Rows.of(registry.disk_usage())


def _compact(
    place: Place,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", metavar="TEXT", help="Why; stands with the events in the audit log."),
    ] = None,
) -> None:
    """Merge many small parts of a test run, model, workflow or experiment into few, so that reading opens fewer files.

    Others may read and write meanwhile. Nobody sees other rows than before; the files that were merged stay, for looks
    into the past.
    """
    registry = place.read() if dry_run else place.write()
    print(registry.compact(dry_run=dry_run, message=message))


app.command("compact", epilog=examples("localreg compact --dry-run", "localreg compact -m 'after the nightly runs'"))(
    placed(_compact, hidden={"at"})
)
