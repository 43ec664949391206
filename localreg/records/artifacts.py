"""Artifacts: named bytes of something else."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from localreg.records.base import Record

__all__ = ["ArtifactRecord"]


class ArtifactRecord(Record):
    """A file or a folder that belongs to a model, a version, an experiment or a checkpoint: stored, or only tracked.

    What is stored lies under `artifacts/`, by its sha256: equal content once, whoever it belongs to.
    """

    kind: ClassVar[str] = "artifact"

    owner: str
    """Id of the record that it belongs to."""

    owner_kind: str
    """Kind of that record."""

    media_type: str | None = None
    """Such as `application/json`."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    """Any JSON object."""

    sha256: str | None = None
    """Of the file; of a folder, of its manifest; of what is tracked, when it was looked at. None = it never was."""

    bytes: int | None = None
    """Of all files."""

    files: int | None = None
    """How many; None = it is tracked, and nobody looked."""

    folder: bool = False
    """Whether it is one, and not a file."""

    uri: str | None = None
    """Where it is, if it is only tracked."""

    etag: str | None = None
    """What its place called its content, when it was looked at."""

    @property
    def parent(self) -> str:
        """Names are unique within what the artifact belongs to."""
        return self.owner
