"""What `verify` says: what it looked at, each damage with its file, and what was taken out on purpose."""

from __future__ import annotations

from dataclasses import dataclass, field

from localreg.log.validity import Void
from localreg.names import amount

__all__ = ["Problem", "Redaction", "VerifyReport"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One damage.

    Attributes:
        path: the file, relative to the namespace's folder.
        code: a stable word, such as `entry_altered` or `file_missing`.
        message: what is wrong, and what to do.
    """

    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was taken out of the log on purpose, and who answers for it."""

    commit: int
    """The commit that declares it."""

    time: str
    """When, by that writer's clock: ISO 8601, UTC."""

    actor: str
    """By whom."""

    kind: str
    """Of the record whose events were emptied."""

    name: str
    """Of that record, at that time."""

    reason: str
    """Why; empty if nothing was said."""

    events: tuple[tuple[int, int], ...]
    """The emptied events, as (commit, event)."""

    def __str__(self) -> str:
        places = ", ".join(f"{commit}.{event}" for commit, event in self.events)
        why = f": {self.reason}" if self.reason else ""
        what = f"{self.kind.replace('_', ' ')} {self.name!r} (events {places})"
        return f"{self.actor} redacted what was said of {what} in commit {self.commit}, {self.time}{why}"


@dataclass(slots=True)
class VerifyReport:
    """What `verify` looked at, and what it found.

    Attributes:
        namespace: which one.
        commits: entries that were found whole and in their place.
        events: audit events in them.
        files: bulk files whose digests were compared, those of a stopped run that was resumed included.
        resumed: those among them that were found sound by the stopped run, and not read again.
        since: number of the commit after which it was looked; 0 = from the beginning.
        digest: of the last event: note it elsewhere, and a log replaced as a whole can be told, too.
        problems: every damage, in the order of the log; empty = all is well.
        redactions: what was taken out on purpose: by whom and why.
        expected: (commit, event) of the digest that was expected; None = none was, or the log has no such event.
        void: entries that no signer has signed, where signers are listed: they changed nothing.
    """

    namespace: str
    commits: int = 0
    events: int = 0
    files: int = 0
    digest: str = ""
    problems: list[Problem] = field(default_factory=list)
    redactions: list[Redaction] = field(default_factory=list)
    resumed: int = 0
    since: int = 0
    expected: tuple[int, int] | None = None
    void: list[Void] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found wrong."""
        return not self.problems

    def __str__(self) -> str:
        after = f" after commit {self.since}" if self.since else ""
        known = f" ({self.resumed} of them known from the run before)" if self.resumed else ""
        commits, events = amount(self.commits, "commit"), amount(self.events, "event")
        summary = f"{self.namespace}: {commits}{after}, {events}, {amount(self.files, 'file')}{known}"
        result = "all digests hold" if self.ok else amount(len(self.problems), "problem")
        lines = [*(problem.message for problem in self.problems), *map(str, self.void), *map(str, self.redactions)]
        if self.expected is not None:
            commit, event = self.expected
            lines.append(f"the expected digest is that of commit {commit}, event {event}: none up to it was changed")
        return "\n".join([f"{summary}: {result}", *(f"  {line}" for line in lines)])
