"""These tests are about what a disk does, also where all others have their folders in memory."""

from __future__ import annotations

import pytest

from tests.crash.tracing import strace_refusal
from tests.disk import disk, tmp_path

__all__ = ["disk", "tmp_path"]


@pytest.fixture(scope="session")
def _attachable() -> None:
    refusal = strace_refusal()
    if refusal:
        pytest.skip(refusal)
