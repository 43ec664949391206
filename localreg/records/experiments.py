"""Experiments: what was tried to make a model."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from localreg.records.base import Record

__all__ = ["CheckpointRecord", "ExperimentRecord", "Status"]

Status: TypeAlias = Literal["running", "finished", "failed", "killed"]


class ExperimentRecord(Record):
    """One training effort. It owns files of the tables `metric_points` and `events`."""

    kind: ClassVar[str] = "experiment"

    description: str | None = None
    """Free text."""

    owner: str | None = None
    """Whom to ask."""

    framework: str | None = None
    """What it trains with, such as `pytorch`."""

    task: str | None = None
    """What the model is for, such as `detection`."""

    external_id: str | None = None
    """What another system calls it."""

    tags: list[str] = Field(default_factory=list)
    """Sorted, unique."""

    params: dict[str, Any] = Field(default_factory=dict)
    """Hyperparameters: any JSON object."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    """Any JSON object."""

    status: Status = "running"
    """As somebody who was there said: of a process that is gone `running` is the last that was heard."""

    ended_at: str | None = None
    """When it ended, by the clock of whoever said so, UTC; None = it runs."""

    error: dict[str, Any] | None = None
    """Of one that failed: `type`, `message` and `traceback` of the exception."""

    environment: dict[str, Any] | None = None
    """What its newest process ran in: command line, host, interpreter, packages, code."""

    archived: bool = False
    """Hidden from listings, unless asked for."""


class CheckpointRecord(Record):
    """The saved weights of an experiment at a step. What is saved is its artifacts."""

    kind: ClassVar[str] = "checkpoint"

    experiment: str
    """Id of the experiment."""

    step: int | None = None
    """How far training had come; None = not said."""

    epoch: int | None = None
    """Likewise."""

    metrics: dict[str, float | None] = Field(default_factory=dict)
    """What it was worth then; None = not a number."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    """Any JSON object."""

    @property
    def parent(self) -> str:
        """Names are unique within an experiment."""
        return self.experiment
