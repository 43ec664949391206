"""Checkpoints: the saved weights of an experiment at a step, and what becomes of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from localreg.artifacts.artifact import Artifact
from localreg.artifacts.attached import HasArtifacts
from localreg.artifacts.upload import described, store
from localreg.canonical import JsonObject, checked_object
from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from localreg.events.attached import HasEvents
from localreg.experiments.recorder import checked_step
from localreg.handles.lineage import HasLineage
from localreg.log import Row, State
from localreg.models.metrics import checked_metrics
from localreg.models.model import Model, ModelVersion
from localreg.models.version_names import add_version
from localreg.names import check_name, check_text, check_version, did_you_mean, new_id, shown_value
from localreg.records.access import WRITER
from localreg.records.experiments import CheckpointRecord, ExperimentRecord
from localreg.records.models import ModelVersionRecord
from localreg.session import Changes

if TYPE_CHECKING:
    from pathlib import Path

    from localreg.experiments.experiment import Experiment
    from localreg.experiments.saving import HasCheckpoints

__all__ = ["Checkpoint", "best", "checkpoints", "latest", "named", "save"]


class Checkpoint(HasArtifacts[CheckpointRecord], HasEvents[CheckpointRecord], HasLineage[CheckpointRecord]):
    """Saved weights of an experiment. Made by `Experiment.checkpoint`."""

    _record_class = CheckpointRecord

    @property
    def step(self) -> int | None:
        """How far training had come; None = not said."""
        return self.info.step

    @property
    def epoch(self) -> int | None:
        """Likewise."""
        return self.info.epoch

    @property
    def metrics(self) -> dict[str, float | None]:
        """What it was worth then; None = not a number."""
        return self.info.metrics

    @property
    def metadata(self) -> JsonObject:
        """Any JSON object."""
        return self.info.metadata

    @property
    def experiment(self) -> Experiment:
        """The experiment that saved it."""
        from localreg.experiments.experiment import Experiment

        return Experiment(self._session, self.info.experiment)

    @property
    def content(self) -> Artifact:
        """The artifact that was saved first: the weights."""
        rows = self._session.state().children("artifact", self._id)
        first = min(rows, key=lambda row: row.created, default=None)
        if first is None:
            raise NotFoundError(f"nothing is saved in {self!r} any more")
        return Artifact(self._session, first.id)

    def download(self, to: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Copy the weights into a folder; see `Artifact.download`."""
        return self.content.download(to, overwrite=overwrite)

    def promote(
        self,
        model: str | Model,
        version: str | int,
        *,
        description: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> ModelVersion:
        """Make a version of a model of it; the audit event names experiment and checkpoint.

        Args:
            model: a model of this registry, or its name.
            version: unique within the model.
            description: free text.
            metadata: any JSON object.

        Raises:
            NotFoundError: there is no such model.
            AlreadyExistsError: the model has a version, or an alias, of that name.
        """
        from localreg.models import get_model

        if not isinstance(model, str | Model):
            raise InvalidInputError(f"model is {shown_value(model)}; give a model of this registry, or its name")
        of = get_model(self._session, model) if isinstance(model, str) else Model(self._session, model.id)
        record = ModelVersionRecord(
            id=new_id(),
            name=check_version(version),
            model=of.id,
            description=None if description is None else check_text(description, what="description"),
            metadata=checked_object(metadata or {}, what="metadata"),
            checkpoint=self._id,
        )

        def operation(changes: Changes) -> None:
            own = self._row(changes.draft)
            experiment = changes.draft.get(ExperimentRecord.kind, own.parent)
            assert experiment is not None, "a checkpoint goes with its experiment"
            details: JsonObject = {"experiment": experiment.name, "checkpoint": own.name}
            add_version(changes, of._row(changes.draft), record, action="promote", details=details)

        self._session.change(operation)
        return ModelVersion(self._session, record.id)

    def delete(self, *, force: bool = False) -> None:
        """Delete it; versions that were made of it stand in the way, unless it is forced: then they go, too."""
        self._delete(force=force)

    def _label(self) -> str:
        return f"{self.experiment.name}: {self.name}"

    def _stated(self) -> JsonObject:
        record = self.info
        return {**record.model_dump(include={"step", "epoch", "metrics", "metadata"})}


def save(
    experiment: HasCheckpoints,
    content: object,
    *,
    step: int | None,
    epoch: int | None,
    metrics: Mapping[str, float] | None,
    name: str | None,
    metadata: Mapping[str, object] | None,
) -> Checkpoint:
    """See `Experiment.checkpoint`."""
    session = experiment._session
    session.refuse_without(WRITER)
    at, of_epoch = checked_step(step), checked_step(epoch, what="epoch")
    said: dict[str, Any] = {"step": at, "epoch": of_epoch, "metrics": checked_metrics(metrics or {})}
    said["metadata"] = checked_object(metadata or {}, what="metadata")
    given = name if name is not None else _called(at, of_epoch)
    if given is None:
        raise InvalidInputError("a checkpoint has no name; say step=, epoch= or name=")
    called = check_name(given, what="name of the checkpoint")
    _refuse_taken(session.state(), experiment, called)
    weights = described(content, name=None if isinstance(content, str | os.PathLike) else "checkpoint")
    stored, ids = store(session, content, weights), [""]

    def operation(changes: Changes) -> None:
        experiment._row(changes.draft)
        _refuse_taken(changes.draft, experiment, called)
        ids[0] = changes.new_id(CheckpointRecord.kind, called)
        changes.create(CheckpointRecord(id=ids[0], name=called, experiment=experiment.id, **said))
        stored.name_in(changes, ids[0], CheckpointRecord.kind)

    session.change(operation)
    return Checkpoint(session, ids[0])


def _refuse_taken(state: State, experiment: HasCheckpoints, name: str) -> None:
    if state.find(CheckpointRecord.kind, name, experiment.id) is not None:
        raise AlreadyExistsError(f"{experiment!r} has a checkpoint {name!r} already; say another step, epoch or name")


def _called(step: int | None, epoch: int | None) -> str | None:
    told = [f"{what} {number}" for what, number in (("epoch", epoch), ("step", step)) if number is not None]
    return ", ".join(told) or None


def _rows(experiment: HasCheckpoints) -> Iterator[Row]:
    """Those of an experiment by step, else by when they were saved."""
    rows = experiment._session.state().children(CheckpointRecord.kind, experiment.id)
    return iter(sorted(rows, key=lambda row: (_order(row), row.created)))


def _order(row: Row) -> int:
    record = row.load(CheckpointRecord)
    number = record.step if record.step is not None else record.epoch
    return -1 if number is None else number


def checkpoints(experiment: HasCheckpoints) -> list[Checkpoint]:
    """See `Experiment.checkpoints`."""
    return [Checkpoint(experiment._session, row.id) for row in _rows(experiment)]


def named(experiment: HasCheckpoints, name: str) -> Checkpoint:
    """See `Experiment.get_checkpoint`."""
    state = experiment._session.state()
    row = state.find(CheckpointRecord.kind, check_name(name, what="name of the checkpoint"), experiment.id)
    if row is None:
        hint = did_you_mean(name, (each.name for each in state.children(CheckpointRecord.kind, experiment.id)))
        raise NotFoundError(f"{experiment!r} has no checkpoint {name!r}{hint}")
    return Checkpoint(experiment._session, row.id)


def latest(experiment: HasCheckpoints) -> Checkpoint | None:
    """See `Experiment.latest_checkpoint`."""
    found = checkpoints(experiment)
    return found[-1] if found else None


def best(experiment: HasCheckpoints, key: str, mode: Literal["min", "max"]) -> Checkpoint:
    """See `Experiment.best_checkpoint`."""
    check_text(key, what="key")
    if mode not in ("min", "max"):
        raise InvalidInputError(f"mode is {shown_value(mode)}; write 'min' or 'max'")
    records = [row.load(CheckpointRecord) for row in _rows(experiment)]
    logged = _logged(experiment, key) if any(key not in each.metrics for each in records) else {}
    values = [(each.metrics.get(key, logged.get(each.step)), each.id) for each in records]
    known = [(value, place, id) for place, (value, id) in enumerate(values) if value is not None]
    if not known:
        raise NotFoundError(
            f"of no checkpoint of {experiment!r} {key!r} is known: neither was it said with one, nor logged at its step"
        )
    sign = 1 if mode == "min" else -1
    return Checkpoint(experiment._session, min(known, key=lambda each: (sign * each[0], each[1]))[2])


def _logged(experiment: HasCheckpoints, key: str) -> dict[int | None, float]:
    """The numbers of a series by step; of several the last."""
    rows = experiment.points(key).dicts()
    told = {row["step"]: row["value"] for row in rows if row["step"] is not None and row["value"] is not None}
    return {step: value for step, value in told.items() if math.isfinite(value)}
