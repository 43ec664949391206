"""Comparisons that were saved."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from localreg.records.base import Record

__all__ = ["ComparisonRecord"]


class ComparisonRecord(Record):
    """What a comparison came to. It owns the files of table `comparison_rows`.

    It names what was compared as it was called then, and refers to nothing: it stays when a model goes.
    """

    kind: ClassVar[str] = "comparison"

    commit: int
    """As of which commit the inferences were compared."""

    content: dict[str, Any] = Field(default_factory=dict)
    """What `Comparison.to_dict` says, but for `metrics`: these are the rows."""

    text: str = ""
    """The comparison as people read it."""

    question: dict[str, Any] | None = None
    """Which models and what suite were compared, and how, with the ids that they have as of `commit`.

    None = an earlier release did not keep it.
    """
