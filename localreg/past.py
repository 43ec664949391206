"""The past of a registry, and its upkeep: what happened, taken back or out, whether all is well, what takes room."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.models import Model, ModelVersion
from localreg.names import check_flag, check_whole, is_digest, shown_value
from localreg.session import Session
from localreg.times import utc

if TYPE_CHECKING:
    from localreg.audit import AuditEvent, Diff, Position
    from localreg.log.verify import VerifyReport
    from localreg.query import Result
    from localreg.upkeep import CompactReport, DoctorReport, GarbageReport

__all__ = ["COMMIT_HINT", "Past"]

COMMIT_HINT = "write a commit's number, such as 12; 0 is before the first. For a time, say time="
_SINCE_HINT = "write a commit's number, an aware datetime, or text such as 2026-03-31T12:00:00+00:00"


class Past:
    """What a `Registry` says of the past, and does about it; and what keeps it in order."""

    _session: Session

    # --- what happened ----------------------------------------------------------------------------------------------

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

        number = check_whole(commit, what="commit", hint=COMMIT_HINT)
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

        number = None if commit is None else check_whole(commit, what="commit", hint=COMMIT_HINT)
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
        number = None if commit is None else check_whole(commit, what="commit", hint=COMMIT_HINT)
        return self._session.resolve(commit_id, commit=number)

    def verify(
        self, *, since: int | datetime | str | None = None, expect: str | None = None, resume: bool = False
    ) -> VerifyReport:
        """Check every digest and file of the namespace; the report has `.ok` and names each damage with its file.

        Reads the log, one entry after another, and all files that it names, several at once: about as long as it takes
        to hash them. Memory is bounded. What is altered, swapped, cut short, removed or forged shows by itself. That
        the log was rolled back, or written anew from some commit on, shows by what this machine saw here before, and
        by a digest that was kept elsewhere: note the report's `digest`, and pass it as `expect` the next time.

        Args:
            since: only what came after this commit, by its number or a time, and the files that it brought. What lies
                before is taken as it is; snapshots are not compared.
            expect: a digest of an event, from an earlier report or `audit`: the log must have it. The report's
                `expected` tells where.
            resume: take up a check that was stopped (Ctrl-C, a kill): files that it found sound, and that look the same
                from outside, are not read again. Of a remote registry only their lengths are looked at.

        Raises:
            InvalidInputError: neither a commit's number nor a time; no digest.
        """
        begin = 0 if since is None else self._begin(since)
        if expect is not None and not is_digest(expect):
            raise InvalidInputError(
                f"expect is {shown_value(expect)}; give a digest of 64 hexadecimal digits, as `verify().digest` tells"
            )
        return self._session.verify(since=begin, expect=expect, resume=check_flag(resume, what="resume"))

    def _begin(self, since: int | datetime | str) -> int:
        if isinstance(since, str | datetime):
            return self._session.commit_at(utc(since, what="since"))
        return check_whole(since, what="since", hint=_SINCE_HINT)  # damage of the log may hide which commits there are

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
        """What takes how much room, from listings: a row for each namespace and each kind of file.

        Columns: `namespace` (null for what belongs to none), `what` (`log`, `snapshots`, `history`, `data/<table>`,
        `artifacts`, `tmp` for what is on its way, `other`; `inaccessible` for a namespace whose folder this user may
        not list), `files`, `bytes` (their lengths, not what the disk rounds them up to; null where that is not known).
        It is the place as it is now, also for a look into the past.

        Raises:
            StorageError: (when the rows are looked at) the place cannot be listed; code `"offline"`: it is not asked.
        """
        from localreg.upkeep import disk_usage

        return disk_usage(self._session.root)

    def doctor(self, *, repair: bool = False, accept: bool = False) -> DoctorReport:
        """Look whether all is as it should be: place, versions, permissions; the log and the caches of each namespace.

        Each of the report's `findings` is `ok`, a `note` or a `problem`, and says what to do; `ok` is that there is no
        problem. What fails is a finding, too. Nothing is changed; whether commits are safe here is tried with small
        files that are taken away again, unless this handle is read-only. Digests of entries and bulk files are not
        compared: `verify` does that.

        Args:
            repair: make anew what is derived from the log and is damaged, stale, wrong or missing: snapshots, their
                hint, history. The whole log is read for it. What was done is a finding; where entries of the log are
                lost or damaged nothing is made, and that is one, too. Open handles of this process go on.
            accept: take the logs as they are, though this machine, or a snapshot, saw them further or otherwise: they
                were rolled back, or a backup was restored, on purpose. What was seen is forgotten, and such snapshots
                are deleted, so that others can write again; what is lost by it stays lost.

        Raises:
            ReadOnlyError: a repair is asked for, and nothing may be written here.
        """
        from localreg.upkeep import examine

        repair, accept = check_flag(repair, what="repair"), check_flag(accept, what="accept")
        return examine(self._session, repair=repair, accept=accept)

    def compact(self, *, dry_run: bool = False, message: str | None = None) -> CompactReport:
        """Merge many small parts of one owner into few, where readers have to open them all.

        Of a test run or model version the inferences, of a workflow the test samples and what was said of them since,
        of anything the events that were reported of it: wherever there are 8 parts or more of less than 100,000 rows
        (and 32 MiB) that can be merged, they become parts of a million rows. Each owner's table is a commit of its own.
        Who reads sees the same rows before and after, and as of earlier commits the earlier parts, whose files stay;
        others may write meanwhile. Inferences that another test run of the version has replaced stay where they are,
        with the part that they stand in.

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

    def gc(self, *, grace: timedelta | str = "7d", dry_run: bool = True, message: str | None = None) -> GarbageReport:
        """Collect garbage: what dead writers left, in steps that are a grace period apart, beside writers at work.

        One call does what is due: it notes files that no commit names; those that it noted a grace period ago, and
        that nobody has touched or named since, it *condemns*, by a commit; and it deletes what was condemned a grace
        period ago. So it takes three calls until something is gone: let it run each day. A writer that slept in the
        meantime is refused with a `ConflictError` of code `"file_condemned"`, and does its upload again; what a commit
        names is never touched, nor what a killed experiment has logged and nobody has closed yet.

        That a grace period has passed is believed when the clock of one machine shows it, by the log or by what was
        noted there: clocks of several machines are never compared.

        Args:
            grace: how long each step waits: a timedelta, or text such as `7d`, `12h`, `2w`. Longer than any writer
                works on one commit, and any reader on one answer.
            dry_run: only tell what would be done. That is the default, and notes nothing.
            message: why; stands with the events.

        Raises:
            AccessDeniedError: the actor is not an owner.
            InvalidInputError: within a transaction; or `grace` is no time to wait.
            ReadOnlyError: nothing may be written here.
            StorageError: the store failed; what was done stands, and the next call goes on.
        """
        from localreg.upkeep import collect, grace_seconds

        seconds = grace_seconds(grace, what="grace")
        return collect(self._session, grace_s=seconds, dry_run=check_flag(dry_run, what="dry_run"), message=message)

    def retain(
        self, *, deleted: timedelta | str = "90d", dry_run: bool = True, message: str | None = None
    ) -> GarbageReport:
        """Give up the bytes of records that were deleted long ago, and of parts that `compact` has set aside.

        The past stays in the log, record by record; only the rows and contents go: `gc` deletes them a grace period
        later. From then on a look at them as of an earlier commit, and an undo of their deletion, raise a
        `ConflictError` of code `"file_condemned"`, which names the commit that gave them up. What a live record still
        uses is kept, whoever it belonged to: contents that any record mentions, and what a saved comparison looks at.

        Args:
            deleted: for how long bytes are kept after the deletion, or the merge: as `grace` of `gc`, and told by the
                same clocks.
            dry_run: only tell what would be done. That is the default.
            message: why; stands with the events.

        Raises:
            AccessDeniedError: the actor is not an owner.
            IntegrityError: the list of a folder is missing, so that nobody knows which contents it needs.
            InvalidInputError: within a transaction; or `deleted` is no time to wait.
            ReadOnlyError: nothing may be written here.
        """
        from localreg.upkeep import grace_seconds, retain

        seconds = grace_seconds(deleted, what="deleted")
        return retain(self._session, deleted_s=seconds, dry_run=check_flag(dry_run, what="dry_run"), message=message)


def _moment(session: Session, moment: int | datetime | str, what: str) -> int:
    """The number of a commit that is named by its number, or by a time."""
    if isinstance(moment, str | datetime):
        return session.commit_at(utc(moment, what=what))
    number, last = check_whole(moment, what=what, hint=_SINCE_HINT), session.state().head.commit
    if number > last:
        raise InvalidInputError(f"{what} is commit {number}, and the newest is {last}", code="no_such_commit")
    return number
