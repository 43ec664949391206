"""The timeline of commits, single events, the difference of two moments, looks into the past, and verification."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import localreg
from localreg import Registry
from localreg.ui.pages import audit
from localreg.ui.pages.undo import PLACES
from tests.pages import Answer, Browser, Node
from tests.signing import LogFolder, signed_registry

HOSTILE = '<script>alert("x")</script> \'"& rtl'


@pytest.fixture
def browser(registry: Registry) -> Browser:
    return Browser(registry)


def commits(page: Node) -> list[int]:
    """Numbers of the commits that are shown, in order."""
    return [int(each.text) for each in page.all("a", class_="number")]


def told(page: Node) -> list[str]:
    """What each event is told as."""
    return [each.one("summary").text for each in page.all("details", class_="event")]


def older_of(page: Node) -> str:
    """The address of the page behind."""
    return next(each.attributes["href"] for each in page.all("a") if each.text.startswith("Older"))


def link(page: Node, text: str) -> str:
    return next(each.attributes["href"] for each in page.all("a") if each.text == text)


# --- the timeline -----------------------------------------------------------------------------------------------------


def test_commits_are_told_newest_first_in_words(browser: Browser, registry: Registry) -> None:
    model = registry.create_model("meadow", metadata={"lr": 0.1})
    model.update(metadata={"lr": 0.2}, tags={"detector"})
    with registry.transaction("two at once"):
        model.create_version("1")
        model.set_alias("production", "1")
    page = browser.get("/audit").main
    assert commits(page) == [3, 2, 1]
    assert told(page) == [
        "create version 'meadow@1'",
        "set alias alias 'meadow@production' +version 1",
        "update model 'meadow' metadata.lr 0.1 → 0.2, tags +detector",
        f"create registry '{registry.id}'",
        "create namespace 'default'",
        "create model 'meadow'",
    ]
    assert page.all(class_="message")[0].text == "two at once"
    assert "ana" in page.one("li", id="commit-3").one("b").text


def test_the_timeline_is_filtered(browser: Browser, registry: Registry, other: Registry) -> None:
    registry.create_model("meadow")
    other.create_model("brook")
    registry.get_model("meadow").update(metadata={"a": 1})
    registry.get_model("meadow").archive()
    assert commits(browser.get("/audit", q="BROOK").main) == [2]
    assert commits(browser.get("/audit", **{"is": 'actor="ben"'}).main) == [2]
    assert commits(browser.get("/audit", **{"is": ['actor="ana"', 'action="update"']}).main) == [3]
    assert commits(browser.get("/audit", name="meadow").main) == [4, 3, 1]
    assert commits(browser.get("/audit", where="after.metadata.a = 1").main) == [4, 3]
    assert commits(browser.get("/audit", since=1, until=3).main) == [3, 2]
    time = registry.audit("commit = 3")[0]["time"].isoformat()
    assert commits(browser.get("/audit", since=time).main) == [4, 3]
    assert commits(browser.get("/audit", until=time).main) == [3, 2, 1]
    none = browser.get("/audit", q="nowhere").main
    assert "No event fits." in none.text


def test_facets_count_all_events_that_fit(browser: Browser, registry: Registry) -> None:
    for number in range(3):
        registry.create_model(f"m{number}")
    page = browser.get("/audit").main
    assert "5 events" in page.text
    facets = {each.one("h2").text: [one.text for one in each.all("a")] for each in page.all(class_="facet")}
    assert facets == {"actor": ["ana5"], "kind": ["model3", "namespace1", "registry1"], "action": ["create5"]}
    chosen = next(each for each in page.all("a") if each.text == "model3")
    assert commits(browser.get(chosen.attributes["href"]).main) == [3, 2, 1]


def test_the_banner_of_an_edit_leads_to_its_commit(browser: Browser, registry: Registry) -> None:
    model = registry.create_model("meadow")
    done = browser.post(f"/models/{model.id}", {"verb": "tags", "tags": "new"})
    page = browser.get(link(done.page.one(class_="done"), "2")).main
    assert commits(page) == [2]


def test_pages_lose_and_repeat_no_commit(browser: Browser, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SIZE", 7)
    for number in range(6):
        with registry.transaction():
            for letter in "abc":
                registry.create_model(f"{letter}{number}")
    seen: list[int] = []
    answer = browser.get("/audit")
    while True:
        seen += commits(answer.main)
        older = [each for each in answer.main.all("a") if each.text.startswith("Older")]
        if not older:
            break
        answer = browser.get(older[0].attributes["href"])
    assert seen == [6, 5, 4, 3, 2, 1]


def test_a_commit_that_is_too_long_is_cut_and_says_so(
    browser: Browser, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SIZE", 4)
    with registry.transaction("many"):
        for number in range(9):
            registry.create_model(f"m{number}")
    registry.create_model("last")
    first = browser.get("/audit")
    assert commits(first.main) == [2]
    second = browser.get(older_of(first.main))
    assert told(second.main) == [f"create model 'm{number}'" for number in range(5, 9)]
    assert "These are its last 4 events" in second.main.text
    everything = browser.get(link(second.main, "all of them")).main
    assert len(everything.one("tbody").all("tr")) == 11
    assert not [each for each in second.main.all("a") if each.text.startswith("Older") and not commits(second.main)]


def test_all_namespaces_are_told_together(
    browser: Browser, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SIZE", 3)
    for number in range(4):
        registry.create_model(f"m{number}")
        registry.namespace("vision").create_model(f"v{number}")
    seen: list[str] = []
    answer = browser.get("/audit", namespace="*")
    while True:
        seen += [each for each in told(answer.main) if " model " in each]
        older = [each for each in answer.main.all("a") if each.text.startswith("Older")]
        if not older:
            break
        answer = browser.get(older[0].attributes["href"])
    assert seen == [f"create model '{letter}{number}'" for number in (3, 2, 1, 0) for letter in "vm"]


def test_the_timeline_as_of_a_commit_ends_there(browser: Browser, registry: Registry) -> None:
    for number in range(3):
        registry.create_model(f"m{number}")
    page = browser.get("/audit", at=2)
    assert commits(page.main) == [2, 1]
    assert not page.main.all("form", method="post")


def test_an_odd_bound_is_refused(browser: Browser) -> None:
    answer = browser.get("/audit", since="yesterday")
    assert answer.status == 400
    assert "since is 'yesterday'" in answer.main.text


# --- one event --------------------------------------------------------------------------------------------------------


def marks(page: Node) -> list[list[str]]:
    """The lines that are marked, before and after."""
    return [
        [line.text for line in side.all("span") if line.attributes.get("class") in ("added", "removed", "changed")]
        for side in page.all("pre", class_="marked")
    ]


def test_an_event_shows_the_record_before_and_after_with_marks(browser: Browser, registry: Registry) -> None:
    model = registry.create_model("meadow", metadata={"lr": 0.1, "optim": {"a": 1, "b": 2}, "old": True})
    model.update(metadata={"lr": 0.2, "optim": {"a": 1, "b": 3}, "new": [1]}, unset=["old"])
    page = browser.get("/audit/2/1").main
    assert marks(page) == [
        ['~changed: "lr": 0.1', '\N{MINUS SIGN}removed: "old": true', '~changed: "b": 2'],
        ['~changed: "lr": 0.2', '+added: "new": [1]', '~changed: "b": 3'],
    ]
    assert browser.get(link(page, "model 'meadow'")).main.one("h1").text.startswith("meadow")
    then = browser.get(link(page, "as it was at this commit"))
    assert "As it was at 2" in then.page.text
    part = browser.get("/audit/2/1", part=1).page
    assert not part.all("main")
    assert marks(part) == marks(page)


def test_what_was_deleted_is_shown_as_it_was_before(browser: Browser, registry: Registry) -> None:
    registry.create_model("meadow", description="green").delete()
    page = browser.get("/audit/2/1").main
    assert "it is not there any more" in page.text
    assert "green" in browser.get(link(page, "as it was before")).main.text


def test_a_redacted_event_says_so_and_shows_nothing(browser: Browser, registry: Registry) -> None:
    model = registry.create_model("meadow", metadata={"key": "s3cr3t"})
    model.update(unset=["key"])
    registry.redact(commit=1, reason="a key")
    timeline = browser.get("/audit")
    assert "redacted" in timeline.main.text
    assert "s3cr3t" not in timeline.text
    page = browser.get("/audit/1/3")
    assert "gone for good" in page.main.text
    assert "s3cr3t" not in page.text
    assert not page.main.all("form", method="post")


@pytest.mark.parametrize("place", ["9/1", "1/9", "x/1", f"1/{'9' * 30}"])
def test_an_event_that_is_not_there_is_told(browser: Browser, registry: Registry, place: str) -> None:
    registry.create_model("meadow")
    assert browser.get(f"/audit/{place}").status == 404


def test_commits_and_events_are_taken_back(browser: Browser, registry: Registry) -> None:
    with registry.transaction():
        registry.create_model("meadow")
        registry.create_model("brook")
    form = next(
        each for each in browser.get("/audit/1/4").main.all("form") if each.attributes["action"].startswith("/undo")
    )
    done = browser.submit(form)
    assert [row["name"] for row in registry.models()] == ["meadow"]
    assert "commit 2" in done.page.one(class_="done").text
    last = browser.get("/audit", since=1).main
    browser.submit(next(each for each in last.all("form") if each.attributes.get("action", "").startswith("/undo")))
    assert [row["name"] for row in registry.models()] == ["meadow", "brook"]


def test_a_commit_is_not_offered_to_be_undone_beside_what_is_for_good(browser: Browser, registry: Registry) -> None:
    with registry.transaction():
        model = registry.create_model("meadow", metadata={"key": "s3cr3t"})
        registry.create_model("brook")
    model.update(unset=["key"])
    registry.redact(model, reason="a key")
    timeline = browser.get("/audit").main
    assert not [each for each in timeline.all("form", action="/undo") if each.fields()["commit"] in ("1", "3")]
    assert browser.post("/undo", {"commit": "1"}).status == 400
    history = browser.get(f"/models/{model.id}", tab="history").main
    rows = [each for each in history.one("tbody").all("tr") if "redact" in each.text]
    assert rows
    assert not [form for row in rows for form in row.all("form")]


def test_undo_goes_back_to_the_page_as_it_was_asked_for(browser: Browser, registry: Registry) -> None:
    model = registry.create_model("meadow", metadata={"lr": 0.1})
    model.update(metadata={"lr": 0.2})
    timeline = browser.get("/audit", **{"is": 'kind="model"', "q": "meadow"}).main
    done = browser.submit(timeline.all("form", action="/undo")[0])
    asked = parse_qs(urlsplit(done.address).query)
    assert asked == {"is": ['kind="model"'], "q": ["meadow"], "done": ["3"]}
    history = browser.get(f"/models/{model.id}", tab="history").main
    again = browser.submit(history.all("form", action="/undo")[0])
    assert urlsplit(again.address).path == f"/models/{model.id}"
    assert parse_qs(urlsplit(again.address).query) == {"tab": ["history"], "done": ["4"]}


def test_undo_of_a_creation_goes_to_the_listing(browser: Browser, registry: Registry) -> None:
    for number, (place, listing) in enumerate(PLACES.items(), 1):
        registry.create_model(f"meadow {place}")
        done = browser.post("/undo", {"commit": str(2 * number - 1), "back": f"/{place}/{'0' * 32}?tab=history"})
        assert (done.status, done.address) == (200, f"{listing[1]}?done={2 * number}")


@pytest.mark.parametrize("back", ["//evil.test/x", "/\\evil.test", "https://evil.test", "/\t/evil.test/x", "evil", ""])
def test_undo_goes_to_no_other_site(browser: Browser, registry: Registry, back: str) -> None:
    registry.create_model("meadow")
    answer = browser.post("/undo", {"commit": "1", "back": back}, follow=False)
    assert (answer.status, answer.headers["location"]) == (303, "/?done=2")


# --- two moments ------------------------------------------------------------------------------------------------------


def test_two_moments_are_compared(browser: Browser, registry: Registry) -> None:
    model = registry.create_model("meadow", metadata={"lr": 0.1})
    gone = registry.create_model("gone")
    model.update(metadata={"lr": 0.2})
    gone.delete()
    registry.create_model("new")
    page = browser.get("/audit/diff", a=2).main
    assert "1 created, 1 changed, 1 deleted" in page.text
    assert [each.text for each in page.all("h2")] == ["Created", "Changed", "Deleted"]
    assert page.one("table").one("tbody").text == "~changed metadata.lr0.10.2"
    back = browser.get(link(page, "the other way round")).main
    assert back.one("table").one("tbody").text == "~changed metadata.lr0.20.1"
    assert "Nothing is different." in browser.get("/audit/diff", a=5, b=5).main.text
    refused = browser.get("/audit/diff", a=77)
    assert (refused.status, "77" in refused.main.text) == (400, True)


# --- the header -------------------------------------------------------------------------------------------------------


def test_any_page_can_be_looked_at_as_it_was(browser: Browser, registry: Registry) -> None:
    registry.create_model("meadow")
    registry.create_model("brook")
    form = browser.get("/", q="o", done=2).page.one("details", class_="moment").one("form")
    assert form.fields() == {"q": "o", "at": ""}
    then = browser.submit(form, at="1")
    assert "meadow" in then.main.text
    assert "brook" not in then.main.text
    options = browser.get(form.one("datalist").attributes["data-open"]).page.all("option")
    assert [each.attributes["value"] for each in options] == ["2", "1"]


def wait() -> None:
    """Until what verifies has ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("verify "):
            thread.join()


def state(answer: Answer) -> str:
    return answer.page.one("a", id="verified").text


def test_verification_is_told_on_all_pages(browser: Browser, registry: Registry) -> None:
    registry.create_model("meadow")
    assert "not verified since the start" in state(browser.get("/"))
    form = browser.get("/verify").main.one("form", method="post")
    browser.submit(form)
    wait()
    assert state(browser.get("/")) == "✓ verified at commit 1"
    registry.create_model("brook")
    page = browser.get("/verify").main
    assert "All digests hold." in page.text
    assert "1 commit came since then" in page.text
    assert "not verified since the start" in state(browser.get("/", namespace="vision"))


def test_void_entries_are_told_where_digests_are_and_left_out_where_commits_are(tmp_path: Path) -> None:
    with signed_registry(tmp_path) as registry:
        log = LogFolder(registry)
        void = log.last + 1
        log.write(void, log.forged("eve", after=log.last, number=void))
        registry.create_model("n")
        browser = Browser(registry)
        browser.post("/verify", {})
        wait()
        page = browser.get("/verify").main
        assert "All digests hold." in page.text
        assert f"log/{void:020d}.parquet is void" in page.text
        assert commits(browser.get("/audit").main) == [each for each in range(registry.commit, 0, -1) if each != void]
        shown = registry.sql("SELECT DISTINCT commit FROM audit_events ORDER BY commit").dicts()
        assert [row["commit"] for row in shown] == [each for each in range(1, registry.commit + 1) if each != void]
        registry.snapshot()  # then they come from history segments
        again = localreg.open(registry.uri).sql("SELECT DISTINCT commit FROM audit_events ORDER BY commit").dicts()
        assert again == shown


def test_the_page_of_an_import_shows_its_history_and_that_it_holds(registry: Registry, tmp_path: Path) -> None:
    registry.create_model("meadow")
    registry.copy(localreg.open(tmp_path / "other"), name="copied")
    with localreg.open(tmp_path / "other", namespace="copied") as copied:
        browser = Browser(copied)
        browser.post("/verify", {})
        wait()
        assert "All digests hold." in browser.get("/verify").main.text
        assert commits(browser.get("/audit").main) == [3, 2, 1]
        assert [row["action"] for row in copied.sql("SELECT action FROM audit_events ORDER BY commit").dicts()][
            -1:
        ] == ["import"]


def test_damage_is_told_with_its_file(browser: Browser, registry: Registry) -> None:
    registry.create_model("meadow")
    registry.create_model("brook")
    entry = Path(registry.uri) / "namespaces/default/log/00000000000000000001.parquet"
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    browser.post("/verify", {})
    wait()
    answer = browser.get("/verify")
    assert re.search(r"✕ \d+ problems?", state(answer))
    assert "log/00000000000000000001.parquet" in answer.main.one("tbody").text


def test_a_verification_that_runs_is_told_and_not_started_twice(
    browser: Browser, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.create_model("meadow")
    go, calls = threading.Event(), []

    def verify(self: Registry) -> object:
        calls.append(self.namespace_name)
        go.wait(60)
        return original(self)

    original = Registry.verify
    monkeypatch.setattr(Registry, "verify", verify)
    try:
        for _ in range(2):
            running = browser.post("/verify", {})
            assert "verifying" in state(running)
            assert running.main.one(**{"data-refresh": "1000"})
            assert not running.main.all("form", method="post")
    finally:
        go.set()
    wait()
    assert calls == ["default"]
    assert "verified at commit 1" in state(browser.get("/"))


def test_a_verification_that_fails_says_why(
    browser: Browser, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.create_model("meadow")

    def verify(self: Registry) -> object:
        raise RuntimeError(f"odd {HOSTILE}")

    monkeypatch.setattr(Registry, "verify", verify)
    browser.post("/verify", {})
    wait()
    answer = browser.get("/verify")
    assert f"RuntimeError: odd {HOSTILE}" in answer.main.text
    assert state(answer) == "✕ not verified"


def test_namespaces_are_verified_one_by_one(browser: Browser, registry: Registry) -> None:
    registry.create_model("meadow")
    assert browser.get("/verify", namespace="*").status == 400
    assert browser.post("/verify?namespace=*", {}).status == 400


def test_hostile_names_stay_names(browser: Browser, registry: Registry) -> None:
    model = registry.create_model(HOSTILE, metadata={HOSTILE: HOSTILE})
    with registry.transaction(HOSTILE):
        model.update(metadata={HOSTILE: 1}, description=HOSTILE)
    for path in ("/audit", "/audit/2/1", "/audit/diff?a=1", "/audit/moments"):
        answer = browser.get(path)
        assert answer.status == 200
        assert "alert" in answer.page.text
        assert not [each for each in answer.page.all("script") if not each.attributes["src"].startswith("/static/")]
