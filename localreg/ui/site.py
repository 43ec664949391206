"""What all pages of one server share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localreg.registry import Registry
from localreg.ui.comparisons import Comparisons
from localreg.ui.kept import Kept
from localreg.ui.safety import Keys
from localreg.ui.verifying import Verifications

__all__ = ["Site"]


@dataclass(frozen=True)
class Site:
    """One start of the server.

    Attributes:
        registry: at the namespace that is shown where the address names none.
        keys: the secrets.
        folders: whose pictures may be shown.
        verifications: what was checked.
        comparisons: that were asked for lately.
        kept: points of experiments that ended; how their lines are placed is tried out often.
    """

    registry: Registry
    keys: Keys = field(repr=False)
    folders: Sequence[Path] = ()
    verifications: Verifications = field(default_factory=Verifications, repr=False)
    comparisons: Comparisons = field(default_factory=Comparisons, repr=False)
    kept: Kept = field(default_factory=Kept, repr=False)
