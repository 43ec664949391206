"""What became of a suite's samples under a model version."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Coverage"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the suite's samples under one model version."""

    ok: int
    """Inferred."""

    skipped: int
    """`infer` returned None."""

    error: int
    """`infer` raised."""

    missing: int
    """Not run yet."""

    @property
    def gaps(self) -> int:
        """All that was not inferred."""
        return self.skipped + self.error + self.missing
