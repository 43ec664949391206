"""What a row of a comparison speaks of: the suite, a test case, a slice."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["WHOLE", "Unit"]


class Unit(NamedTuple):
    """Some rows of the suite.

    Attributes:
        test_case: name of the test case; None = all of them, where a sample of several counts once.
        by: the expression that slices were made by; None = not a slice.
        slice: its value, as text.
    """

    test_case: str | None = None
    by: str | None = None
    slice: str | None = None

    @property
    def breakdown(self) -> str:
        """What it is one of: units of one breakdown are told apart from each other, and so are tested together."""
        if self.by is not None:
            return f"by {self.by}"
        return "suite" if self.test_case is None else "test cases"


WHOLE = Unit()
