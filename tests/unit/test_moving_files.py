"""Queries beside writers who clean up, and on disks that alter bytes: the files of a query move while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import InvalidInputError, Registry, Result, StorageError
from localreg.log import Log
from localreg.query import engine as engine_module
from localreg.query.database import FILE_GONE, file_gone
from localreg.query.engine import Engine


@pytest.fixture
def cached(registry: Registry) -> Registry:
    """Seventy models in a snapshot, their events in a segment; and a second namespace with as many."""
    for handle in (registry, registry.namespace("two")):
        for number in range(70):
            handle.create_model(f"m{number}", metadata={"n": number})
        handle.snapshot()
    registry.close()
    return registry


QUESTIONS: dict[str, Callable[[Registry], Result]] = {
    "sql": lambda registry: registry.sql("SELECT count(*) AS n, max(metadata->>'n') AS most FROM models"),
    "sql of events": lambda registry: registry.sql(
        "SELECT count(*) AS n FROM audit_events, models m WHERE m.name = 'm7'"
    ),
    "audit": lambda registry: registry.audit(kind="model"),
    "facets": lambda registry: registry.facets("models", by="metadata.n", where="metadata.n > 3"),
    "listing": lambda registry: registry.models(),
    "chosen": lambda registry: registry.models("metadata.n > 3", limit=9),
    "all namespaces": lambda registry: registry.all().models("metadata.n > 3"),
    "all by sql": lambda registry: registry.all().sql(
        "SELECT namespace, max(metadata->>'n') AS most FROM models GROUP BY ALL ORDER BY ALL"
    ),
}


def clean_up(registry: Registry) -> int:
    """Delete the caches, as writers do with old ones; how many files there were."""
    caches = [
        path
        for folder in ("snapshots", "history")
        for path in Path(registry.uri, "namespaces").glob(f"*/{folder}/*.parquet")
    ]
    for path in caches:
        path.unlink()
    return len(caches)


def damage(registry: Registry) -> int:
    """Let each layer be another file of the same length."""
    layers = list(Path(registry.uri, "namespaces").glob("*/snapshots/*.parquet"))
    for layer in layers:
        data = layer.read_bytes()
        layer.write_bytes(data[:4] + bytes(reversed(data[4:-400])) + data[-400:])
        os.utime(layer, ns=(0, 0))
    return len(layers)


def at_first_call(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, act: Callable[[], int], *, after: bool = False
) -> list[int]:
    """Have something happen before (or after) the first call of a function; what it came to, then 0 for each call."""
    function = getattr(where, name)
    calls: list[int] = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        first = not calls
        calls.append(act() if first and not after else 0)
        result = function(*arguments, **options)
        if first and after:
            calls[0] = act()
        return result

    monkeypatch.setattr(where, name, interrupted)
    return calls


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("moment", ["answer", "locked_connection"])
@pytest.mark.parametrize("fault", [clean_up, damage])
def test_a_query_whose_files_are_cleaned_up_or_damaged_while_it_runs_is_run_again(
    cached: Registry,
    question: str,
    moment: str,
    fault: Callable[[Registry], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = QUESTIONS[question](localreg.open(cached.uri)).dicts()
    assert expected
    calls = at_first_call(monkeypatch, engine_module, moment, lambda: fault(cached))
    assert QUESTIONS[question](cached).dicts() == expected
    assert calls[0] > 0
    assert len(calls) <= 3


@pytest.mark.parametrize("fault", [clean_up, damage])
def test_a_page_whose_files_are_cleaned_up_or_damaged_while_its_rows_are_kept_is_made_again(
    cached: Registry, fault: Callable[[Registry], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(registry: Registry) -> tuple[object, ...]:
        page = registry.page("models", "metadata.n > 3", facets="metadata.n", order_by="metadata.n DESC", limit=5)
        return page.rows.dicts(), page.total, page.facets["metadata.n"].dicts()

    expected = asked(localreg.open(cached.uri))
    calls = at_first_call(monkeypatch, engine_module, "kept_rows", lambda: fault(cached))
    assert asked(cached) == expected
    assert calls[0] > 0
    assert len(calls) == 2


def test_a_history_segment_that_is_merged_while_a_query_asks_for_it_is_looked_for_again(
    cached: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = at_first_call(monkeypatch, Log, "_cover", lambda: clean_up(cached), after=True)
    assert cached.sql("SELECT count(*) AS n FROM audit_events WHERE kind = 'model'").dicts() == [{"n": 70}]
    assert calls == [8, 0]


def test_a_query_is_not_run_again_for_ever(cached: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def always_gone(*_: object) -> None:
        raise file_gone("files")

    calls = at_first_call(monkeypatch, engine_module, "answer", lambda: clean_up(cached))
    monkeypatch.setattr(Engine, "_refuse_moved", always_gone)
    with pytest.raises(StorageError, match="run it again") as told:
        cached.models("created_at > 'soon'").dicts()
    assert told.value.code == FILE_GONE
    assert len(calls) == engine_module.ATTEMPTS


@pytest.mark.parametrize("limit", [None, 3])
def test_a_faulty_expression_is_run_once(cached: Registry, limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = at_first_call(monkeypatch, engine_module, "answer", lambda: 0)
    with pytest.raises(InvalidInputError, match="created_at > 'soon'"):
        len(cached.models("created_at > 'soon'", limit=limit))
    assert len(calls) == 1
