"""Queries are small here; those of tests in other folders, and of programs that tests start, have threads."""

from __future__ import annotations

from tests.one_thread import one_thread

__all__ = ["one_thread"]
