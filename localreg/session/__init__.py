"""A namespace at work: opening, state, changes, transactions."""

from localreg.session.changes import Changes, Operation
from localreg.session.session import Session, Transaction, open_session, preconditions

__all__ = ["Changes", "Operation", "Session", "Transaction", "open_session", "preconditions"]
