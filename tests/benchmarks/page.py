"""The page: from the command to the first look, the models table at size, and what a browser has to fetch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.request import urlopen

from tests.benchmarks.harness import Bench, Figure, process_seconds, seconds
from tests.benchmarks.size import FRAMEWORKS, promised, with_models
from tests.pages import Browser
from tests.unit.test_ui_serving import served

AT_MOST = 0.200
"""Seconds of the server's time."""
HEAVIEST = 60_000
"""Bytes of a page without plots, with its style sheet and script."""


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    small = bench.fresh()
    with_models(small, 50)
    yield bench.compare(
        "from `localreg ui` to the first page ÷ importing duckdb, pyarrow and starlette",
        lambda: started(small),
        lambda: process_seconds("import duckdb, pyarrow, starlette"),
        at_most=2,
        times=5,
    )
    yield Figure(f"bytes of the models page, first view ÷ {HEAVIEST:,}", weight(Browser(with_models(small, 0))), 1)

    browser = Browser(with_models(bench.fresh(), 100_000))
    begin = seconds(lambda: asked(browser, ""))
    yield Figure("models page at 100,000 models: the first of a commit (s), told for comparison", begin, None, begin)
    questions: dict[str, Callable[[int], str]] = {
        "no filter": lambda number: f"page={number}",
        "filter and sort": lambda number: (
            f"is=metadata.framework=%22{FRAMEWORKS[number % 5]}%22&where=metadata.accuracy+%3E+{number / 1000}"
            "&sort=-metadata.accuracy"
        ),
        "search and sort": lambda number: f"q=model+{number}&sort=-name",
    }
    for what, question in questions.items():
        numbers = count(1)

        def page(question: Callable[[int], str] = question, numbers: Iterator[int] = numbers) -> float:
            return seconds(lambda: asked(browser, question(next(numbers))))

        yield promised(f"models page at 100,000 models, {what}: server time, warm", page, AT_MOST)


def asked(browser: Browser, query: str) -> None:
    """A page of the table, with the facets that it has and one more."""
    facets = "&".join(f"facet={by}" for by in ("tags", "owner", "workflow", "metadata.framework", "metadata.dataset"))
    answer = browser.ask(f"/?{facets}&{query}")
    assert answer.status == 200, answer.text


def started(folder: Path) -> None:
    """The command in a process of its own, until a page is there."""
    with served(str(folder), "--port", "0") as (address, process):
        with urlopen(address) as answer:
            assert b"model 7" in answer.read()
        process.kill()


def weight(browser: Browser) -> float:
    """Of the table of 50 models and all that it names."""
    answer = browser.get("/")
    files = [each.attributes["href"] for each in answer.page.all("link")]
    files += [each.attributes["src"] for each in answer.page.all("script")]
    return (len(answer.body) + sum(len(browser.get(file).body) for file in files)) / HEAVIEST
