"""A program that works on a registry in a bucket, through a wire that fails at random.

`python -m tests.crash.wired URI ENDPOINT LIFE SEED OPERATIONS`: says what `many_acts` has it say.
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress

import localreg
from localreg.errors import ConflictError, NotFoundError, ReadOnlyError, StorageError
from localreg.storage import asking
from tests.crash.many_acts import Worker
from tests.remote import options

__all__ = ["ACTS"]

ACTS = ("create", "rename", "delete", "count", "tag", "version", "three", "artifact")
PATIENCE_S = 2
OPENINGS = 50
FAILURES = (StorageError, ReadOnlyError)


class WiredWorker(Worker):
    """Is refused by the place, too, and does not see it at times."""

    refusals = (ConflictError, NotFoundError, *FAILURES)

    def _look(self) -> None:
        with suppress(*FAILURES):
            super()._look()

    def expect(self, name: str, *, there: bool) -> None:
        """See `Worker.expect`; that it cannot be read now does not say that it was not written."""
        with suppress(*FAILURES):
            super().expect(name, there=there)


def opened(uri: str, endpoint: str, life: str) -> localreg.Registry:
    """A handle, once the wire lets it come about."""
    own = {**options(endpoint), "config_kwargs": {"read_timeout": PATIENCE_S, "connect_timeout": PATIENCE_S}}
    for _ in range(OPENINGS):
        with suppress(*FAILURES):
            return localreg.open(uri, actor=life, storage_options=own)
    raise AssertionError(f"{life} could not open {uri}")


def main(uri: str, endpoint: str, life: str, seed: str, operations: str) -> None:
    """Work."""
    asking.FIRST_PAUSE_S = 0.0  # type: ignore[misc]
    WiredWorker(opened(uri, endpoint, life), random.Random(seed), 1).work(int(operations), None, ACTS)


if __name__ == "__main__":
    main(*sys.argv[1:])
