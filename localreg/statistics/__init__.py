"""Intervals and p-values: counts and columns in, numbers out. No registry, no files; equal input, equal output."""

from localreg.statistics.adjusting import benjamini_hochberg, holm
from localreg.statistics.auc import RANKING_METRICS, compare_rankings
from localreg.statistics.bootstrap import Bootstrap, bootstrap_counts, bootstrap_index, bootstrap_weights
from localreg.statistics.counting import METRICS, compare_counts
from localreg.statistics.estimate import Estimate
from localreg.statistics.joint import JointCounts, joint_counts
from localreg.statistics.paired import PairedSums, PairedTest, SignFlip, mcnemar_exact, paired_t, sign_flip
from localreg.statistics.power import least_detectable, least_detectable_mean, least_detectable_share

__all__ = [
    "METRICS",
    "RANKING_METRICS",
    "Bootstrap",
    "Estimate",
    "JointCounts",
    "PairedSums",
    "PairedTest",
    "SignFlip",
    "benjamini_hochberg",
    "bootstrap_counts",
    "bootstrap_index",
    "bootstrap_weights",
    "compare_counts",
    "compare_rankings",
    "holm",
    "joint_counts",
    "least_detectable",
    "least_detectable_mean",
    "least_detectable_share",
    "mcnemar_exact",
    "paired_t",
    "sign_flip",
]
