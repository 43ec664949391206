"""Payloads that are empty, and those that should be."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.log.entry import Entry, entry_path
from localreg.log.redaction import REDACT, declared
from localreg.log.verification.report import Problem, Redaction, VerifyReport

__all__ = ["check_redactions", "redactions"]


def redactions(entry: Entry) -> Iterator[Redaction]:
    """What an entry takes out on purpose."""
    for event in entry.events:
        if event.action == REDACT:
            reason = (event.details or {}).get("reason")
            told, places = reason if isinstance(reason, str) else "", tuple(declared(event))
            yield Redaction(event.commit, event.time, event.actor, event.kind, event.name, told, places)


def check_redactions(report: VerifyReport, emptied: set[tuple[int, int]], sizes: dict[int, int]) -> None:
    """What was emptied must have been declared, and what was declared must have been emptied.

    Args:
        report: with all redactions in it.
        emptied: the (commit, event) of those without payload.
        sizes: how many events each readable entry has.
    """
    wanted = {place for redaction in report.redactions for place in redaction.events}
    for commit, event in sorted(emptied - wanted):
        path = entry_path(commit)
        message = f"{path}: event {event} lost its payload, and no entry redacts it"
        report.problems.append(Problem(path, "payload_missing", message))
    full = {(commit, event) for commit, event in wanted - emptied if 1 <= event <= sizes.get(commit, 0)}
    for commit, event in sorted(full):
        path = entry_path(commit)
        message = (
            f"{path}: event {event} was redacted, and still has its payload: the redaction was interrupted, or the "
            "file restored from an older copy; call registry.redact again, as it was called"
        )
        report.problems.append(Problem(path, "redaction_unfinished", message))
