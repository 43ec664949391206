"""Tools for tests of what is built upon localreg: models that must not get worse, stores that fail on demand."""

from localreg.testing.regression import assert_no_regression
from localreg.testing.stores import CrashedError, FaultyStore

__all__ = ["FaultyStore", "CrashedError", "assert_no_regression"]
