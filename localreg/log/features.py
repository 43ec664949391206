"""Features: what a namespace uses beyond the plain format, so that a release that does not know one stays away.

A `feature` record announces one by its name; `needed_by` says who must know it. It is a record like any other, so it
stands in the log and in every snapshot from the commit on that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable

from localreg.canonical import JsonObject
from localreg.errors import FormatError
from localreg.log.signing import FEATURE_NAME as SIGNERS

__all__ = ["FEATURE", "IMPORTED", "KNOWN", "refuse_unknown_to_readers", "refuse_unknown_to_writers"]

FEATURE = "feature"
"""The kind of these records."""

IMPORTED = "imported"
"""The log was begun elsewhere: its newest `namespace` record says where it belongs, its first event where it began."""

KNOWN: frozenset[str] = frozenset({IMPORTED, SIGNERS})
"""Names of the features that this release knows."""


def refuse_unknown_to_readers(features: Iterable[tuple[str, JsonObject]], where: str) -> None:
    """Raise `FormatError` if this release would misread the namespace.

    Args:
        features: name and record of each. One that does not say that only writers need it counts.
        where: the namespace, for the message.
    """
    _refuse((name for name, record in features if record.get("needed_by") != "writers"), "readers", where)


def refuse_unknown_to_writers(features: Iterable[tuple[str, JsonObject]], where: str) -> None:
    """Raise `FormatError` if this release would break a rule of the namespace by writing."""
    _refuse((name for name, _ in features), "writers", where)


def _refuse(names: Iterable[str], who: str, where: str) -> None:
    unknown = sorted(set(names) - KNOWN)
    if unknown:
        raise FormatError(
            f"{where} uses {', '.join(unknown)}, which {who} must know and this release does not; upgrade localreg",
            code="format_newer",
        )
