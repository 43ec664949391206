"""What came of copying a namespace."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.handles.words import readable_bytes

__all__ = ["CopyReport"]


@dataclass(frozen=True, slots=True)
class CopyReport:
    """A namespace that was copied, or would be."""

    namespace: str
    """Its name where it was copied from."""

    name: str
    """Its name where it was copied to."""

    target: str
    """Where the registry lies that it was copied to."""

    commit: int
    """The commit that the copy shows: all up to it is there."""

    digest: str
    """Of that commit; the same in both logs."""

    commits: int
    """How many entries were copied; 0 = they were there already."""

    files: int
    """How many files of rows and artifacts were copied."""

    bytes: int
    """Length of these files."""

    imported: int | None
    """Number of the commit by which the copy says that it lies there; None = it is a mirror, and needs none."""

    ahead: int
    """How many commits the copy has beyond these, its own import not counted."""

    dry_run: bool
    """Nothing was done."""

    def __str__(self) -> str:
        what = f"namespace {self.namespace!r}"
        to = self.target if self.name == self.namespace else f"{self.target}, as {self.name!r}"
        done = f"{self.commits:,} commits, {self.files:,} files ({readable_bytes(self.bytes)})"
        if self.dry_run:
            return f"would copy {what} to {to}: {done}"
        kept = f"commit {self.commit}, digest {self.digest}"
        ahead = f"; the copy has {self.ahead:,} more commits of its own" if self.ahead else ""
        if not self.commits and not self.files:
            return f"{what} is in {to} already: {kept}{ahead}"
        imported = f"; it is one of that registry since its commit {self.imported}" if self.imported else ""
        return f"copied {what} to {to}: {done}; {kept}{imported}{ahead}"
