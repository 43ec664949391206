"""Whatever people write is text on every page: no element, attribute or address comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import localreg
from localreg import InvalidInputError, Registry
from tests.pages import Browser, Node

PIECES = st.sampled_from(
    [
        *(
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<marquee>",
            "</title>",
            "</textarea>",
            "</style>",
        ),
        *("<", ">", '"', "'", "`", "&", "&lt;", "&#x3c;", "<!--", "-->", "]]>", "\\", "\\u003c", "%22"),
        *("{{ 31337 * 3 }}", "{% raw %}", "javascript:alert(1)", "https://x/'\"><marquee>", "data:text/html,<marquee>"),
        *(
            " onclick=alert(1) ",
            "style=x",
            "\u202e",
            "\u2066",
            "\u2028",
            "\x00",
            "\x1b[31m",
            "\ud800",
            "\ufffe",
            "\n",
            "\t",
        ),
        *("é", "日本", "🚲", "a", " "),
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=6).map("".join)


def written(registry: Registry, texts: list[str]) -> list[str]:
    """A registry in which they stand wherever they may; addresses of its pages."""
    name, key, value, tag, note = texts
    model = registry.create_model("plain")
    with suppress(InvalidInputError):  # what no name may hold
        model.rename(name)
    with suppress(InvalidInputError):
        model.update(metadata={key: value, "notes": {key: [value]}, "weights": value})
    with suppress(InvalidInputError):
        model.update(tags=[tag])
    with suppress(InvalidInputError):
        model.update(description=note, owner=note[:100], task=tag)
    version = model.create_version("1")
    with suppress(InvalidInputError):
        version.update(description=note, metadata={key: value})
    with suppress(InvalidInputError):
        model.set_alias(tag, "1")
    with suppress(InvalidInputError):
        version.event(name, source=note, metadata={key: value})
    with suppress(InvalidInputError):
        version.track(value, name=name)
    with suppress(InvalidInputError), registry.transaction(note):
        model.update(metadata={"said": 1})
    experiment = registry.experiment("plain", code=False)
    with suppress(InvalidInputError):
        experiment.log_params({key: value})
    with suppress(InvalidInputError):
        experiment.update(description=note, tags=[tag])
    experiment.log({"loss": 0.5}, step=1)
    experiment.finish()
    own = [f"/models/{model.id}", f"/versions/{version.id}", f"/experiments/{experiment.id}"]
    own += [f"/models/{model.id}?tab={tab}" for tab in ("versions", "lineage", "history")]
    own += [f"/experiments/params?experiment={experiment.id}", "/sql?q=SELECT+name,metadata,description+FROM+models"]
    return [*own, "/", "/columns", "/audit", "/events", "/experiments", "/artifacts"]


def shape(page: Node) -> set[str]:
    """Elements and attributes that must not depend on what people write."""
    found = set()
    for each in page.walk():
        found |= {
            f"{each.tag} {name}" for name in each.attributes if name.startswith("on") or name in ("style", "srcdoc")
        }
        for name in ("href", "src", "action"):
            address = each.attributes.get(name, "/")
            if not address.startswith(("/", "#", "https://", "http://", "?")) or address.startswith("//"):
                found.add(f"{each.tag} {address}")
    return found


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TEXTS, min_size=5, max_size=5))
def test_what_people_write_is_text_on_every_page(texts: list[str]) -> None:
    with TemporaryDirectory() as folder, localreg.open(Path(folder) / "registry", actor="ana") as registry:
        browser = Browser(registry)
        for path in written(registry, texts):
            answer = browser.ask(path)
            assert answer.status == 200, (path, answer.text)
            page = answer.page
            assert not shape(page), path
            assert "94011" not in page.text.replace("31337 * 3", "")
            assert all(each.text == "" and each.attributes["src"].startswith("/static/") for each in page.all("script"))
            for tag in ("style", "img", "iframe", "object", "embed", "base", "marquee"):
                assert not page.all(tag), (path, tag)


NAMES = (
    "q",
    "where",
    "is",
    "sort",
    "column",
    "facet",
    "page",
    "at",
    "namespace",
    "done",
    "kind",
    "since",
    "tab",
    "suite",
)
PATHS = (
    "/",
    "/columns",
    "/audit",
    "/experiments",
    "/compare",
    "/compare/samples",
    "/sql",
    "/runs",
    "/events",
    "/artifacts",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with localreg.open(tmp_path_factory.mktemp("asked") / "registry", actor="ana") as registry:
        registry.create_model("plain", metadata={"lr": 0.1})
        yield Browser(registry)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=st.dictionaries(st.sampled_from(NAMES), TEXTS, min_size=1, max_size=4), path=st.sampled_from(PATHS))
def test_whatever_an_address_asks_is_answered(browser: Browser, asked: dict[str, str], path: str) -> None:
    query = {name: text.encode("utf-8", "replace").decode() for name, text in asked.items()}
    answer = browser.ask(f"{path}?{urlencode(query)}")
    assert answer.status in (200, 400, 404), answer.text
    assert not shape(answer.page)
    assert not answer.page.all("marquee")
