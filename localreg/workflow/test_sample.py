"""Test samples: the inputs of a workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Metadata", "TestSample"]

Metadata: TypeAlias = dict[str, Any]
"""Any JSON object. A sample's field of this name is merged into what is known of the sample, and is not part of it."""


@dataclass(frozen=True)
class TestSample:
    """Base of all types of test sample: subclass it as a frozen dataclass.

    Two samples with equal fields are the same sample, whatever their `metadata`.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name
