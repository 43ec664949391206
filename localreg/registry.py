"""The user's door: a registry, opened at one namespace."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from localreg import models
from localreg.errors import InvalidInputError
from localreg.exchange import Exchange
from localreg.models import Listings, Model, ModelVersion
from localreg.names import check_flag, check_whole
from localreg.session import Session, Transaction
from localreg.times import utc

if TYPE_CHECKING:
    from localreg.audit import AuditEvent, Diff, Position
    from localreg.compare import Comparison
    from localreg.log.verify import VerifyReport
    from localreg.query import Engine, Result
    from localreg.upkeep import CompactReport, DoctorReport
    from localreg.workflow import StoredTestCase, StoredTestRun, StoredTestSuite, StoredWorkflow, TestSuite

__all__ = ["AllNamespaces", "Registry"]


class Registry(Listings, Exchange):
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

    def namespaces(self) -> list[str]:
        """Names of the namespaces that there are: those in which something was committed."""
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

    def compare(
        self,
        baseline: str | Model | ModelVersion,
        candidate: str | Model | ModelVersion,
        *,
        suite: str | TestSuite,
        strict: bool = False,
    ) -> Comparison:
        """Whether the candidate is better than the baseline on a test suite; see `localreg.compare.Comparison`.

        Args:
            baseline: a model or version; references as in `get_version`.
            candidate: the one that might be better.
            suite: name of the test suite, at its newest version; or a `TestSuite`, at the version that it shows.
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
        return Registry(self._session.at(commit=number, time=None if time is None else utc(time, what="time")))

    def frozen(self) -> Registry:
        """The registry as it is now, read-only and for good: many reads of one state, none of which asks the store.

        May be used as a context manager. An open transaction does not show: what it will come to is not known yet.
        """
        return Registry(self._session.frozen())

    def diff(self, a: int | datetime | str, b: int | datetime | str | None = None) -> Diff:
        """What is different at `b` from `a`: records created, deleted and changed, each with its differences by path.

        Costs by what happened in between, not by what there is. A record that was removed and put again, or changed
        and changed back, is compared as it was at both ends.

        Args:
            a: a commit's number, 0 for before the first; or a time, as in `at`.
            b: the same; None = the newest. May be earlier than `a`: then everything is told the other way round.

        Raises:
            InvalidInputError: no such commit, or neither a number nor a time.
        """
        from localreg.audit import diff

        session = self._session.frozen()
        return diff(
            session, _moment(session, a, "a"), session.state().head.commit if b is None else _moment(session, b, "b")
        )

    def watch(
        self,
        since: int | tuple[int, int] | None = None,
        *,
        kinds: str | Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Generator[AuditEvent, None, None]:
        """What anybody does from now on, or did since some place in the log, event by event, as it is committed.

        Each event comes once, in order. To go on later, in this process or another, keep the `position` of the last
        event dealt with and pass it as `since`: nothing is lost and nothing comes twice, wherever the watcher was
        stopped. The number of a commit means all of that commit, of which a watcher may have seen only a part.

        Waits by asking for the next entry, at first every 20 ms, then up to every 500 ms (0.5 to 10 s where each
        question is a request to a remote store). No thread is started; Ctrl-C ends it.

        Args:
            since: only what comes after this event's position, or after all of this commit; 0 = from the beginning;
                None = from now.
            kinds: only events on these kinds of record, such as `"alias"` or `["model", "model_version"]`.
            timeout: seconds after which it ends when no such event has come, be it that nothing happens or that many
                others are passed over; 0 = give all that is there, and end; None = never end.

        Raises:
            InvalidInputError: no such commit or event; or this handle shows the past, where nothing happens.
            StorageError: (while waiting) the store failed; go on with the last position when it is back.
        """
        from localreg.audit import watch

        return watch(self._session, since=since, kinds=kinds, timeout=timeout)

    def undo(self, commit: int, *, event: int | None = None, message: str | None = None) -> int | None:
        """Take a commit back: a commit of its own, after which the records are what they were before that one.

        Each event has an inverse with a verb of its own (`delete` for `create`, `set_alias` for `set_alias`) and
        `details.undoes`. What was deleted comes back under its id. To undo an undo is to do again. Joins the
        transaction, if one is open.

        Args:
            commit: its number.
            event: take back only this event of it, counted from 1.
            message: why; stands with every event.

        Returns:
            Number of the new commit; None if there was nothing left to undo, or in a transaction.

        Raises:
            ConflictError: a record was changed since, a name taken, something that it refers to deleted, or something
                made that depends on it. Nothing was written; the message names what stands against it.
            InvalidInputError: no such commit or event; or one that stands for good: a redaction, files given up, bulk
                files brought in (delete the test run or test case instead), what was redacted.
        """
        from localreg.audit import undo

        number = check_whole(commit, what="commit", hint=_COMMIT_HINT)
        place = None if event is None else check_whole(event, what="event")
        return undo(self._session, number, event=place, message=message)

    def redact(
        self,
        record: Model | ModelVersion | None = None,
        *,
        commit: int | None = None,
        event: int | None = None,
        reason: str,
    ) -> list[Position]:
        """Remove a secret from the past, for good: empty what events said, while the chain of digests holds.

        First take the secret out of the record as it is now (`model.update(unset=["api_key"])`, or delete it). Then
        name the record, and all that was said of it but for its present value is emptied; or name the commit, or the
        event, that brought the secret in, and it is emptied together with the later events of the same records, which
        repeat it. A commit's message goes only if the whole commit is named.

        That something was done, when, by whom, and to which name stays, and so do `details`, and rows in bulk files:
        they cannot be redacted. Nor can copies of the folder elsewhere, backups, or the memory of running processes.

        May be called again after a crash, with the same arguments: it finishes what was declared.

        Args:
            record: a model or a model version.
            commit: or a commit's number.
            event: only this event of that commit, counted from 1.
            reason: stands in the log in clear, and in every report of `verify`.

        Returns:
            The events that this call declared as redacted; none if all of them were already.

        Raises:
            ConflictError: the event holds the present value of a record, or all that it said still stands there, so
                that nothing would be hidden: change or delete that first.
            InvalidInputError: no such commit or event; both or neither a record and a commit; within a transaction.
            StorageError: the store failed. If the redaction was declared, what is left shows in `verify`; call again.
        """
        from localreg.audit import redact

        number = None if commit is None else check_whole(commit, what="commit", hint=_COMMIT_HINT)
        place = None if event is None else check_whole(event, what="event")
        return redact(self._session, record=record, commit=number, event=place, reason=reason)

    def resolve(self, commit_id: str, *, commit: int | None = None) -> int | None:
        """Settle an `UnknownOutcomeError`: the number of that commit, or None if it did not land.

        Args:
            commit_id: the error's `commit_id`.
            commit: the error's `commit`: then only that entry is read. Without it the whole log may be.

        Raises:
            InvalidInputError: not a commit id.
            StorageError: the store still does not answer.
        """
        number = None if commit is None else check_whole(commit, what="commit", hint=_COMMIT_HINT)
        return self._session.resolve(commit_id, commit=number)

    def verify(self) -> VerifyReport:
        """Check every digest and file of the namespace; the report has `.ok` and names each damage with its file."""
        return self._session.verify()

    def snapshot(self) -> int:
        """Write a snapshot of the newest commit, and the history up to it, so that who opens next reads nothing else.

        Snapshots come by themselves every 64 commits; this is for a registry that is about to be copied, or whose
        caches were deleted. Returns the commit's number.

        Raises:
            ReadOnlyError: nothing may be written here.
            StorageError: it could not be written; nothing depends on it.
        """
        return self._session.snapshot()

    # --- upkeep -----------------------------------------------------------------------------------------------------

    def disk_usage(self) -> Result:
        """What takes how much room, from listings: a row for each namespace that may be read and each kind of file.

        Columns: `namespace` (null for what belongs to none), `what` (`log`, `snapshots`, `history`, `data/<table>`,
        `artifacts`, `tmp` for what is on its way, `other`), `files`, `bytes` (their lengths, not what the disk rounds
        them up to). It is the place as it is now, also for a look into the past.

        Raises:
            StorageError: (when the rows are looked at) the place cannot be listed; code `"offline"`: it is not asked.
        """
        from localreg.upkeep import disk_usage

        return disk_usage(self._session.root)

    def doctor(self) -> DoctorReport:
        """Look whether all is as it should be: place, versions, permissions; the log and the caches of each namespace.

        Each of the report's `findings` is `ok`, a `note` or a `problem`, and says what to do; `ok` is that there is no
        problem. What fails is a finding, too. Nothing is changed; whether commits are safe here is tried with small
        files that are taken away again, unless this handle is read-only. Digests of entries and bulk files are not
        compared: `verify` does that.
        """
        from localreg.upkeep import examine

        return examine(self._session)

    def compact(self, *, dry_run: bool = False, message: str | None = None) -> CompactReport:
        """Merge many small parts of one owner into few, where readers have to open them all.

        Of a test run or model version the inferences, of a workflow the test samples and what was said of them since:
        wherever there are 8 parts or more of less than 100,000 rows (and 32 MiB) that can be merged, they become parts
        of a million rows. Each owner's table is a commit of its own. Who reads sees the same rows before and after, and
        as of earlier commits the earlier parts, whose files stay; others may write meanwhile. Inferences that another
        test run of the version has replaced stay where they are, with the part that they stand in.

        Memory is bounded by one part. Called twice at once, one merges, and the other finds nothing to do. It cannot be
        undone, and does not need to be. An evaluation is made anew by the next `test` after its inferences were merged.

        Args:
            dry_run: only tell what would be done.
            message: why; stands with the events.

        Raises:
            ConflictError: others write the same rows again and again; what was merged before stays merged.
            IntegrityError: a part is missing, or is not what the log says.
            InvalidInputError: within a transaction.
            ReadOnlyError: nothing may be written here.
        """
        from localreg.upkeep import compact

        return compact(self._session, dry_run=check_flag(dry_run, what="dry_run"), message=message)

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

    def namespaces(self) -> list[str]:
        """Names of the namespaces that there are."""
        return self._session.namespaces()

    def _asked(self) -> Engine:
        return self._session.engine_of_all()

    def __repr__(self) -> str:
        return f"<AllNamespaces of {self._session.root.uri!r}>"


_COMMIT_HINT = "write a commit's number, such as 12; 0 is before the first. For a time, say time="
_SINCE_HINT = "write a commit's number, an aware datetime, or text such as 2026-03-31T12:00:00+00:00"


def _moment(session: Session, moment: int | datetime | str, what: str) -> int:
    """The number of a commit that is named by its number, or by a time."""
    if isinstance(moment, str | datetime):
        return session.commit_at(utc(moment, what=what))
    number, last = check_whole(moment, what=what, hint=_SINCE_HINT), session.state().head.commit
    if number > last:
        raise InvalidInputError(f"{what} is commit {number}, and the newest is {last}", code="no_such_commit")
    return number
