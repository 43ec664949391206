"""Ground truths: the expected outputs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GroundTruth"]


@dataclass(frozen=True)
class GroundTruth:
    """Base of all types of ground truth: subclass it as a frozen dataclass. May have no fields."""
