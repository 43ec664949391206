"""Inferences: what a model version made of a test sample."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Inference"]


@dataclass(frozen=True)
class Inference:
    """Base of all types of inference: subclass it as a frozen dataclass. May have no fields."""
