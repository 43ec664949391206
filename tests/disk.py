"""Folders on a disk, for tests that are about what a disk does."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["disk", "tmp_path"]


@pytest.fixture(scope="session")
def disk() -> Iterator[Path]:
    """The system's temporary folder, for others to enter, too."""
    folder = Path(tempfile.mkdtemp(prefix="localreg-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """As pytest has it; on the disk if `PYTEST_DEBUG_TEMPROOT` moved those of pytest away from it."""
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        return tmp_path
    folder = Path(request.getfixturevalue("disk")) / tmp_path.name
    folder.mkdir()
    return folder
