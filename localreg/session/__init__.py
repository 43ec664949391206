"""A namespace at work: opening, state, changes, transactions."""

from localreg.session.changes import Changes, Operation
from localreg.session.elsewhere import Elsewhere
from localreg.session.opening import open_session
from localreg.session.preconditions import preconditions
from localreg.session.session import Session
from localreg.session.transaction import Transaction

__all__ = ["Changes", "Elsewhere", "Operation", "Session", "Transaction", "open_session", "preconditions"]
