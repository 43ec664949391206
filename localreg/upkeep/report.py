"""What the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from localreg.handles.words import readable_bytes

__all__ = ["DoctorReport", "Finding", "Level", "readable_bytes", "shown_path"]

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    """`ok`; `note`: worth to know, and nothing is wrong with what is recorded; `problem`: something has to be done."""

    what: str
    """What was looked at, such as `commit mode`, or `default: history` of a namespace."""

    message: str
    """What was found and, where something is to be done, what."""

    def __str__(self) -> str:
        return f"{self.level:<7}  {self.what}: {self.message}"


@dataclass(frozen=True, slots=True, repr=False)
class DoctorReport:
    """Whether all is as it should be at one place."""

    findings: list[Finding]
    """All that was looked at, the place first, then each namespace."""

    @property
    def ok(self) -> bool:
        """There is no problem; notes may be there."""
        return not self.problems

    @property
    def problems(self) -> list[Finding]:
        """Findings after which something has to be done."""
        return [finding for finding in self.findings if finding.level == "problem"]

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    def __repr__(self) -> str:
        return f"<DoctorReport: {len(self.findings)} findings, {len(self.problems)} problems>"


def shown_path(path: str) -> str:
    """A whole path, to be found by: others' files may have names that would break a line."""
    return path if path.isprintable() else ascii(path)
