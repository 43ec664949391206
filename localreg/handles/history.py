"""What was done to a record, with what each event changed in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from localreg.arrow import array
from localreg.handles.words import Look, told, what_changed
from localreg.log import State

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.query import Result

__all__ = ["told_in_words", "with_changes"]


def with_changes(events: Result, state: State) -> Result:
    """Rows of `audit_events` with one column more, `changes`: what an event changed, in words.

    Null where the record was made or deleted, and where what it said was redacted; of an alias that was made, where it
    points.
    """
    from localreg.query import Result

    def fetch() -> pa.Table:
        import pyarrow as pa

        told = [
            what_changed(event["kind"], event["before"], event["after"], event["details"], state.outline)
            for event in events
        ]
        return events.arrow().append_column("changes", array(told, pa.string()))

    return Result(fetch)


def told_in_words(events: Result, looks: Mapping[str, Look]) -> Result:
    """Rows of `audit_events` with two columns more: `subject`, the record with whose it is, and `changes`.

    Args:
        events: the rows.
        looks: by namespace.
    """
    from localreg.query import Result

    def fetch() -> pa.Table:
        import pyarrow as pa

        subjects, changes = [], []
        for event in events:
            look = looks[event["namespace"]]
            subjects.append(told(event["kind"], event["name"], event["parent"], look))
            changes.append(what_changed(event["kind"], event["before"], event["after"], event["details"], look))
        table = events.arrow().append_column("subject", array(subjects, pa.string()))
        return table.append_column("changes", array(changes, pa.string()))

    return Result(fetch)
