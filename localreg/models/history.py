"""What was done to a record, with what each event changed in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localreg.arrow import array
from localreg.canonical import JsonValue
from localreg.log import State
from localreg.records.base import is_known
from localreg.records.differences import Difference, differences, in_words

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.query import Result

__all__ = ["with_changes"]

DERIVED = frozenset({"former_names"})
"""Fields that only repeat what another one tells."""


def with_changes(events: Result, state: State) -> Result:
    """Rows of `audit_events` with one column more, `changes`: what an event changed, in words.

    Null where the record was made or deleted, and where what it said was redacted.
    """
    from localreg.query import Result

    def fetch() -> pa.Table:
        import pyarrow as pa

        told = [in_words(_changes(event, state)) or None for event in events]
        return events.arrow().append_column("changes", array(told, pa.string()))

    return Result(fetch)


def _changes(event: Mapping[str, Any], state: State) -> list[Difference]:
    before, after = event["before"], event["after"]
    if not (isinstance(before, dict) and isinstance(after, dict) and is_known(before) and is_known(after)):
        return []
    return [_named(each, event, state) for each in differences(before, after) if each.path.split("[")[0] not in DERIVED]


def _named(found: Difference, event: Mapping[str, Any], state: State) -> Difference:
    """With names where the record has ids."""
    details = event["details"] or {}
    if event["kind"] == "alias" and found.path == "version" and "from" in details:
        return found._replace(before=details["from"], after=details["version"])
    if event["kind"] == "model" and found.path == "workflow":
        return found._replace(before=_workflow(found.before, state), after=_workflow(found.after, state))
    return found


def _workflow(id: JsonValue, state: State) -> JsonValue:
    row = state.get("workflow", str(id))
    return id if row is None else row.name
