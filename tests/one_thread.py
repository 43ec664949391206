"""DuckDB with one thread, for tests that are many small queries, which threads only slow down."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

__all__ = ["one_thread"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = duckdb.connect

    def alone(database: str = ":memory:", *, config: dict[str, Any] | None = None, **options: Any) -> Any:
        return connect(database, config={"threads": 1} | (config or {}), **options)

    monkeypatch.setattr(duckdb, "connect", alone)
