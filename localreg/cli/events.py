"""`localreg events`: what programs reported of models, versions, experiments and checkpoints."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import values
from localreg.cli.artifacts import Metadata, OfCheckpoint, OfExperiment, Owner, owner_of
from localreg.cli.listing import Columns, Limit, OrderBy, Where, shown
from localreg.cli.output import Listing, Rows
from localreg.cli.place import Account, examples, new_group, reading, writing
from localreg.cli.tables import File
from localreg.names import amount

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["events"]

USUAL = ("wallclock", "owner_kind", "owner", "name", "source", "metadata")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What happened, such as deployed.")]
Source = Annotated[str | None, typer.Option("--source", metavar="TEXT", help="Who reports.")]
OfSource = Annotated[str | None, typer.Option("--source", metavar="TEXT", help="Only what this one reported.")]
Committed = Annotated[
    bool, typer.Option("--committed", help="Without what is still on its way, of running and killed processes.")
]
TIME = "seconds since 1970, or 2026-03-31T12:00:00Z"

events = new_group(
    "Events: what programs reported, and how long it took.",
    epilog=examples(
        "localreg events add meadow-5@2 deployed --source server-3", "localreg events timeline 'lr 0.1' --experiment"
    ),
)


@events.command(
    "list",
    epilog=examples(
        "localreg events list --where \"name = 'deployed'\"",
        "localreg events list --order-by 'wallclock DESC' --limit 3",
    ),
)
@reading()
def list_events(
    registry: "Registry",
    where: Where = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the events of everything, as far as they are committed."""
    return shown(registry.events(where, order_by=order_by or None, limit=limit), columns, USUAL)


@events.command(
    "show",
    epilog=examples(
        "localreg events show 'lr 0.1' --experiment --name epoch_end",
        "localreg events show meadow-5@2 --since 2026-03-31T12:00:00Z --where 'metadata.port = 80'",
    ),
)
@reading()
def show_events(
    registry: "Registry",
    owner: Owner,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Only those of this name.")] = None,
    source: OfSource = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"From then on: {TIME}.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    where: Where = None,
    committed: Committed = False,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> Rows:
    """Show the events of one thing, in order of time."""
    found = owner_of(registry, owner, experiment, checkpoint).events(
        name, source=source, since=_moment(since), until=_moment(until), where=where, live=not committed
    )
    return Rows.of(found)


@events.command(
    "durations",
    epilog=examples(
        "localreg events durations 'lr 0.1' --experiment --start epoch_start --end epoch_end",
        "localreg events durations meadow-5 --start write_begin --end write_end --by file",
    ),
)
@reading()
def show_durations(
    registry: "Registry",
    owner: Owner,
    start: Annotated[str, typer.Option("--start", metavar="NAME", help="Events that begin something.")],
    end: Annotated[str, typer.Option("--end", metavar="NAME", help="Events that end it.")],
    source: OfSource = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="KEY", help="Of metadata: what both have the same of.")
    ] = None,
    committed: Committed = False,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> Rows:
    """Pair events that begin something with those that end it.

    As parentheses pair: an end belongs to the last start of the same source that has no end yet.
    """
    of = owner_of(registry, owner, experiment, checkpoint)
    return Rows.of(of.durations(start=start, end=end, source=source, by=by, live=not committed))


@events.command("timeline", epilog=examples("localreg events timeline meadow-5"))
@reading()
def show_timeline(
    registry: "Registry",
    owner: Owner,
    committed: Committed = False,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> Rows:
    """Show events and audit events together, in order of time, with those of versions or checkpoints."""
    return Rows.of(owner_of(registry, owner, experiment, checkpoint).timeline(live=not committed))


@events.command(
    "add",
    epilog=examples(
        "localreg events add meadow-5@2 deployed --source server-3 --metadata port=80",
        "localreg events add 'lr 0.1' moved --experiment --wallclock 2026-03-31T12:00:00Z",
    ),
)
@writing
def add_event(
    registry: "Registry",
    owner: Owner,
    name: Name,
    source: Source = None,
    wallclock: Annotated[str | None, typer.Option(metavar="TIME", help=f"When: {TIME}; else now.")] = None,
    metadata: Metadata = None,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> str:
    """Report that something happened."""
    owner_of(registry, owner, experiment, checkpoint).event(
        name, source=source, wallclock=_moment(wallclock), metadata=values.metadata(metadata or (), None)
    )
    return f"reported {name!r} of {owner!r}"


@events.command("import", epilog=examples("localreg events import meadow-5@2 events.csv"))
@writing
def import_events(
    registry: "Registry",
    owner: Owner,
    path: File,
    experiment: OfExperiment = False,
    checkpoint: OfCheckpoint = None,
) -> str:
    """Report all events of a table: columns name, source, wallclock, metadata; only name is needed."""
    count = owner_of(registry, owner, experiment, checkpoint).log_events(path)
    return Account(f"reported {amount(count, 'event')} of {owner!r}")


def _moment(text: str | None) -> Any:
    """Seconds, if it is a number, else the text of a time."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
