"""The user's door: a registry, opened at one namespace."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING

from localreg import models
from localreg.errors import InvalidInputError
from localreg.models import Model, ModelVersion
from localreg.session import Session, Transaction, open_session
from localreg.session.current import Used, use_session

if TYPE_CHECKING:
    from localreg.compare import Comparison
    from localreg.log.verify import VerifyReport
    from localreg.query import Result

__all__ = ["Registry", "open_registry", "use"]


class Registry:
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
            InvalidInputError: not a namespace's name.
        """
        return Registry(self._session.at_namespace(name))

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

    def models(
        self,
        where: str | None = None,
        *,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """The models that fit, in order of creation.

        Args:
            where: a DuckDB boolean expression over the columns of `models`, with paths into metadata:
                `"metadata.framework = 'pytorch' AND metadata.optim.lr < 0.1 AND 'detector' IN tags"`. A path takes the
                type of what it is compared with; what is missing or of another type is NULL, never an error.
            order_by: columns or metadata paths, each with ASC or DESC.
            limit: at most so many rows.

        Raises:
            InvalidInputError: the expression does not parse, or names an unknown column.
        """
        return self._session.engine().select("models", where=where, order_by=order_by, limit=limit)

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

    def sql(self, query: str, parameters: Sequence[object] = ()) -> Result:
        """The rows of one SELECT over the documented tables, in DuckDB's SQL; it can only read, and only this registry.

        Raises:
            InvalidInputError: anything but one SELECT, an unknown table or column, a file outside the registry.
        """
        return self._session.engine().sql(query, parameters)

    def compare(
        self,
        baseline: str | Model | ModelVersion,
        candidate: str | Model | ModelVersion,
        *,
        suite: str,
        strict: bool = False,
    ) -> Comparison:
        """Whether the candidate is better than the baseline on a test suite; see `localreg.compare.Comparison`.

        Args:
            baseline: a model or version; references as in `get_version`.
            candidate: the one that might be better.
            suite: name of the test suite, at its newest version.
            strict: count a sample without an inference as wrong, instead of leaving it out.

        Raises:
            NotFoundError: a model, suite or its inferences are not there.
            InvalidInputError: the types do not say what is right; an evaluator is needed.
        """
        from localreg.compare import compare

        versions = self.get_version(baseline), self.get_version(candidate)
        return compare(self._session, *versions, suite=suite, strict=strict)

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
        return Registry(self._session.at(commit=commit, time=None if time is None else _utc(time)))

    def audit(
        self, *, kind: str | None = None, name: str | None = None, since: int | datetime | str | None = None
    ) -> Result:
        """Who did what: the rows of `audit_events`, in order of commit.

        Args:
            kind: only events on this kind of record, such as `model`.
            name: only events on records that had this name at that moment.
            since: only commits after this number, or events at or after this time.
        """
        conditions: dict[str, object] = {}
        if kind is not None:
            conditions["kind = ?"] = kind
        if name is not None:
            conditions["name = ?"] = name
        if isinstance(since, int):
            conditions["commit > ?"] = since
        elif since is not None:
            conditions["time >= CAST(? AS TIMESTAMPTZ)"] = _utc(since)
        where = " AND ".join(conditions) or "true"
        return self.sql(f"SELECT * FROM audit_events WHERE {where}", list(conditions.values()))

    def resolve(self, commit_id: str) -> int | None:
        """Settle an `UnknownOutcomeError`: the number of that commit, or None if it did not land.

        Raises:
            InvalidInputError: not a commit id.
            StorageError: the store still does not answer.
        """
        return self._session.resolve(commit_id)

    def verify(self) -> VerifyReport:
        """Check every digest and file of the namespace; the report has `.ok` and names each damage with its file."""
        return self._session.verify()

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


def open_registry(
    uri: str | os.PathLike[str] | None = None,
    *,
    namespace: str = "default",
    actor: str | None = None,
    read_only: bool = False,
    shared: str = "umask",
) -> Registry:
    """Open a registry; make it if the folder is absent or empty.

    Args:
        uri: a path, `file://…` or `memory://name`; None = `LOCALREG_URI`, else the nearest `.localreg` upward, else
            `.localreg` here.
        namespace: where names are looked up and made: `team/project`.
        actor: named in the audit log; None = `LOCALREG_ACTOR`, else the login name.
        read_only: refuse every change, and make nothing. A folder without write permission opens so by itself.
        shared: for a registry that is made now: who else may write, `umask`, `group` or `all`.

    Raises:
        NotFoundError: read-only, and there is no registry.
        FormatError: the folder holds something else, or a registry of a newer format.
    """
    return Registry(open_session(uri, namespace=namespace, actor=actor, read_only=read_only, shared=shared))


def use(registry: Registry) -> Used:
    """Make a registry the one that class-style workflows use; for good, or within a `with` block."""
    return use_session(registry._session)


def _utc(time: datetime | str) -> str:
    """A time as the log writes it."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError as error:
            raise InvalidInputError(f"{time!r} is no time; write it as 2026-03-31T12:00:00+00:00") from error
    if time.tzinfo is None:
        raise InvalidInputError(f"{time} has no time zone; use an aware datetime, such as datetime.now(UTC)")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
