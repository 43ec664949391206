"""Intervals and p-values: counts and columns in, numbers out. No registry, no files, no luck: equal input, equal output."""

from localreg.statistics.counting import METRICS, compare_counts
from localreg.statistics.estimate import Estimate
from localreg.statistics.joint import JointCounts, joint_counts
from localreg.statistics.paired import mcnemar_exact

__all__ = [
    "METRICS",
    "Estimate",
    "JointCounts",
    "compare_counts",
    "joint_counts",
    "mcnemar_exact",
]
