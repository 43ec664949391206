"""Looking after a place: what takes room there, whether all is as it should be, what is merged, and what goes."""

from localreg.upkeep.collecting import collect
from localreg.upkeep.compact import Compacted, CompactReport, compact
from localreg.upkeep.condemning import grace_seconds
from localreg.upkeep.doctor import DoctorReport, Finding, examine
from localreg.upkeep.garbage_report import Garbage, GarbageReport
from localreg.upkeep.retaining import retain
from localreg.upkeep.usage import disk_usage

__all__ = [
    "CompactReport",
    "Compacted",
    "DoctorReport",
    "Finding",
    "Garbage",
    "GarbageReport",
    "collect",
    "compact",
    "disk_usage",
    "examine",
    "grace_seconds",
    "retain",
]
