"""The user's door: a registry, opened at one namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from localreg import models
from localreg.comparing import Comparing
from localreg.copying import Copying
from localreg.defining import Defining
from localreg.exchange import Exchange
from localreg.experimenting import Experimenting
from localreg.granting import Granting
from localreg.models import Listings, Model, ModelVersion
from localreg.names import check_whole
from localreg.past import COMMIT_HINT, Past
from localreg.policing import Policing
from localreg.session import Session, Transaction
from localreg.session.namespaces import Namespaces
from localreg.times import utc

if TYPE_CHECKING:
    from localreg.query import Engine
    from localreg.workflow import StoredTestCase, StoredTestRun, StoredTestSuite, StoredWorkflow

__all__ = ["AllNamespaces", "Registry"]


class Registry(Listings, Exchange, Comparing, Defining, Experimenting, Policing, Granting, Copying, Past):
    """An open registry at one namespace. Make one with `localreg.open`.

    Reads show the newest commit of any process; each call that changes something is one commit, durable when it
    returns. May be shared between threads, and used as a context manager.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- where it is ------------------------------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        """Where the registry lies."""
        return self._session.root.uri

    @property
    def id(self) -> str:
        """The registry's identity: 32 hex digits, kept by every copy."""
        return self._session.file.registry

    @property
    def namespace_name(self) -> str:
        """The namespace that this handle is opened at."""
        return self._session.namespace

    @property
    def actor(self) -> str:
        """Who is named in the audit log for what this handle does."""
        return self._session.actor

    @property
    def read_only(self) -> bool:
        """Whether every change is refused: asked for, not permitted by the folder, or a look into the past."""
        return bool(self._session.read_only)

    @property
    def commit(self) -> int:
        """Number of the commit that is shown; 0 before the first."""
        return self._session.state().head.commit

    def namespace(self, name: str) -> Registry:
        """The same registry at another namespace, which is made by its first use.

        Raises:
            AccessDeniedError: the actor has no role there. Of a remote registry the first look tells.
            InvalidInputError: not a namespace's name.
        """
        return Registry(self._session.at_namespace(name).admit())

    def namespaces(self) -> Namespaces:
        """Names of the namespaces that may be read: those in which something was committed.

        A list, and in its attribute `inaccessible` those that may not be read: by name, why.
        """
        return self._session.namespaces()

    def all(self) -> AllNamespaces:
        """All namespaces that may be read, to be asked together; nothing can be changed through it.

        Listings, facets, `sql` and `audit` have the rows of all of them, told apart by their column `namespace`. The
        schemas of workflows, with their typed columns, are there in one namespace alone.
        """
        return AllNamespaces(self._session)

    # --- models -----------------------------------------------------------------------------------------------------

    def create_model(
        self,
        name: str,
        *,
        metadata: Mapping[str, object] | None = None,
        tags: Iterable[str] = (),
        owner: str | None = None,
        description: str | None = None,
        task: str | None = None,
        exist_ok: bool = False,
    ) -> Model:
        """Make a model.

        Args:
            name: free text, unique in the namespace; kept exactly, but stripped.
            metadata: any JSON object.
            tags: words to find it by.
            owner: whom to ask.
            description: free text.
            task: what it is for, such as `detection`.
            exist_ok: return the model if there is one; what differs is left as it is, with a warning.

        Raises:
            AlreadyExistsError: the name is taken.
            InvalidInputError: a malformed name, or metadata that is no JSON object; the key is named.
        """
        return models.create_model(
            self._session,
            name,
            metadata=metadata,
            tags=tags,
            owner=owner,
            description=description,
            task=task,
            exist_ok=exist_ok,
        )

    def get_model(self, name: str) -> Model:
        """The model of that name.

        Raises:
            NotFoundError: there is none; near names are suggested, and a renamed one is told.
        """
        return models.get_model(self._session, name)

    def find_model(self, name: str) -> Model | None:
        """The model of that name, or None."""
        return models.find_model(self._session, name)

    def get_version(self, reference: str | Model | ModelVersion) -> ModelVersion:
        """The version meant by `name` (the newest), `name@2` or `name@production`; an exact model name wins.

        Raises:
            NotFoundError: no such model, version or alias.
        """
        return models.get_version(self._session, reference)

    def consume(self, reference: str | Model | ModelVersion) -> ModelVersion:
        """The version to serve: as `get_version`, and the audit log says that this process uses it, and by which alias.

        See `ModelVersion.consume`: one event at most for each process and version, and a warning if there can be none.

        Raises:
            NotFoundError: no such model, version or alias.
        """
        return models.consume(self._session, reference, stacklevel=2)

    # --- workflows, without their Python types ----------------------------------------------------------------------

    def get_workflow(self, name: str) -> StoredWorkflow:
        """The workflow of that name, to be looked at or deleted; run things with the classes of `define_workflow`.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.workflow.stored import get_stored_workflow

        return get_stored_workflow(self._session, name)

    def get_test_case(self, name: str) -> StoredTestCase:
        """The test case of that name in all its versions, to be looked at, archived or deleted.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.workflow.stored import get_stored_test_case

        return get_stored_test_case(self._session, name)

    def get_test_suite(self, name: str) -> StoredTestSuite:
        """The test suite of that name in all its versions, to be looked at, archived or deleted.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.workflow.stored import get_stored_test_suite

        return get_stored_test_suite(self._session, name)

    def get_test_run(self, id: str) -> StoredTestRun:
        """The test run of that id (column `id` of `test_runs`), to be looked at or deleted.

        Raises:
            NotFoundError: there is none.
        """
        from localreg.workflow.stored import get_stored_test_run

        return get_stored_test_run(self._session, id)

    # --- many changes, one commit -----------------------------------------------------------------------------------

    def transaction(self, message: str | None = None) -> AbstractContextManager[Transaction]:
        """A block in which all changes through this handle become one commit, or none if the block raises.

        Reads inside see the block's own changes. Another writer's commits in between are no conflict unless they
        change the same records. Threads started inside do not join.

        Raises:
            ConflictError: (at the end of the block) another writer changed a record that the block changes, too.
            InvalidInputError: a transaction is open already.
        """
        return self._session.transaction(message)

    # --- questions --------------------------------------------------------------------------------------------------

    # --- history ----------------------------------------------------------------------------------------------------

    def at(self, *, commit: int | None = None, time: datetime | str | None = None) -> Registry:
        """The registry as it was, read-only.

        Args:
            commit: as that commit left it; 0 is before the first.
            time: as the last commit not later than this left it: an aware datetime, or ISO 8601 text. Commits whose
                writers' clocks ran ahead count with the latest time before them, so that order is never by clock.

        Raises:
            InvalidInputError: no such commit, or a time without a zone.
        """
        number = None if commit is None else check_whole(commit, what="commit", hint=COMMIT_HINT)
        return Registry(self._session.at(commit=number, time=None if time is None else utc(time, what="time")))

    def frozen(self) -> Registry:
        """The registry as it is now, read-only and for good: many reads of one state, none of which asks the store.

        May be used as a context manager. An open transaction does not show: what it will come to is not known yet.
        """
        return Registry(self._session.frozen())

    def _asked(self) -> Engine:
        return self._session.engine()

    def close(self) -> None:
        """Let go of what is kept in memory. Nothing needs to be flushed: every commit is durable already."""
        self._session.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Registry {self.uri!r}, namespace {self.namespace_name!r}{', read-only' if self.read_only else ''}>"


class AllNamespaces(Listings):
    """The questions of a `Registry`, asked of all its namespaces at once. Made by `Registry.all`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def namespaces(self) -> Namespaces:
        """Names of the namespaces that are asked; in its attribute `inaccessible` those that are left out, and why."""
        return self._session.namespaces()

    def _asked(self) -> Engine:
        return self._session.engine_of_all()

    def __repr__(self) -> str:
        return f"<AllNamespaces of {self._session.root.uri!r}>"
