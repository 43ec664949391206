"""Tests of single modules are many small queries, which threads slow down; those of the whole have threads."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = duckdb.connect

    def alone(database: str = ":memory:", *, config: dict[str, Any] | None = None, **options: Any) -> Any:
        return connect(database, config={"threads": 1} | (config or {}), **options)

    monkeypatch.setattr(duckdb, "connect", alone)
