"""A namespace as another process opens it: read-only, and as of the same commit."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.log import State
from localreg.session.location import RegistryFile
from localreg.session.session import Session
from localreg.storage import Store

__all__ = ["Elsewhere"]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a worker process is sent, instead of a session.

    Attributes:
        root: the registry's store.
        file: what the registry's file says.
        namespace: its name.
        actor: who works here.
        commit: as of which one.
    """

    root: Store
    file: RegistryFile
    namespace: str
    actor: str
    commit: int

    @classmethod
    def of(cls, session: Session, state: State) -> Elsewhere:
        """A session as of a state of its."""
        return cls(session.root, session.file, session.namespace, session.actor, state.head.commit)

    def opened(self) -> Session:
        """The session, in another process."""
        session = Session(self.root, self.file, self.namespace, actor=self.actor, read_only="a worker reads")
        return session.at(commit=self.commit)
