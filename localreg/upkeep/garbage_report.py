"""What garbage collection says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from localreg.handles.words import readable_bytes
from localreg.names import amount

__all__ = ["Due", "Garbage", "GarbageReport", "Step", "span_text", "tallied"]

Step = Literal["see", "wait", "condemn", "delete"]


@dataclass(frozen=True, slots=True)
class Garbage:
    """Files of one kind that are at one step of their way out."""

    what: str
    """`uploads` (parts and contents that no commit names), `open parts`, `leftovers` (on their way when a writer died),
    `condemned` (that a commit has given up), `deleted records`, `merged parts` (that `compact` has set aside)."""

    step: Step
    """What is due: `see` = noted for the first time; `wait` = nothing yet; `condemn` = a commit gives them up;
    `delete`."""

    files: int
    """How many."""

    bytes: int
    """Their length."""

    wait_s: float = 0.0
    """Of those that wait: seconds until the last of them is due."""

    after: str = ""
    """What comes later, in words."""

    def __str__(self) -> str:
        return f"{self.what}: {amount(self.files, 'file')} ({readable_bytes(self.bytes)}) {self.after}"


@dataclass(frozen=True, slots=True, repr=False)
class GarbageReport:
    """What `gc` or `retain` did, or would do."""

    garbage: tuple[Garbage, ...]
    """A line for each kind and step."""

    dry_run: bool
    """Nothing was written, and nothing deleted."""

    @property
    def condemned(self) -> int:
        """How many files a commit gives up now."""
        return self._files("condemn")

    @property
    def deleted(self) -> int:
        """How many files are deleted now."""
        return self._files("delete")

    def _files(self, step: Step) -> int:
        return sum(each.files for each in self.garbage if each.step == step)

    def __str__(self) -> str:
        if not self.garbage:
            return "no garbage"
        head = ["a dry run changes nothing; what is due:"] if self.dry_run else []
        return "\n".join([*head, *map(str, self.garbage)])

    def __repr__(self) -> str:
        told = f"{self.condemned:,} condemned, {self.deleted:,} deleted"
        return f"<GarbageReport: {told}{', dry run' * self.dry_run}>"


class Due(NamedTuple):
    """A file on its way out.

    Attributes:
        what: it is, as in `Garbage.what`.
        step: what is due.
        bytes: its length.
        wait_s: seconds until something else is.
    """

    what: str
    step: Step
    bytes: int
    wait_s: float


def tallied(files: Iterable[Due], after: Callable[[str, Step, float], str]) -> tuple[Garbage, ...]:
    """A line for each kind and step.

    Args:
        files: all of them.
        after: what comes later, of a kind, a step and the seconds until the last is due.
    """
    found: dict[tuple[str, Step], list[Due]] = {}
    for each in files:
        found.setdefault((each.what, each.step), []).append(each)
    lines = []
    for (what, step), some in sorted(found.items()):
        wait = max(each.wait_s for each in some)
        lines.append(Garbage(what, step, len(some), sum(each.bytes for each in some), wait, after(what, step, wait)))
    return tuple(lines)


def span_text(seconds: float) -> str:
    """A span for people: `7 days`, `3 hours`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return amount(-(-round(seconds) // length), unit)
    return amount(max(0, round(seconds)), "second")
