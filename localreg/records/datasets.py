"""Data sets: what something was trained or evaluated on."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from localreg.records.base import Record

__all__ = ["DatasetRecord", "Role"]

Role: TypeAlias = Literal["train", "eval"]


class DatasetRecord(Record):
    """What a model, a version or an experiment was trained or evaluated on: an artifact, or where the data lie."""

    kind: ClassVar[str] = "dataset"

    owner: str
    """Id of the record that it belongs to. What belongs to a model holds for each of its versions."""

    owner_kind: str
    """Kind of that record."""

    role: Role
    """What it is for."""

    artifact: str | None = None
    """Id of the artifact that it stands on, whoever that belongs to; None = it is not in the registry."""

    sha256: str | None = None
    """Of what that artifact held when it was said; None = unknown."""

    uri: str | None = None
    """Where the data lie, if it stands on no artifact."""

    description: str | None = None
    """Free text."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    """Any JSON object."""

    @property
    def parent(self) -> str:
        """Names are unique within what the data set belongs to."""
        return self.owner
