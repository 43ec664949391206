"""Experiments: the handle that a training program holds, and that others look at."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from localreg.artifacts.attached import HasArtifacts
from localreg.canonical import JsonObject, checked_object
from localreg.datasets.attached import HasDatasets
from localreg.errors import ConflictError, InvalidInputError, LocalregError
from localreg.events.attached import HasEvents, event_tables
from localreg.events.rows import checked_event
from localreg.experiments.closing import alive, close
from localreg.experiments.companions import Companion
from localreg.experiments.points import Loggable
from localreg.experiments.recorder import Recorder
from localreg.experiments.saving import HasCheckpoints
from localreg.experiments.watching import DirWatch, last_number
from localreg.handles.handle import UNCHANGED, Unchanged, checked_texts, metadata_merger
from localreg.handles.lineage import HasLineage
from localreg.names import check_tags, shown_value
from localreg.records.experiments import ExperimentRecord, Status
from localreg.times import NOW, Now

if TYPE_CHECKING:
    from pathlib import Path

    from localreg.artifacts import Artifact

__all__ = ["Experiment"]

LOGGER = logging.getLogger("localreg")
LONGEST = 1_000_000
"""Characters of a message that is kept: its end."""


class Experiment(
    HasCheckpoints,
    HasArtifacts[ExperimentRecord],
    HasDatasets[ExperimentRecord],
    HasEvents[ExperimentRecord],
    HasLineage[ExperimentRecord],
):
    """One training effort: parameters, and points that are logged while it runs. Made by `Registry.experiment`.

    As a context manager it ends with the block: finished, or failed with the exception. A process that is killed in
    between loses no point; `registry.experiment(name, resume=True)` goes on.
    """

    _record_class = ExperimentRecord
    _recorder: Recorder | None = None
    _strict = False
    _companions: list[Companion] = []  # noqa: RUF012 - replaced, never changed
    refused = 0
    """How many calls of `log` and `event` were refused, and told in the log of Python alone."""

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def params(self) -> JsonObject:
        """Hyperparameters."""
        return self.info.params

    @property
    def metadata(self) -> JsonObject:
        """Any JSON object."""
        return self.info.metadata

    @property
    def tags(self) -> list[str]:
        """Sorted."""
        return self.info.tags

    @property
    def status(self) -> Status:
        """`running`, `finished`, `failed`, or `killed`: it should be running, and no process of it is alive.

        Of processes on other machines a dead one is believed to be alive for half a minute.
        """
        status = self.info.status
        return "killed" if status == "running" and not alive(self._session.store, self._id) else status

    @property
    def error(self) -> JsonObject | None:
        """Of one that failed: `type`, `message` and `traceback`."""
        return self.info.error

    def update(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        unset: Iterable[str] = (),
        tags: Iterable[str] | None = None,
        description: str | Unchanged | None = UNCHANGED,
        owner: str | Unchanged | None = UNCHANGED,
        framework: str | Unchanged | None = UNCHANGED,
        task: str | Unchanged | None = UNCHANGED,
        external_id: str | Unchanged | None = UNCHANGED,
    ) -> Self:
        """Merge metadata by top-level key, remove the keys in `unset`, replace tags and texts; one audited act.

        Args:
            metadata: keys that come or are replaced.
            unset: keys that go.
            tags: all of them; None = as they are.
            description: free text; None = none. So are the others.
            owner: whom to ask.
            framework: what it trains with.
            task: what the model is for.
            external_id: what another system calls it.
        """
        said: dict[str, Any] = checked_texts(
            description=description, owner=owner, framework=framework, task=task, external_id=external_id
        )
        merge = metadata_merger(metadata, unset)
        if tags is not None:
            said["tags"] = check_tags(tags)
        return self._change(lambda record, _: record.replaced(metadata=merge(record.metadata), **said))

    def log_params(self, params: Mapping[str, object]) -> Self:
        """Add hyperparameters, or replace them by top-level key; one audited act.

        Raises:
            InvalidInputError: they are no JSON object; the key is named.
        """
        added = checked_object(params, what="params")
        return self._change(lambda record, _: record.replaced(params={**record.params, **added}))

    def archive(self) -> Self:
        """Hide it from listings."""
        return self._change(lambda record, _: record.replaced(archived=True), action="archive")

    def restore(self) -> Self:
        """Show it in listings again."""
        return self._change(lambda record, _: record.replaced(archived=False), action="restore")

    def delete(self, *, force: bool = False) -> None:
        """Delete it, and its checkpoints with it if forced. Its history stays in the audit log.

        Raises:
            ConflictError: it runs, or something was made of it.
        """
        if self.info.status == "running" and alive(self._session.store, self._id):
            raise ConflictError(f"{self!r} is running; finish it first")
        self._delete(force=force)

    def _stated(self) -> JsonObject:
        fields = self.info.to_json()
        said = {key: fields[key] for key in ("params", "metadata", "tags", "status", *sorted(FIELDS))}
        return {**said, **self._stated_datasets()}

    # --- its life -----------------------------------------------------------------------------------------------------

    def _begin(self, *, every_s: float, strict: bool) -> Self:
        self._recorder, self._strict, self._companions = Recorder(self._session, self._id, every_s=every_s), strict, []
        return self

    def _accompany(self, companion: Companion) -> None:
        """Stop it when the experiment ends."""
        self._companions = [*self._companions, companion]

    def resume(self, *, flush_every: float = 5.0, strict: bool = False) -> Self:
        """Go on with it in this process, whatever became of it: `latest_checkpoint()` has what to begin with.

        The same as `registry.experiment(name, resume=True)`.

        Raises:
            ConflictError: this handle runs it already.
        """
        from localreg.experiments.opening import go_on

        if self._recorder is not None:
            raise ConflictError(f"{self!r} runs here already; log to it", code="running")
        go_on(self)
        return self._begin(every_s=flush_every, strict=strict)

    def watch_dir(
        self,
        pattern: str | os.PathLike[str],
        *,
        every: float = 2.0,
        step: Callable[[Path], int | None] = last_number,
    ) -> Self:
        """Save the files that a framework writes as checkpoints, until the experiment ends.

        A file is saved once it looks the same at two looks in a row; one that is written anew is saved again, as
        `name (2)`. At the end all that are there are saved.

        Args:
            pattern: of paths, such as `ckpts/*.pt`; `**` for any folders.
            every: seconds between two looks.
            step: tells the step of a file; by default the last number in its name.

        Raises:
            ConflictError: it does not run in this process.
        """
        self._running("watched for")
        watch = DirWatch(self, os.fspath(pattern), step)
        self._accompany(Companion("checkpoints", watch.look, every, last=lambda: watch.look(last=True)))
        return self

    def log_model_summary(self, summary: str | Mapping[str, object], *, name: str = "model summary") -> Artifact:
        """Keep the structure of a model, layer by layer, as an artifact.

        Args:
            summary: a text, such as `str(model)` or what `torchinfo` prints; or a JSON object, such as names of layers
                with shapes and numbers of parameters.
            name: of the artifact, which is replaced if it is there.

        Raises:
            InvalidInputError: it is neither.
        """
        if isinstance(summary, str):
            return self.upload(_printable(summary).encode(), name=name, media_type="text/plain", replace=True)
        told = json.dumps(checked_object(summary, what="summary"), ensure_ascii=False, indent=2)
        return self.upload(told.encode(), name=name, media_type="application/json", replace=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._recorder is None:
            return
        if value is None:
            self.finish()
            return
        try:
            self.fail(value)
        except LocalregError as error:  # the exception of the block is the one to be seen
            LOGGER.warning("that experiment %r failed could not be committed: %s", self._id, error)

    def finish(self) -> Self:
        """End it: all points are committed. If other processes log to it, too, it runs until the last one ends.

        Raises:
            StorageError: the store does not answer; points wait where they are, and another call tries again.
        """
        return self._end("finished", None)

    def fail(self, error: BaseException | str) -> Self:
        """End it as failed, with an exception or a reason; see `finish`."""
        if isinstance(error, BaseException):
            told = _printable("".join(traceback.format_exception(error)))
            message = _printable(str(error))
            return self._end("failed", {"type": type(error).__name__, "message": message, "traceback": told})
        if not isinstance(error, str):
            raise InvalidInputError(f"error is {shown_value(error)}; give an exception, or a text")
        return self._end("failed", {"type": None, "message": _printable(error), "traceback": None})

    def _end(self, status: Status, error: JsonObject | None) -> Self:
        recorder = self._running("ended")
        for companion in self._companions:
            companion.stop()
        self._companions = []
        recorder.close()
        close(
            self._session,
            self._id,
            status,
            error=error,
            find=lambda changes: self._row(changes.draft),
            ended=recorder.writers,
        )
        self._recorder = None
        return self

    def _running(self, what: str) -> Recorder:
        if self._recorder is None:
            raise ConflictError(
                f"{self!r} cannot be {what} here: this process does not run it; "
                f"registry.experiment({shown_value(self.name)}, resume=True) goes on with it",
                code="not_running",
            )
        return self._recorder

    # --- points -------------------------------------------------------------------------------------------------------

    def log(
        self,
        metrics: Mapping[str, Loggable],
        *,
        step: int | None = None,
        wallclock: float | datetime | str | Now | None = NOW,
    ) -> None:
        """Take points, and return at once; others see them within the interval in which points are flushed.

        What was taken outlives this process, however it ends; of what a power cut leaves, the last interval may be
        lost. What cannot be logged is told in the log of Python (`localreg`) and counted in `refused`, and nothing of
        the call is logged: training goes on. With `strict=True` it raises.

        Args:
            metrics: names with values: numbers (NaN and infinite ones, too), numpy arrays or nested lists of numbers,
                texts, bytes; or groups of these: `{"train": {"loss": 0.3}}` is `train/loss`.
            step: a whole number; None = none.
            wallclock: seconds since 1970, or an aware datetime; None = none. By default now.

        Raises:
            InvalidInputError: (strict) a value, step or wall clock that cannot be logged.
            ConflictError: (strict) it does not run in this process.
            StorageError: (strict) there is no room on this machine.
        """
        self._kept_going(lambda: self._running("logged to").log(metrics, step, wallclock))

    def _kept_going(self, take: Callable[[], None]) -> None:
        """Training goes on, whatever becomes of what it reports."""
        try:
            take()
        except Exception as error:
            if self._strict:
                raise
            self.refused += 1
            LOGGER.warning("nothing was logged: %s", error)

    def event(
        self,
        name: str,
        *,
        source: str | None = None,
        wallclock: float | datetime | str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Report that something happened; see `HasEvents.event`.

        While the experiment runs in this process an event goes the way of points: it is taken at once, outlives the
        process, and is committed at the end. What cannot be taken is told and counted, as in `log`. Elsewhere it is a
        commit.
        """
        recorder = self._recorder
        if recorder is None:
            super().event(name, source=source, wallclock=wallclock, metadata=metadata)
        else:
            self._kept_going(lambda: recorder.report(checked_event(name, source, wallclock, metadata)))

    def log_events(self, events: object) -> int:
        """Report many events at once; see `HasEvents.log_events`.

        While the experiment runs in this process they are durable and can be read when this returns, and are committed
        at the end.
        """
        if self._recorder is None:
            return super().log_events(events)
        return self._recorder.report_tables(event_tables(events))

    def log_table(self, points: object) -> int:
        """Take many points at once, durable and to be read by others when this returns.

        Args:
            points: a table: Arrow, pandas, Polars, a DuckDB relation, a list of dicts, or the path of a CSV or Parquet
                file. Each column of numbers is a series, but for `step` and `wallclock` (seconds since 1970, or time
                stamps with a zone), which are of the whole row; or columns `key` and `value` have one point a row. A
                null is no point.

        Returns:
            How many points were taken.

        Raises:
            InvalidInputError: there are no series, or a column cannot be read as one; nothing was taken.
            ConflictError: the experiment does not run in this process.
            StorageError: the store does not answer.
        """
        return self._running("logged to").log_table(points)

    def flush(self) -> None:
        """Let others read now all that was logged so far.

        Raises:
            StorageError: the store does not answer.
        """
        self._running("flushed").flush()


FIELDS = {"description", "owner", "framework", "task", "external_id"}


def _printable(text: str) -> str:
    """A message as the log can hold it, whatever a program put into it."""
    return text.encode("utf-8", "backslashreplace").decode()[-LONGEST:]
