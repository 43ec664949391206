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
from localreg.names import check_text, check_whole, shown_value
from localreg.session import Session, Transaction, open_session
from localreg.session.current import Used, use_session
from localreg.session.location import COMMIT_MODES, MODES, find_location

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
        number = None if commit is None else check_whole(commit, what="commit", hint=_COMMIT_HINT)
        return Registry(self._session.at(commit=number, time=None if time is None else _utc(time, what="time")))

    def audit(
        self,
        *,
        kind: str | None = None,
        name: str | None = None,
        actor: str | None = None,
        since: int | datetime | str | None = None,
    ) -> Result:
        """Who did what: the rows of `audit_events`, in order of commit.

        Args:
            kind: only events on this kind of record, such as `model`.
            name: only events on records that had this name at that moment.
            actor: only what this actor did.
            since: only commits after this number, or events at or after this time.

        Raises:
            InvalidInputError: a kind, name or actor that is no text, or a `since` that is neither a number nor a time.
        """
        from localreg.query.quoting import literal  # with its package comes the engine: not before a query does

        conditions = [
            f"{column} = {literal(check_text(wanted, what=column))}"
            for column, wanted in (("kind", kind), ("name", name), ("actor", actor))
            if wanted is not None
        ]
        if isinstance(since, str | datetime):
            conditions.append(f"time >= CAST({literal(_utc(since, what='since'))} AS TIMESTAMPTZ)")
        elif since is not None:
            conditions.append(f"commit > {check_whole(since, what='since', hint=_SINCE_HINT)}")
        return self._session.engine().select("audit_events", where=" AND ".join(conditions) or None)

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
    commit_mode: str | None = None,
) -> Registry:
    """Open a registry; make it if the folder is absent or empty.

    Args:
        uri: a path, `file://…` or `memory://name`; None = `LOCALREG_URI`, else the nearest `.localreg` upward, else
            `.localreg` here.
        namespace: where names are looked up and made: `team/project`.
        actor: named in the audit log; None = `LOCALREG_ACTOR`, else the login name.
        read_only: refuse every change, and make nothing. A folder without write permission opens so by itself.
        shared: for a registry that is made now: who else may write, `umask`, `group` or `all`.
        commit_mode: for a registry that is made now: how commits are published; None = what the place proves to allow.
            `single-writer` where it proves nothing: writers then take turns by a lease, weaker than a proof.

    Raises:
        NotFoundError: read-only, and there is no registry.
        InvalidInputError: no place where a registry can lie, or a malformed namespace.
        FormatError: the folder holds something else, or a registry of a newer format.
        StorageError: the place proves no way to commit, and `single-writer` was not asked for.
    """
    if not isinstance(shared, str) or shared not in MODES:
        raise InvalidInputError(f"shared is {shown_value(shared)}; it must be one of {', '.join(MODES)}")
    if commit_mode is not None and commit_mode not in COMMIT_MODES:
        raise InvalidInputError(
            f"commit_mode is {shown_value(commit_mode)}; it must be one of {', '.join(COMMIT_MODES)}"
        )
    location = _checked_location(find_location(None) if uri is None else uri)
    return Registry(
        open_session(
            location, namespace=namespace, actor=actor, read_only=read_only, shared=shared, commit_mode=commit_mode
        )
    )


def use(registry: Registry) -> Used:
    """Make a registry the one that class-style workflows use; for good, or within a `with` block.

    Raises:
        InvalidInputError: no open registry.
    """
    if not isinstance(registry, Registry):
        raise InvalidInputError(
            f"use() takes an open registry, not {shown_value(registry)}; write localreg.use(localreg.open(path))"
        )
    return use_session(registry._session)


_COMMIT_HINT = "write a commit's number, such as 12; 0 is before the first. For a time, say time="
_SINCE_HINT = "write a commit's number, an aware datetime, or text such as 2026-03-31T12:00:00+00:00"
_TIME_HINT = "write an aware datetime, such as datetime.now(UTC), or text such as 2026-03-31T12:00:00+00:00"


_LONGEST_LOCATION = 8_192
"""Characters: twice the longest path that Linux takes."""


def _utc(time: object, *, what: str) -> str:
    """A time as the log writes it: UTC with microseconds and a Z, 27 characters, so that order of text is order."""
    if isinstance(time, str):
        time = _parsed(time, what)
    if not isinstance(time, datetime):
        raise InvalidInputError(f"{what} is {shown_value(time)}, of type {type(time).__qualname__}; {_TIME_HINT}")
    if time.utcoffset() is None:
        raise InvalidInputError(f"{what} is {time}, which has no time zone; {_TIME_HINT}")
    try:
        text = time.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise InvalidInputError(
            f"{what} is {time}, which in UTC is beyond the years 1 to 9999; {_TIME_HINT}"
        ) from error
    return text.replace("+00:00", "Z")


def _parsed(text: str, what: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{what} is {shown_value(text)}, which is no time; {_TIME_HINT}") from error


def _checked_location(uri: object) -> str:
    """A path or URI as text; what no file system takes is refused here, where the argument's name is known."""
    text = uri.__fspath__() if isinstance(uri, os.PathLike) else uri
    if not isinstance(text, str):
        raise InvalidInputError(f"uri is of type {type(uri).__qualname__}; write a path or URI as a str or a Path")
    if len(text) > _LONGEST_LOCATION:
        raise InvalidInputError(
            f"uri has {len(text):,} characters, more than {_LONGEST_LOCATION:,}; write a shorter one"
        )
    try:
        storable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        storable = False
    if not storable:
        raise InvalidInputError(f"uri {shown_value(text)} holds a NUL or half of a surrogate pair; no path can have it")
    if text.startswith("~") and os.path.expanduser(text) == text:
        raise InvalidInputError(
            f"uri {shown_value(text)} begins with the home of an unknown user; write the whole path"
        )
    return text
