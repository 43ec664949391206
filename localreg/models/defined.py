"""What a version is made of and how it is run, as the handles of models offer it.

Definitions belong to a layer that stands above this one, and says here how they are made (`serve_definitions`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from localreg.canonical import JsonObject
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.models.model import Model, ModelVersion

__all__ = ["Defining", "Files", "Parts", "RegisteredDefinition", "Repository", "define", "defined", "serve_definitions"]

Path: TypeAlias = "str | os.PathLike[str]"
Repository: TypeAlias = "Path | Mapping[str, object]"
"""Its address, or `url`, `branch` or `hash`, `access_token`."""
Files: TypeAlias = "Mapping[str, Path | Mapping[str, object]] | Sequence[Mapping[str, object]]"
"""By name a path, an address, or `url`, `upload`, `credentials`; or a list, as in YAML."""


class Parts(NamedTuple):
    """What a version is made of, as `Model.create_version` is given it."""

    code: Path | None
    repository: Repository | None
    files: Files | None
    runtime: Mapping[str, object] | None


class RegisteredDefinition(Protocol):
    """What a version shows of its definition: a `localreg.definitions.Definition`."""

    @property
    def content(self) -> str:
        """sha256 of what it comes to."""

    @property
    def repository(self) -> JsonObject | None:
        """Of the code; secrets are names of environment variables."""

    @property
    def code(self) -> JsonObject | None:
        """A snapshot of the code."""

    @property
    def files(self) -> list[dict[str, object]]:
        """Weights and the like."""

    @property
    def runtime(self) -> JsonObject | None:
        """How it is run."""

    def yaml(self) -> str:
        """The definition as a file that registers the same again."""


class Defining(Protocol):
    """Who makes definitions."""

    def create_version(
        self,
        model: Model,
        version: str | int | None,
        parts: Parts,
        *,
        metadata: Mapping[str, object] | None,
        description: str | None,
    ) -> ModelVersion:
        """See `Model.create_version`."""

    def definition_of(self, session: Session, version: str) -> RegisteredDefinition | None:
        """What is registered of a version, by its id."""


_served: list[Callable[[], Defining]] = []


def serve_definitions(defining: Callable[[], Defining]) -> None:
    """Say who makes definitions; asked when somebody wants one."""
    _served[:] = [defining]


def define(
    model: Model,
    version: str | int | None,
    parts: Parts,
    *,
    metadata: Mapping[str, object] | None,
    description: str | None,
) -> ModelVersion:
    """Add a version with a definition."""
    return _served[0]().create_version(model, version, parts, metadata=metadata, description=description)


def defined(session: Session, version: str) -> RegisteredDefinition | None:
    """What is registered of a version, by its id."""
    return _served[0]().definition_of(session, version)
