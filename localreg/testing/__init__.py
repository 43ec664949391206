"""Tools for tests of what is built upon localreg: stores that fail on demand."""

from localreg.testing.stores import CrashedError, FaultyStore

__all__ = ["FaultyStore", "CrashedError"]
