"""Looking after a place: what takes room there, and whether all is as it should be. Nothing is changed."""

from localreg.upkeep.doctor import DoctorReport, Finding, examine
from localreg.upkeep.usage import disk_usage

__all__ = ["DoctorReport", "Finding", "disk_usage", "examine"]
