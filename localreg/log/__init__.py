"""The append-only log that is the registry: entries, the fold over them, snapshots, verification."""

from localreg.log.entry import Change, Entry, Event, Head, Provenance
from localreg.log.folding import Draft, fold
from localreg.log.log import Log
from localreg.log.reader import PastEvents
from localreg.log.row import Row
from localreg.log.state import State

__all__ = ["Change", "Draft", "Entry", "Event", "Head", "Log", "PastEvents", "Provenance", "Row", "State", "fold"]
