"""The models table and the pages of models and versions: what they show, where they lead, what they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from localreg import Registry
from localreg.ui.pages.edits import typed_value
from localreg.ui.pages.listing import keys_of, path_to
from localreg.ui.pages.model import fields_of
from localreg.ui.view import Form
from localreg.written import written_value
from tests.pages import Browser, Node

EVIL = """"><script>alert(1)</script><img src=x onerror='x'>{{ 31337 * 3 }}\u202e/../[x]`"""


@pytest.fixture
def browser(registry: Registry) -> Browser:
    return Browser(registry)


def names(page: Node) -> list[str]:
    """Of the models in the table."""
    return [each.text for each in page.all("tbody")[0].all("th")] if page.all("tbody") else []


def model_page(registry: Registry, name: str) -> str:
    return f"/models/{registry.get_model(name).id}"


# --- the table --------------------------------------------------------------------------------------------------------


def three(registry: Registry) -> None:
    registry.create_model("yolor", metadata={"framework": "pytorch", "lr": 0.1}, tags={"night"}, owner="ana")
    registry.create_model("resnet", metadata={"framework": "jax", "lr": 0.5}, tags={"day", "night"}, owner="ben")
    registry.create_model("old", metadata={"framework": "jax"}).archive()


def test_an_empty_registry_says_how_to_begin(browser: Browser) -> None:
    assert "localreg -r" in browser.get("/").main.one("pre").text


def test_the_table_has_the_models_but_those_that_are_archived(registry: Registry, browser: Browser) -> None:
    three(registry)
    assert names(browser.get("/").main) == ["yolor", "resnet"]
    assert names(browser.get("/", archived="1").main) == ["yolor", "resnet", "old archived"]
    assert browser.get("/").main.one(id="total").text == "2 models"


def test_the_address_holds_words_conditions_order_and_columns(registry: Registry, browser: Browser) -> None:
    three(registry)
    assert names(browser.get("/", q="NIGHT -day").main) == ["yolor"]
    assert names(browser.get("/", where="metadata.lr > 0.2").main) == ["resnet"]
    assert names(browser.get("/", sort="name").main) == ["resnet", "yolor"]
    page = browser.get("/", column=["name", "metadata.lr"], sort="-metadata.lr").main
    assert [each.text for each in page.one("thead").all("th")] == ["Compare", "name", "lr"]
    assert [row.all("td")[-1].text for row in page.one("tbody").all("tr")] == ["0.5", "0.1"]
    assert page.one("th", aria_sort="descending").text == "lr"


def test_a_facet_leads_to_what_has_the_value_and_back(registry: Registry, browser: Browser) -> None:
    three(registry)
    page = browser.get("/").main
    link = next(each for each in page.one(id="facets").all("a") if each.text.startswith("night"))
    assert link.text == "night2"
    chosen = browser.get(link.attributes["href"])
    assert names(chosen.main) == ["yolor", "resnet"]
    day = next(each for each in chosen.main.one(id="facets").all("a") if each.text.startswith("day"))
    both = browser.get(day.attributes["href"])
    assert names(both.main) == ["resnet"]
    back = next(each for each in both.main.all("a", aria_current="true") if each.text.startswith("day"))
    assert browser.get(back.attributes["href"]).main.one(id="total").text == "2 models"


def test_any_key_of_metadata_can_be_a_facet_and_a_column(registry: Registry, browser: Browser) -> None:
    registry.create_model("m", metadata={"it's [odd].\u00e9": {"a": 1}, "plain": "x"})
    page = browser.get("/columns").main
    [path] = [each.attributes["value"] for each in page.all("input", name="facet") if "odd" in each.attributes["value"]]
    shown = browser.get("/", column=["name", path], facet=[path]).main
    assert shown.one("tbody").all("td")[-1].text == '{"a": 1}'
    assert [each.text for each in shown.one(id="facets").all("h2")] == ["it's [odd].\u00e9"]
    chosen = shown.one(id="facets").one("a")
    assert names(browser.get(chosen.attributes["href"]).main) == ["m"]


def test_whatever_a_facet_counts_can_be_chosen(registry: Registry, browser: Browser) -> None:
    for name, value in {
        "list": ["a", "b"],
        "text": "a",
        "object": {"z": 1, "a": "b c"},
        "number": 5,
        "true": True,
    }.items():
        registry.create_model(name, metadata={"k": value})
    registry.create_model("none")
    page = browser.get("/", facet=["metadata.k"]).main
    found = {
        each.one(class_="told").text: names(browser.get(each.attributes["href"]).main)
        for each in page.one(id="facets").all("a")
    }
    assert {text: models for text, models in found.items() if not text.startswith("{")} == {
        "a": ["list", "text"],
        "b": ["list"],
        "5": ["number"],
        "true": ["true"],
        "(none)": ["none"],
    }
    assert [models for text, models in found.items() if text.startswith("{")] == [["object"]]


def test_facets_of_times_and_of_numbers_in_lists_lead_to_what_they_count(registry: Registry, browser: Browser) -> None:
    registry.create_model("a", metadata={"sizes": [1, 2], "trained_at": "yesterday"})
    registry.create_model("b", metadata={"sizes": [2], "ok": [True]})
    for facet in ("metadata.sizes", "metadata.ok", "updated_at", "metadata.trained_at"):
        page = browser.get("/", facet=[facet], column=["name", "metadata.trained_at", "updated_at"]).main
        for link in page.one(id="facets").all("a"):
            count = int(link.one(class_="count").text)
            assert len(names(browser.get(link.attributes["href"]).main)) == count, (facet, link.text)


def test_more_facets_than_fit_are_refused(registry: Registry, browser: Browser) -> None:
    registry.create_model("a")
    assert browser.get("/", facet=[f"metadata.k{n}" for n in range(300)]).status == 400
    assert browser.get("/", **{"is": "tags=" + "[" * 3_000}).status == 400


def test_an_error_keeps_namespace_and_moment(registry: Registry, browser: Browser) -> None:
    registry.namespace("vision").create_model("there")
    page = browser.get("/models/" + "0" * 32, namespace="vision", at=1).page
    links = [each.attributes["href"] for each in page.one("nav").all("a")]
    assert all("namespace=vision" in link and "at=1" in link for link in links)
    assert browser.get("/", namespace="No Such!").status == 400
    assert browser.get("/", at="tomorrow or so").status == 400


def test_a_page_beyond_the_last_and_archived_ones_alone_are_told(registry: Registry, browser: Browser) -> None:
    registry.create_model("only")
    assert "There is no page 99: 1 model in all" in browser.get("/", page=99).main.text
    registry.get_model("only").archive()
    page = browser.get("/").main
    assert "archived" in page.one(class_="empty").text
    assert names(browser.get(page.one(class_="empty").one("a").attributes["href"]).main) == ["only archived"]


def test_who_may_only_read_is_offered_no_edits(registry: Registry) -> None:
    import localreg

    rich(registry)
    registry.grant("ana", "owner")
    registry.grant("bob", "reader")
    path = model_page(registry, "meadow")
    assert Browser(registry).get(path).main.all("form", method="post")
    assert not Browser(localreg.open(registry.uri, actor="bob")).get(path).main.all("form", method="post")


def test_only_what_one_did_oneself_is_told_as_done(registry: Registry, other: Registry, browser: Browser) -> None:
    registry.create_model("mine")
    other.create_model("theirs")
    assert browser.get("/", done=registry.commit - 1).page.all(class_="done")
    for odd in (registry.commit, 999_999, 0, "x", "9" * 40):
        assert not browser.get("/", done=odd).page.all(class_="done")
    links = [each.attributes.get("href", "") for each in browser.get("/", done=registry.commit - 1).page.all("a")]
    assert not [link for link in links if "done" in link]


def test_paths_into_metadata_are_read_back() -> None:
    for key in ("lr", "a.b", "it's", "x']['y", "\u00e9", "", "9"):
        assert keys_of(path_to("metadata", key)) == ["metadata", key]
    assert keys_of("metadata.optim.lr") == ["metadata", "optim", "lr"]
    assert keys_of("lower(name)") == ["lower(name)"]


def test_many_models_stand_on_pages(registry: Registry, browser: Browser) -> None:
    with registry.transaction():
        for number in range(120):
            registry.create_model(f"m{number:03}")
    first = browser.get("/").main
    assert len(names(first)) == 50
    last = browser.get(
        browser.get(first.one("a", rel="next").attributes["href"]).main.one("a", rel="next").attributes["href"]
    ).main
    assert names(last) == [f"m{number:03}" for number in range(100, 120)]
    assert not last.all("a", rel="next")


@pytest.mark.parametrize(
    "query", [{"where": "no_column = 1"}, {"is": "owner"}, {"is": "owner=ana"}, {"sort": "nothing"}, {"page": "x"}]
)
def test_what_cannot_be_asked_is_told_in_our_words(registry: Registry, browser: Browser, query: dict[str, str]) -> None:
    registry.create_model("m")
    answer = browser.get("/?" + urlencode(query))
    assert answer.status == 400
    assert answer.main.one(id="error").text


def test_all_namespaces_stand_in_one_table(registry: Registry, browser: Browser) -> None:
    registry.create_model("here")
    registry.namespace("vision").create_model("there")
    page = browser.get("/", namespace="*").main
    assert names(page) == ["here default", "there vision"]
    link = page.one("tbody").all("a")[1].attributes["href"]
    assert browser.get(link).main.one("h1").text.startswith("there")


# --- one model --------------------------------------------------------------------------------------------------------


def rich(registry: Registry) -> None:
    model = registry.create_model("meadow", metadata={"zoo": 1, "framework": "jax", "weights": "https://host/w.pt"})
    model.create_version("1")
    model.create_version("2", metadata={"zoo": 2})
    model.set_alias("production", "1")


def test_well_known_keys_stand_first_and_addresses_are_links(registry: Registry, browser: Browser) -> None:
    rich(registry)
    page = browser.get(model_page(registry, "meadow")).main
    table = page.one("table", class_="metadata")
    assert [each.text for each in table.one("tbody").all("th")] == ["framework", "weights", "zoo"]
    assert table.one("a").attributes["href"] == "https://host/w.pt"


@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "JAVASCRIPT://x/%0aalert(1)", "data:text/html,x", "file:///etc/passwd", "//evil.example"],
)
def test_no_other_address_is_a_link(registry: Registry, browser: Browser, uri: str) -> None:
    registry.create_model("m", metadata={"weights": uri})
    page = browser.get(model_page(registry, "m")).main
    assert not page.one("table", class_="metadata").all("a")
    assert uri in page.one("table", class_="metadata").text


def edit(browser: Browser, path: str, verb: str, **fields: str) -> Any:
    return browser.post(path, {"verb": verb, **fields})


def test_each_edit_is_a_commit_that_can_be_undone(registry: Registry, browser: Browser) -> None:
    rich(registry)
    path = model_page(registry, "meadow")
    edits: list[tuple[str, dict[str, str], Callable[[], bool]]] = [
        ("rename", {"name": "field"}, lambda: registry.find_model("field") is not None),
        ("set", {"key": "zoo", "value": "[1, 2]"}, lambda: registry.get_model("meadow").metadata["zoo"] == [1, 2]),
        ("unset", {"key": "zoo"}, lambda: "zoo" not in registry.get_model("meadow").metadata),
        ("tags", {"tags": "a\nb\n"}, lambda: registry.get_model("meadow").tags == ["a", "b"]),
        (
            "describe",
            {"description": "d", "owner": "ben", "task": ""},
            lambda: registry.get_model("meadow").owner == "ben",
        ),
        (
            "set_alias",
            {"alias": "production", "version": "2"},
            lambda: registry.get_version("meadow@production").version == "2",
        ),
        ("remove_alias", {"alias": "production"}, lambda: not registry.get_model("meadow").aliases()),
        ("archive", {}, lambda: registry.get_model("meadow").archived),
    ]
    for verb, fields, holds in edits:
        before = registry.get_model("meadow").info
        answer = edit(browser, path, verb, **fields)
        assert answer.status == 200, answer.text
        assert holds(), verb
        event = registry.audit().dicts()[-1]
        assert event["actor"] == "ana"
        form = answer.page.one(class_="done").one("form")
        assert browser.submit(form).status == 200
        assert not holds(), verb
        after = registry.get_model("meadow").info
        assert after.model_copy(update={"former_names": before.former_names}) == before


def test_a_refused_edit_changes_nothing_and_says_why(registry: Registry, browser: Browser) -> None:
    rich(registry)
    registry.create_model("taken")
    path, commit = model_page(registry, "meadow"), registry.commit
    for verb, fields, told in [
        ("rename", {"name": "taken"}, "exists already"),
        ("rename", {"name": " "}, "blank"),
        ("set", {"key": " ", "value": "1"}, "blank"),
        ("set", {"key": "k", "value": "{not json"}, "no JSON"),
        ("set_alias", {"alias": "production", "version": "9"}, "9"),
        ("tags", {"tags": "x" * 500}, "tag"),
        ("destroy", {}, "verb"),
    ]:
        answer = edit(browser, path, verb, **fields)
        assert answer.status in (400, 404, 409)
        assert told in answer.main.one(id="error").text
    assert registry.commit == commit


def test_what_is_typed_keeps_its_type() -> None:
    for value in ["text", "5", "true", "", "null", "a\nb", '"quoted"', 5, 0.1, None, True, [1, "a"], {"a": {"b": 1}}]:
        typed = fields_of(value)
        assert written_value(typed) == value
        assert typed_value(Form([("value", typed)])) == value
    assert typed_value(Form([("value", "[draft] 5"), ("as", "text")])) == "[draft] 5"
    assert typed_value(Form([("value", "5"), ("as", "text")])) == "5"


def test_the_past_is_looked_at_and_not_edited(registry: Registry, browser: Browser) -> None:
    rich(registry)
    path, commit = model_page(registry, "meadow"), registry.commit
    registry.get_model("meadow").rename("field")
    page = browser.get(path, at=str(commit))
    assert page.main.one("h1").text == "meadow"
    assert not page.main.all("form", method="post")
    assert "As it was at" in page.page.one(class_="past").text
    assert browser.post(f"{path}?at={commit}", {"verb": "rename", "name": "x"}).status == 403
    assert registry.find_model("field") is not None


def test_a_read_only_registry_offers_no_edits(registry: Registry) -> None:
    import localreg

    rich(registry)
    browser = Browser(localreg.open(registry.uri, read_only=True))
    path = model_page(registry, "meadow")
    assert not browser.get(path).page.all("form", method="post")
    assert browser.post(path, {"verb": "archive"}).status == 403


@pytest.mark.parametrize("tab", ["overview", "versions", "runs", "lineage", "history"])
def test_hostile_names_are_text_on_every_tab(registry: Registry, browser: Browser, tab: str) -> None:
    evil = EVIL.replace("\u202e", "")  # no name holds that, but values may
    model = registry.create_model(
        evil, metadata={EVIL: EVIL, "notes": {EVIL: [EVIL]}}, tags={evil[:60]}, owner=EVIL, description=EVIL
    )
    model.create_version(evil[:100], description=EVIL).add_dataset("s3://bucket/x", role="train", name="data")
    model.set_alias("a", evil[:100])
    for path in ("/", f"/models/{model.id}?tab={tab}", f"/versions/{model.versions()[0].id}?tab={tab}"):
        page = browser.get(path).page
        assert "alert(1)" in page.text
        assert not page.all("img")
        assert [each.text for each in page.all("script")] == [""]
        assert not [name for each in page.walk() for name in each.attributes if name.startswith("on")]
        assert "94011" not in page.text


def test_a_version_shows_its_own_metadata_and_the_models(registry: Registry, browser: Browser) -> None:
    rich(registry)
    version = registry.get_version("meadow@2")
    page = browser.get(f"/versions/{version.id}").main
    rows = {
        row.all("th")[0].text: row.one("td").text for row in page.one("table", class_="metadata").one("tbody").all("tr")
    }
    assert rows["zoo"].startswith("2")
    assert "of the model" in rows["framework"]
    edited = edit(browser, f"/versions/{version.id}", "set", key="framework", value="torch")
    assert edited.status == 200
    assert registry.get_version("meadow@2").metadata["framework"] == "torch"
    assert registry.get_model("meadow").metadata["framework"] == "jax"


def test_what_is_not_there_is_told(registry: Registry, browser: Browser) -> None:
    registry.create_model("m")
    for path in ("/models/" + "0" * 32, "/models/x", "/versions/" + "0" * 32, "/nowhere", "/models/x/y"):
        answer = browser.get(path)
        assert answer.status in (400, 404)
        assert answer.main.one(id="error").text


def test_lineage_is_drawn_with_links(registry: Registry, browser: Browser) -> None:
    rich(registry)
    registry.get_version("meadow@1").add_dataset("s3://b/train", role="train", name="train")
    page = browser.get(f"/models/{registry.get_model('meadow').id}", tab="lineage").main
    drawing = page.one("svg", class_="lineage")
    assert {each.text for each in drawing.all("title")} == {"dataset train", "model version meadow@1"}
    link = next(each for each in drawing.all("a"))
    assert browser.get(link.attributes["href"]).status == 200
    assert "train" in page.one("table").text
