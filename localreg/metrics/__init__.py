"""Numbers and statistics: columns in, numbers out. No registry, no files."""

from localreg.metrics.classification import accuracy
from localreg.metrics.paired import mcnemar_exact

__all__ = ["accuracy", "mcnemar_exact"]
