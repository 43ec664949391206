"""`registry.sql`, read as its rows come: without a wait for others, with an end to patience."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from localreg import Registry
from localreg.errors import InvalidInputError
from tests.flow import compare_two_models

ENDLESS = "SELECT sum(a.range * b.range) AS s FROM range(10000000) a, range(10000000) b"


def rows(batches: Any) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]


def test_batches_hold_what_the_table_holds(registry: Registry) -> None:
    compare_two_models(registry)
    for table in ("models", "audit_events", "inferences", '"Animals".inferences', "metric_values"):
        query = f"SELECT * FROM {table} ORDER BY ALL"
        result = registry.sql(query)
        batches = list(result.batches())
        assert rows(batches) == result.arrow().to_pylist()
        assert batches[0].schema.equals(result.arrow().schema, check_metadata=True)


def test_batches_come_before_the_last_row_is_known(registry: Registry) -> None:
    registry.create_model("m")
    batches = registry.sql("SELECT range AS n FROM range(1000000000000)").batches()
    first = [next(batches), next(batches)]
    assert (first[0].num_rows, first[0].schema.names) == (0, ["n"])
    assert first[1]["n"][0].as_py() == 0


def test_a_stream_shows_the_state_that_it_began_with(registry: Registry) -> None:
    for number in range(3):
        registry.create_model(f"m{number}")
    batches = registry.sql("SELECT m.name FROM models m, range(20000) ORDER BY m.name").batches()
    next(batches)
    registry.get_model("m2").rename("other")
    registry.create_model("m3")
    assert {row["name"] for row in registry.models()} == {"m0", "m1", "other", "m3"}
    assert {row["name"] for row in rows(batches)} == {"m0", "m1", "m2"}


def test_nobody_waits_for_a_stream_that_is_not_read_on(registry: Registry) -> None:
    registry.create_model("m")
    batches = registry.sql("SELECT range AS n FROM range(1000000000000)").batches()
    next(batches)
    found: list[int] = []

    def ask() -> None:
        registry.create_model("n")
        found.extend([len(registry.models()), len(registry.sql("SELECT * FROM models"))])

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(60)
    assert found == [2, 2]


@pytest.mark.parametrize("look", [lambda result: result.dicts(), lambda result: list(result.batches())])
def test_a_query_is_given_up_in_time(registry: Registry, look: Any) -> None:
    registry.create_model("m")
    with pytest.raises(InvalidInputError, match=r"given up after 0\.2 s") as told:
        look(registry.sql(ENDLESS, timeout_s=0.2))
    assert told.value.code == "timeout"
    assert registry.sql("SELECT name FROM models", timeout_s=60).dicts() == [{"name": "m"}]


def test_time_that_nobody_asks_for_rows_does_not_count(registry: Registry) -> None:
    registry.create_model("m")
    batches = registry.sql("SELECT range AS n FROM range(50000)", timeout_s=30).batches()
    assert sum(batch.num_rows for batch in batches) == 50_000


@pytest.mark.parametrize("odd", [0, -1, True, "5", float("nan"), float("inf"), [1]])
def test_an_odd_time_is_refused(registry: Registry, odd: Any) -> None:
    with pytest.raises(InvalidInputError, match="timeout_s is"):
        registry.sql("SELECT 1", timeout_s=odd)


def test_an_error_in_the_middle_is_ours(registry: Registry) -> None:
    registry.create_model("m")
    query = "SELECT CASE WHEN range < 50000 THEN '1' ELSE 'x' END::INTEGER AS n FROM range(100000)"
    with pytest.raises(InvalidInputError, match="cannot run sql"):
        list(registry.sql(query).batches())
    with pytest.raises(InvalidInputError, match="did you mean"):
        list(registry.sql("SELECT nam FROM models").batches())
