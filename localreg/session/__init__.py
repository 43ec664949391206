"""A namespace at work: opening, state, changes, transactions."""

from localreg.session.changes import Changes, Operation
from localreg.session.opening import open_session
from localreg.session.preconditions import preconditions
from localreg.session.session import Session
from localreg.session.transaction import Transaction

__all__ = ["Changes", "Operation", "Session", "Transaction", "open_session", "preconditions"]
