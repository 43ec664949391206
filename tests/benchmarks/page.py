"""One page of a table on a screen: rows, total and facets of what was not asked before, while nothing is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from localreg import Registry
from tests.benchmarks.harness import Bench, Figure, seconds
from tests.benchmarks.size import FRAMEWORKS, promised, with_models

FACETS = ("tags", "owner", "workflow", "metadata.framework", "metadata.dataset")
AT_MOST = 0.200
"""Seconds of the server's time."""


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    registry = with_models(bench.fresh(), 100_000)
    begin = seconds(lambda: asked(registry, 0))
    yield Figure("models page at 100,000 models: the first of a commit (s), told for comparison", begin, None, begin)
    questions: dict[str, Callable[[int], dict[str, Any]]] = {
        "no filter": lambda number: {"offset": 50 * number},
        "filter and sort": lambda number: {
            "where": f"metadata.framework = '{FRAMEWORKS[number % 5]}' AND metadata.accuracy > {number / 1000}",
            "order_by": "metadata.accuracy DESC",
        },
        "search and sort": lambda number: {"search": f"model {number}", "order_by": "name DESC"},
    }
    for what, question in questions.items():
        numbers = count(1)

        def page(question: Callable[[int], dict[str, Any]] = question, numbers: Iterator[int] = numbers) -> float:
            return seconds(lambda: asked(registry, **question(next(numbers))))

        yield promised(f"models page at 100,000 models, five facets, {what}: server time, warm", page, AT_MOST)


def asked(registry: Registry, offset: int = 0, **question: Any) -> None:
    """A page as a browser shows it, down to Python's values."""
    page = registry.page("models", archived=False, facets=FACETS, offset=offset, **question)
    assert page.rows.dicts()
    assert all(facet.dicts() for facet in page.facets.values())
