"""What must hold of the values of annotations and assets, as data, for who checks whole columns as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from localreg.workflow import annotation, asset
from localreg.workflow.annotation import (
    Annotation,
    BitmapMask,
    BoundingBox,
    BoundingBox3D,
    Keypoints,
    Keypoints3D,
    Polygon,
    Polyline,
    Polyline3D,
    SegmentationMask,
    TextSegment,
    TimeSegment,
)
from localreg.workflow.asset import Asset

__all__ = ["CHECKS", "VOCABULARY", "Checks", "Rule", "checks_of"]


class Rule(StrEnum):
    """What must hold of each value in a field, however deep it stands: of each coordinate of each point."""

    NOT_BLANK = "not_blank"
    """Text with something in it that is not white space."""
    FINITE = "finite"
    """A number that is neither NaN nor infinite."""
    NOT_NEGATIVE = "not_negative"
    """0 or more."""


@dataclass(frozen=True)
class Checks:
    """What must hold of the values of a class, for who checks whole columns."""

    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """By field; a rule for a field that a class does not have does not apply to it."""
    ordered: tuple[tuple[str, str], ...] = ()
    """Pairs of fields: each number of the first is at most the one at the same place in the second."""
    increasing: tuple[tuple[str, str], ...] = ()
    """As `ordered`, but less, not equal."""
    least: Mapping[str, int] = field(default_factory=dict)
    """How many items a list has at least."""


_FINITE = (Rule.FINITE,)
_POINTS = Checks({"points": _FINITE})
_LOCATED = Checks({"locator": (Rule.NOT_BLANK,)})

CHECKS: Mapping[type, Checks] = MappingProxyType(
    {
        Annotation: Checks({"label": (Rule.NOT_BLANK,), "score": _FINITE}),
        BoundingBox: Checks({"top_left": _FINITE, "bottom_right": _FINITE}, ordered=(("top_left", "bottom_right"),)),
        BoundingBox3D: Checks(
            {"center": _FINITE, "dimensions": (Rule.FINITE, Rule.NOT_NEGATIVE), "rotations": _FINITE}
        ),
        Polygon: Checks(_POINTS.rules, least={"points": 3}),
        Keypoints: _POINTS,
        Keypoints3D: _POINTS,
        Polyline: _POINTS,
        Polyline3D: _POINTS,
        SegmentationMask: Checks({"labels": (Rule.NOT_BLANK,), "locator": (Rule.NOT_BLANK,)}),
        BitmapMask: _LOCATED,
        Asset: _LOCATED,
        TimeSegment: Checks({"start": _FINITE, "end": _FINITE}, ordered=(("start", "end"),)),
        TextSegment: Checks(
            {"text_field": (Rule.NOT_BLANK,), "start": (Rule.NOT_NEGATIVE,)}, increasing=(("start", "end"),)
        ),
    }
)
"""What must hold of each class and those derived from it; `checks_of` has all that holds of one."""


VOCABULARY: Mapping[str, type] = MappingProxyType(
    {
        name: cls
        for module in (annotation, asset)
        for name, cls in vars(module).items()
        if isinstance(cls, type) and name == cls.__name__ and issubclass(cls, Annotation | Asset)
    }
)
"""The classes of annotations and assets by name, for who knows only a recorded schema."""


def checks_of(cls: type) -> Checks:
    """All that must hold of the values of a class, its bases' checks included; nothing for one that is unknown.

    A class that is not of this vocabulary may say it itself, as `__localreg_checks__`.
    """
    told = (CHECKS.get(base) or vars(base).get("__localreg_checks__") for base in reversed(cls.__mro__))
    found = [checks for checks in told if isinstance(checks, Checks)]
    return Checks(
        {name: rules for checks in found for name, rules in checks.rules.items()},
        ordered=tuple(pair for checks in found for pair in checks.ordered),
        increasing=tuple(pair for checks in found for pair in checks.increasing),
        least={name: count for checks in found for name, count in checks.least.items()},
    )
