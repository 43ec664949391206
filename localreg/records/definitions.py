"""Definitions: what a model version is made of and how it is run."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from localreg.records.base import Record

__all__ = ["DefinitionRecord"]


class DefinitionRecord(Record):
    """What a version is made of and how it is run; or, as `${model.name}`, how all are run that do not say it.

    `name` is what its entry was called when it was registered: the model's name, or `${model.name}`. Nothing in it is
    a secret: of these the names of environment variables stand here, as `${GIT_KEY}`.
    """

    kind: ClassVar[str] = "definition"

    version: str | None = None
    """Id of the model version; None = it stands for all models."""

    content: str
    """sha256 of what it comes to: code, files with their paths, and the runtime."""

    repository: dict[str, Any] | None = None
    """Of the code: `url`, `branch`, `commit` (None = nobody could ask), `access_token`; None = a snapshot, or none."""

    code: dict[str, Any] | None = None
    """A snapshot, which is the artifact `code`; None = none.

    `sha256`, `bytes`, `files`; `git` (`commit`, `dirty`); `programs`, the paths of files that may be executed.
    """

    files: list[dict[str, Any]] = Field(default_factory=list)
    """Each with `name`, as its artifact, `url` as it was written, `upload`, `sha256`, `bytes`, `credentials`."""

    runtime: dict[str, Any] | None = None
    """See `localreg.definitions.schema.Runtime`; None = that of another definition is taken when it is loaded."""

    source: dict[str, Any] | None = None
    """Where it was written: `name` of the file, `path` within, `lines` by path; None = said in Python."""

    @property
    def parent(self) -> str:
        """A version has one; there is one for all models."""
        return self.version or ""
