"""The append-only log that is the registry: entries, the fold over them, snapshots, verification."""

from localreg.log.entry import Change, Entry, Event, Head, Provenance
from localreg.log.log import Log, PastEvents
from localreg.log.state import Draft, Row, State, fold

__all__ = ["Change", "Draft", "Entry", "Event", "Head", "Log", "PastEvents", "Provenance", "Row", "State", "fold"]
