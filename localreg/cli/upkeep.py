"""Looking after a place: `doctor`, `du`."""

from typing import TYPE_CHECKING

import typer

from localreg.cli.output import Report, Rows
from localreg.cli.place import examples, reading

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor", epilog=examples("localreg doctor", "localreg doctor --format json"))
@reading(past=False, as_writer=True)
def doctor(registry: "Registry") -> Report:
    """Look whether all is as it should be: place, versions, permissions, and each namespace. Exit code 1 if not.

    A line each: ok, note, or problem, and what to do. Nothing is changed. `verify` compares every digest besides.
    """
    report = registry.doctor()
    return Report(report, report.findings, ("level", "what", "message"))


@app.command("du", epilog=examples("localreg du", "localreg du --format csv"))
@reading(past=False)
def usage(registry: "Registry") -> Rows:
    """Show what takes how much room: files and bytes for each namespace and kind of file."""
    return Rows.of(registry.disk_usage())
