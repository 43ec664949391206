"""Compare models by their stored inferences: is the new one better, where, on which samples, and is it luck?"""

from localreg.compare.comparison import Comparison, Coverage, compare

__all__ = ["Comparison", "Coverage", "compare"]
