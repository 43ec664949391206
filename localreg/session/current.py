"""The registry that class-style workflows use when none is named."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType

from localreg.session.location import find_location
from localreg.session.opening import open_session
from localreg.session.session import Session

__all__ = ["Used", "current_session", "use_session"]

_used: list[Session] = []
"""In the whole process, the newest last: for threads that have said nothing themselves."""
_used_here: ContextVar[Session | None] = ContextVar("localreg_used", default=None)
"""In this thread or task, whatever others use."""
_opened: dict[str, Session] = {}


class Used:
    """The effect of `localreg.use`: lasts for the process, or to the end of a `with` block."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._token: Token[Session | None] = _used_here.set(session)
        _used.append(session)

    def __enter__(self) -> None:
        """In use since the call."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back what was in use before."""
        _used_here.reset(self._token)
        for place in reversed(range(len(_used))):
            if _used[place] is self._session:
                del _used[place]
                return


def use_session(session: Session) -> Used:
    """Make a session the current one in this thread, and in all that have not chosen one themselves."""
    return Used(session)


def current_session() -> Session:
    """The session in use, else what `localreg.open()` would open, opened once."""
    here = _used_here.get()
    if here is not None:
        return here
    if _used:
        return _used[-1]
    location = find_location(None)
    if location not in _opened:
        _opened[location] = open_session(location)
    return _opened[location]
