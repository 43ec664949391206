"""Looking after a place: `doctor`, `du`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from localreg.cli.output import Rows
from localreg.cli.place import examples, reading

if TYPE_CHECKING:
    from localreg.registry import Registry
    from localreg.upkeep import DoctorReport

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor", epilog=examples("localreg doctor", "localreg doctor --format json"))
@reading(past=False, as_writer=True)
def doctor(registry: "Registry") -> "Examined":
    """Look whether all is as it should be: place, versions, permissions, and each namespace. Exit code 1 if not.

    A line each: ok, note, or problem, and what to do. Nothing is changed. `verify` compares every digest besides.
    """
    return Examined(registry.doctor())


@app.command("du", epilog=examples("localreg du", "localreg du --format csv"))
@reading(past=False)
def usage(registry: "Registry") -> Rows:
    """Show what takes how much room: files and bytes for each namespace and kind of file."""
    return Rows.of(registry.disk_usage())


@dataclass(frozen=True)
class Examined:
    """A report of `doctor`."""

    report: "DoctorReport"

    @property
    def ok(self) -> bool:
        """There is no problem."""
        return self.report.ok

    def lines(self) -> Iterator[str]:
        """Each finding."""
        yield str(self.report)

    def json(self) -> dict[str, object]:
        """The report's attributes."""
        return {"ok": self.report.ok, **asdict(self.report)}

    def csv(self) -> Rows:
        """The findings."""
        found = [(each.level, each.what, each.message) for each in self.report.findings]
        return Rows(("level", "what", "message"), found)
