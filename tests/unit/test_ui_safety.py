"""Who may come in to the page, what may be changed from where, and what a browser may do with what it gets."""

from __future__ import annotations

import pytest

from localreg import Registry
from localreg.ui.pages import PAGES, page_of
from localreg.ui.safety import Guard, Keys
from tests.pages import HOST, Browser


@pytest.fixture
def browser(registry: Registry) -> Browser:
    registry.create_model("meadow")
    return Browser(registry)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_lead_here_and_not_load_from_here(browser: Browser, site: str) -> None:
    for kind in ("image", "script", "iframe", "empty"):
        mode = "navigate" if kind == "iframe" else "no-cors"
        headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": kind}
        assert browser.ask("/", headers=headers).status == 403
    link = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert browser.ask("/", headers=link).status == 200


def test_what_fails_is_sealed_and_told_without_a_traceback(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(registry)
    monkeypatch.setattr("localreg.ui.pages.models.listing", lambda _: 1 / 0)
    answer = browser.failing("/")
    assert answer.status == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "please report it" in answer.text
    assert "division" not in answer.text


@pytest.mark.parametrize("host", ["evil.example:8642", "127.0.0.1:80", "127.0.0.1", "", "127.0.0.1:8642.evil.example"])
def test_another_name_gets_nothing(browser: Browser, host: str) -> None:
    answer = browser.ask("/", headers={"host": host})
    assert answer.status == 421
    assert "meadow" not in answer.text


def test_every_answer_forbids_scripts_of_others(browser: Browser) -> None:
    for path in ("/", "/nowhere", "/static/x/page.css", "/favicon.ico"):
        policy = browser.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        # Of forms on a page without referrer, browsers say that they come from nowhere; these would be refused.
        assert browser.get(path).headers["referrer-policy"] == "same-origin"


def test_pages_load_nothing_from_elsewhere_and_have_no_script_of_their_own(browser: Browser) -> None:
    page = browser.get("/").page
    assert [each.text for each in page.all("script")] == [""]
    assert not page.all("style")
    for each in page.walk():
        assert not any(name.startswith("on") or name == "style" for name in each.attributes)
        assert not each.attributes.get("src", "/").startswith(("http", "//"))


def test_a_token_lets_in_once_and_then_a_cookie_does(registry: Registry) -> None:
    browser = Browser(registry, keys=Keys("let me in"), hosts=None)
    assert browser.ask("/", headers={"host": "anything"}).status == 403
    assert browser.get("/", token="let me out").status == 403
    entered = browser.ask("/?token=let+me+in&q=x+y", follow=False)
    assert (entered.status, entered.headers["location"]) == (303, "/?q=x+y")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "let me in" not in cookie
    held = cookie.split(";")[0]
    assert browser.ask("/", headers={"cookie": held}).status == 200
    for other in ('a={"x":1}', "a b=1", "foo@=1", "a[0]=1", "=", ";;"):  # of other programs on this machine
        assert browser.ask("/", headers={"cookie": f"{other}; {held}"}).status == 200
        assert browser.ask("/", headers={"cookie": other}).status == 403
    assert browser.ask("/", headers={"cookie": "localreg-8642=guess"}).status == 403


def test_the_way_in_leads_nowhere_else(registry: Registry) -> None:
    browser = Browser(registry, keys=Keys("let me in"), hosts=None)
    entered = browser.ask("//evil.example/x?token=let+me+in", follow=False)
    assert entered.headers["location"] == "/evil.example/x"


def test_any_name_without_a_token_is_no_server() -> None:
    with pytest.raises(ValueError, match="needs a token"):
        Guard(lambda *_: None, keys=Keys(), hosts=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://["},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_changes_nothing(browser: Browser, headers: dict[str, str]) -> None:
    answer = browser.post("/undo", {"commit": "1"}, headers=headers)
    assert answer.status == 403
    assert "another site" in answer.text


def test_a_form_that_no_page_made_changes_nothing(browser: Browser) -> None:
    answer = browser.post("/", {}, token="guess")
    assert answer.status == 405
    assert browser.post("/undo", {"commit": "1"}, token="guess").status == 403
    assert browser.post("/undo", {"commit": "1"}, token="").status == 403


def test_a_form_that_is_too_large_is_refused(browser: Browser) -> None:
    assert browser.post("/undo", {"commit": "1", "more": "x" * (5 * 2**20)}).status == 413


def test_the_usual_name_is_served(browser: Browser) -> None:
    assert browser.ask("/", headers={"host": HOST.upper()}).status == 200


def test_every_page_that_is_named_is_there() -> None:
    for name in (*PAGES.looks.values(), *PAGES.changes.values()):
        assert callable(page_of(name))
