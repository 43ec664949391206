"""These tests are about what a disk does, also where all others have their folders in memory."""

from __future__ import annotations

from tests.disk import disk, tmp_path

__all__ = ["disk", "tmp_path"]
