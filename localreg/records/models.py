"""Namespaces, models, their versions and aliases."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from localreg.records.base import Record

__all__ = [
    "AliasRecord",
    "MetricsRecord",
    "ModelRecord",
    "ModelVersionRecord",
    "NamespaceRecord",
    "RegistryRecord",
]


class RegistryRecord(Record):
    """The registry itself, as its first namespace saw it being made. `name` is its id."""

    kind: ClassVar[str] = "registry"

    format: int
    """Version of the disk format."""

    commit_mode: str
    """How commits are published: `link`, `rename-noreplace`, `conditional` or `single-writer`."""

    shared: str
    """Who else may write: `umask`, `group` or `all`."""


class NamespaceRecord(Record):
    """A namespace, made by its first use. With its name at that time, it begins the digest chain."""

    kind: ClassVar[str] = "namespace"

    registry: str
    """Id of the registry that it lies in."""


class ModelRecord(Record):
    """A model: a name, and what people say about it. What was trained is its versions."""

    kind: ClassVar[str] = "model"

    description: str | None = None
    """Free text."""

    owner: str | None = None
    """Whom to ask."""

    task: str | None = None
    """What it is for, such as `detection`."""

    tags: list[str] = Field(default_factory=list)
    """Sorted, unique."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    """Any JSON object."""

    workflow: str | None = None
    """Id of the workflow that its first typed use bound it to."""

    archived: bool = False
    """Hidden from listings, unless asked for."""

    former_names: list[str] = Field(default_factory=list)
    """What it was called before, oldest first."""


class ModelVersionRecord(Record):
    """One deterministic, trained thing. `name` is the version string."""

    kind: ClassVar[str] = "model_version"

    model: str
    """Id of the model."""

    description: str | None = None
    """Free text."""

    tags: list[str] = Field(default_factory=list)
    """Sorted, unique; beside the model's."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    """Laid over the model's."""

    determinism: dict[str, Any] | None = None
    """What trying it again has shown, as `Determinism.to_json` says it; None = not verified."""

    machines: list[dict[str, Any]] = Field(default_factory=list)
    """The machines that have verified it, the last ones, as `Machine.to_json` says it; the last is the last."""

    checkpoint: str | None = None
    """Id of the checkpoint that it was made of; None = of none."""

    @property
    def parent(self) -> str:
        """Version strings are unique within a model."""
        return self.model


class AliasRecord(Record):
    """A movable pointer to one version of a model."""

    kind: ClassVar[str] = "alias"

    model: str
    """Id of the model."""

    version: str
    """Id of the version that it points to."""

    @property
    def parent(self) -> str:
        """Aliases are unique within a model."""
        return self.model


class MetricsRecord(Record):
    """Numbers that somebody said a model or a version is worth: all together, on a data set, or on a test suite.

    There is one for each of these, and `name` is the id of that data set or suite, or `metrics`.
    """

    kind: ClassVar[str] = "metrics"

    owner: str
    """Id of the model or version."""

    owner_kind: str
    """`model` or `model_version`."""

    dataset: str | None = None
    """Id of the data set that they were measured on."""

    test_suite: str | None = None
    """Id of the test suite that they were measured on."""

    values: dict[str, float | None] = Field(default_factory=dict)
    """By name; None = not a number."""

    @property
    def parent(self) -> str:
        """Names are unique within what they are of."""
        return self.owner
