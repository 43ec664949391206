"""A namespace at work: opening, state, changes, transactions."""

from localreg.session.changes import Changes, Operation
from localreg.session.session import Session, open_session, preconditions
from localreg.session.transaction import Transaction

__all__ = ["Changes", "Operation", "Session", "Transaction", "open_session", "preconditions"]
