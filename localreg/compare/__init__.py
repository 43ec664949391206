"""Is the new model better, where, on which samples, and can I be sure?"""

from localreg.compare.asked import Asked
from localreg.compare.comparing import compare
from localreg.compare.comparison import Comparison, Outcome, Side
from localreg.compare.coverage import Coverage
from localreg.compare.gate import Gate, GateResult
from localreg.compare.gate_file import GateFile, read_gate
from localreg.compare.listing import Example, Examples
from localreg.compare.measurement import Measurement
from localreg.compare.measuring import measure
from localreg.compare.predicted import Predictions
from localreg.compare.rows import MeasuredRow, MetricRow, Verdict

__all__ = [
    "Asked",
    "Comparison",
    "Coverage",
    "Example",
    "Examples",
    "Gate",
    "GateFile",
    "GateResult",
    "MeasuredRow",
    "Measurement",
    "MetricRow",
    "Outcome",
    "Predictions",
    "Side",
    "Verdict",
    "compare",
    "measure",
    "read_gate",
]
