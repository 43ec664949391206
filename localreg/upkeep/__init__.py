"""Looking after a place: what takes room there, whether all is as it should be, and parts that are merged."""

from localreg.upkeep.compact import Compacted, CompactReport, compact
from localreg.upkeep.doctor import DoctorReport, Finding, examine
from localreg.upkeep.usage import disk_usage

__all__ = ["CompactReport", "Compacted", "DoctorReport", "Finding", "compact", "disk_usage", "examine"]
