"""What happened, and taking it back: `watch`, `diff`, `undo`, `redact`, `resolve`; and `snapshot`."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.output import Rows
from localreg.cli.place import Place, examples, placed, reading, writing
from localreg.written import commit_or_text

if TYPE_CHECKING:
    from localreg.audit import AuditEvent, Diff, RecordDiff
    from localreg.registry import Registry

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)

Moment = "A commit's number, or a time."
Event = Annotated[int | None, typer.Option(metavar="K", help="Only this event of the commit, from 1.")]
Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Stands in the log for ever, in clear: so without the secret.")
]


@app.command("diff", epilog=examples("localreg diff 3", "localreg diff 3 5", "localreg diff 0 --format json"))
@reading(past=False)
def diff(
    registry: "Registry",
    before: Annotated[str, typer.Argument(metavar="A", help=Moment)],
    after: Annotated[str | None, typer.Argument(metavar="B", help=f"{Moment} Else the newest.")] = None,
) -> "Differing":
    """Show what is different at B from A: records created, deleted and changed, path by path."""
    end = None if after is None else commit_or_text(after)
    return Differing(registry.diff(commit_or_text(before), end))


@dataclass(frozen=True)
class Differing:
    """What `diff` says."""

    diff: "Diff"
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """A line for each record, and for each path in a changed one."""
        yield str(self.diff)
        if not self.diff:
            yield "  nothing is different"

    def json(self) -> dict[str, object]:
        """The attributes of the diff."""
        changes = {name: [_described(each) for each in records] for name, records in self._records().items()}
        return {"before": self.diff.before, "after": self.diff.after, **changes}

    def csv(self) -> Rows:
        """A row for each path."""
        rows = [row for name, records in self._records().items() for each in records for row in _paths(name, each)]
        return Rows(("change", "kind", "id", "name_before", "name_after", "path", "before", "after"), rows)

    def _records(self) -> "dict[str, tuple[RecordDiff, ...]]":
        return {"created": self.diff.created, "deleted": self.diff.deleted, "changed": self.diff.changed}


def _described(record: "RecordDiff") -> dict[str, object]:
    return {**asdict(record), "differences": [each._asdict() for each in record.differences]}


def _paths(change: str, record: "RecordDiff") -> Iterator[tuple[object, ...]]:
    who = (change, record.kind, record.id, record.name_before, record.name_after)
    if not record.differences:
        yield (*who, None, None, None)
    for each in record.differences:
        yield (*who, each.path, each.before, each.after)


class Lines(StrEnum):
    """How an event is written: a table has no head, and no width, before all is there."""

    TABLE = "table"
    JSON = "json"


def _watch(
    place: Place,
    since: Annotated[
        str | None, typer.Option(metavar="N|N.K", help="Only what comes after this commit or event; else from now.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(metavar="KIND", help="Only on these kinds; repeatable.")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End when nothing came for so long; else never.")
    ] = None,
    format: Annotated[Lines, typer.Option("--format", "-f", help="json is an object a line.")] = Lines.TABLE,
) -> None:
    """Follow what anybody does, a line for each event, as it is committed.

    Each line begins with the event's position, commit.event. To go on later without loss or doubles, give the last one
    as --since. Ctrl-C ends it.
    """
    if place.at is not None:
        raise typer.BadParameter("it follows the present", param_hint="--at")
    for event in place.read().watch(_position(since), kinds=kind or None, timeout=timeout):
        print(event if format is Lines.TABLE else _as_json(event), flush=True)


def _position(text: str | None) -> int | tuple[int, int] | None:
    if text is None:
        return None
    commit, dot, event = text.partition(".")
    if not commit.isdecimal() or (dot and not event.isdecimal()) or len(text) > 18:
        raise typer.BadParameter(f"{text!r} is no position, such as 12 or 12.3", param_hint="--since")
    return (int(commit), int(event)) if dot else int(commit)


def _as_json(event: "AuditEvent") -> str:
    from localreg.query.text import plain

    return json.dumps(plain(asdict(event)), ensure_ascii=True, allow_nan=False)


app.command(
    "watch",
    epilog=examples("localreg watch --since 0 --timeout 0", "localreg watch --since 3.1 --kind alias --timeout 0"),
)(placed(_watch, hidden={"at", "actor"}))


@app.command("undo", epilog=examples("localreg undo 5", "localreg undo 3 --event 1 -m 'by mistake'"))
@writing
def undo(
    registry: "Registry",
    commit: Annotated[int, typer.Argument(metavar="COMMIT", help="Its number; localreg audit shows it.")],
    event: Event = None,
) -> str:
    """Take a commit back by a commit of its own.

    Refused if a record was changed since, a name taken, or something depends on what would go. To undo an undo is to do
    it again.
    """
    registry.undo(commit, event=event)
    return f"took back commit {commit}" if event is None else f"took back event {event} of commit {commit}"


def _redact(
    place: Place,
    reason: Reason,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="All that was said of a model before.")] = None,
    commit: Annotated[int | None, typer.Option(metavar="N", help="What a commit said.")] = None,
    event: Event = None,
) -> None:
    """Remove a secret from the past, while the chain of digests holds.

    First take it out of the present: localreg models unset NAME KEY. Names, bulk files and copies elsewhere are not
    reached.
    """
    if (model is None) == (commit is None):
        raise typer.BadParameter("give one of --model and --commit")
    registry = place.write()
    record = None if model is None else registry.get_model(model)
    declared = registry.redact(record, commit=commit, event=event, reason=reason)
    print(f"redacted {len(declared)} events" if declared else "nothing to redact")


app.command("redact", epilog=examples("localreg redact --model meadow-5 --reason 'an access key slipped in'"))(
    placed(_redact, hidden={"at"})
)


@app.command("resolve", epilog=examples(f"localreg resolve {'0' * 32}"))
@reading(past=False)
def resolve(
    registry: "Registry",
    commit_id: Annotated[str, typer.Argument(metavar="COMMIT_ID", help="As the error of unknown outcome named it.")],
) -> Rows:
    """Tell whether a commit of unknown outcome landed, and as which number."""
    return Rows(("commit_id", "commit"), [(commit_id, registry.resolve(commit_id))])


def _snapshot(place: Place) -> None:
    """Write a snapshot of the newest commit, so that who opens next reads nothing else.

    Snapshots come by themselves; this is for a registry that is about to be copied, or whose caches were deleted.
    """
    if place.at is not None:
        raise typer.BadParameter("a snapshot is of the newest commit", param_hint="--at")
    print(f"snapshot of commit {place.write().snapshot()}")


app.command("snapshot", epilog=examples("localreg snapshot"))(placed(_snapshot, hidden={"at", "actor"}))
