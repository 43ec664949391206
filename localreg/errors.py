"""Every error that localreg raises, grouped by what a caller would do about it.

```
LocalregError
├── NotFoundError (KeyError)            look for another name
├── AlreadyExistsError                  take another name, or say exist_ok / reset
├── ConflictError                       somebody else changed it first: read again, try again
├── WorkflowMismatchError               use the workflow that the record is bound to
├── NonDeterministicError               the model gave two answers for one sample
├── InvalidInputError (ValueError)      correct what was passed in
├── DefinitionError (ValueError)        correct the lines of the definition that are named
├── ReadOnlyError (PermissionError)     open for writing, or somewhere else
├── AccessDeniedError (PermissionError) ask the owner of the namespace
├── PolicyError                         satisfy the policy that is named
├── StorageError (OSError)              the disk, share or store failed: mend it, try again
├── FormatError                         this is not (or not yet) something that we can read
├── IntegrityError                      bytes are not what the log says they were
└── UnknownOutcomeError                 ask `registry.resolve(commit_id, commit=…)` before going on
```

A message says what failed, on which name or file, and what to do next. `code` is stable across releases, for
programs; several codes may share a class where a handler would do the same. Errors of other libraries are chained
with `from`, never let out. All errors can be pickled, so they cross process pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "LocalregError",
    "NotFoundError",
    "AlreadyExistsError",
    "ConflictError",
    "WorkflowMismatchError",
    "NonDeterministicError",
    "InvalidInputError",
    "DefinitionError",
    "ReadOnlyError",
    "AccessDeniedError",
    "PolicyError",
    "StorageError",
    "FormatError",
    "IntegrityError",
    "UnknownOutcomeError",
]


class LocalregError(Exception):
    """Base of all errors of localreg.

    Attributes:
        code: a stable snake_case word for programs, such as `"not_found"` or `"entry_torn"`.
    """

    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.default_code

    @property
    def message(self) -> str:
        """The text of the error, as shown to a person."""
        return str(self.args[0])

    def __str__(self) -> str:  # KeyError would show the repr, OSError would look for an errno
        return self.message


class NotFoundError(LocalregError, KeyError):
    """No such model, version, alias, suite…; the message suggests near names."""

    default_code = "not_found"


class AlreadyExistsError(LocalregError):
    """The name is taken, or the work is already done."""

    default_code = "already_exists"


class ConflictError(LocalregError):
    """Another commit changed the same record in between, or something still depends on it. Nothing was written."""

    default_code = "conflict"


class WorkflowMismatchError(LocalregError):
    """The model, suite or type belongs to another workflow."""

    default_code = "workflow_mismatch"


class NonDeterministicError(LocalregError):
    """One model version gave two different inferences for one test sample."""

    default_code = "non_deterministic"


class InvalidInputError(LocalregError, ValueError):
    """An argument or a value in the data cannot be accepted. Nothing was written."""

    default_code = "invalid_input"


class DefinitionError(LocalregError, ValueError):
    """A model's definition cannot be accepted, or cannot be used as it stands. Nothing was registered.

    Attributes:
        faults: all that is wrong, one by one: place and reason, each on a line.
    """

    default_code = "bad_definition"

    def __init__(self, message: str, *, faults: Sequence[str] = (), code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.faults = tuple(faults)


class ReadOnlyError(LocalregError, PermissionError):
    """The registry was opened read-only, shows the past, or lies where this process may not write."""

    default_code = "read_only"


class AccessDeniedError(LocalregError, PermissionError):
    """The actor's role in the namespace does not allow this."""

    default_code = "access_denied"


class PolicyError(LocalregError):
    """A policy of the model or namespace refuses this."""

    default_code = "policy"


class StorageError(LocalregError, OSError):
    """The file system or object store failed. What was being done is not done, unless the message says otherwise."""

    default_code = "storage"


class FormatError(LocalregError):
    """Not a registry, a newer format, or a file that cannot be parsed."""

    default_code = "format"


class IntegrityError(LocalregError):
    """Bytes on disk are not those that the log recorded: altered, swapped or missing."""

    default_code = "integrity"


class UnknownOutcomeError(LocalregError):
    """The store did not answer, and reading back failed, too: the commit may or may not have landed.

    Attributes:
        commit_id: what `registry.resolve` settles.
        commit: the number that was attempted: the commit landed there or nowhere. None if that is not known.
    """

    default_code = "unknown_outcome"

    def __init__(
        self, message: str, *, commit_id: str = "", commit: int | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.commit_id = commit_id
        self.commit = commit
