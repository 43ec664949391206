"""Looking after a place: `doctor`, `du`, `compact`, `gc`, `retain`."""

from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.output import Report, Rows
from localreg.cli.place import Place, examples, placed, reading

if TYPE_CHECKING:
    from localreg.registry import Registry
    from localreg.upkeep import GarbageReport

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor", epilog=examples("localreg doctor", "localreg doctor --repair"))
@reading(past=False, as_writer=True, everywhere=True, tells=True)
def doctor(
    registry: "Registry",
    repair: Annotated[
        bool, typer.Option("--repair", help="Make snapshots and history anew if they are wrong.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Take logs that were rolled back on purpose as they are; what is lost stays so."),
    ] = False,
) -> Report:
    """Look whether all is as it should be: place, versions, permissions, and each namespace. Exit code 1 if not.

    A line each: ok, note, or problem, and what to do. Nothing is changed, unless --repair is given; then only what is
    derived from the log. `verify` compares every digest besides.
    """
    report = registry.doctor(repair=repair, accept=accept)
    return Report(report, report.findings, ("level", "what", "message"))


@app.command("du", epilog=examples("localreg du", "localreg du --format csv"))
@reading(past=False, everywhere=True)
def usage(registry: "Registry") -> Rows:
    """Show what takes how much room: files and bytes for each namespace and kind of file."""
    return Rows.of(registry.disk_usage())


_MESSAGE = typer.Option("--message", "-m", metavar="TEXT", help="Why; stands with the events in the audit log.")
_APPLY = typer.Option("--apply", help="Do it. Without this, it is only told what would be done.")


def _compact(
    place: Place,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    message: Annotated[str | None, _MESSAGE] = None,
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


def _tell(report: "GarbageReport") -> None:
    print(report)
    if report.dry_run and report.garbage:
        print("--apply does it")


def _gc(
    place: Place,
    grace: Annotated[str, typer.Option("--grace", metavar="AGE", help="How long each step waits: 7d, 12h, 2w.")] = "7d",
    apply: Annotated[bool, _APPLY] = False,
    message: Annotated[str | None, _MESSAGE] = None,
) -> None:
    """Collect garbage: what dead writers left is noted, condemned by a commit after a while, then deleted.

    Each call does what is due, so let it run every day or week. Others may read and write meanwhile; what a commit
    names is never touched. Only owners may.
    """
    registry = place.write() if apply else place.read()
    _tell(registry.gc(grace=grace, dry_run=not apply, message=message))


app.command("gc", epilog=examples("localreg gc", "localreg gc --apply --grace 3d"))(placed(_gc, hidden={"at"}))


def _retain(
    place: Place,
    deleted: Annotated[
        str, typer.Option("--deleted", metavar="AGE", help="How long bytes outlive their record: 90d, 12h, 2w.")
    ] = "90d",
    apply: Annotated[bool, _APPLY] = False,
    message: Annotated[str | None, _MESSAGE] = None,
) -> None:
    """Give up the bytes of records that were deleted long ago, and of parts that compact has set aside.

    The log goes on to say what was there; `localreg gc` deletes the files later. What a live record uses is kept.
    """
    registry = place.write() if apply else place.read()
    _tell(registry.retain(deleted=deleted, dry_run=not apply, message=message))


app.command("retain", epilog=examples("localreg retain", "localreg retain --apply --deleted 30d"))(
    placed(_retain, hidden={"at"})
)
