"""Is the new model better, where, on which samples, and can I be sure?"""

from localreg.compare.comparing import Asked, compare
from localreg.compare.comparison import Comparison, Outcome, Side
from localreg.compare.coverage import Coverage
from localreg.compare.rows import MetricRow, Verdict

__all__ = ["Asked", "Comparison", "Coverage", "MetricRow", "Outcome", "Side", "Verdict", "compare"]
