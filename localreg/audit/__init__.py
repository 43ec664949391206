"""Readings of the audit log as a list of acts: what happened, what came of it, and how it is taken back."""

from localreg.audit.diff import Diff, RecordDiff, diff
from localreg.audit.event import AuditEvent, Position
from localreg.audit.redact import redact
from localreg.audit.undo import undo
from localreg.audit.watch import watch

__all__ = ["AuditEvent", "Diff", "Position", "RecordDiff", "diff", "redact", "undo", "watch"]
