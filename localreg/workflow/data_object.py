"""Objects within samples, ground truths, inferences and metrics."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DataObject"]


@dataclass(frozen=True)
class DataObject:
    """Base that may be given to such objects, for scripts that do; any frozen dataclass will do as well."""
