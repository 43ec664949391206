"""The page that compares: what can be chosen, what is told, what is loaded later, what is kept."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest

from localreg import Registry
from localreg.comparing import Comparing
from tests.pages import Answer, Browser
from tests.reports import compared, segmented

EVIL = "\"><script>alert(1)</script>'&amp; \u05d0"
TRUTH = ["cat", "dog", "cow"] * 20
WRONG = {"cat": "dog", "dog": "cow", "cow": "cat"}
OLD = [WRONG[label] if n < 12 or n >= 55 else label for n, label in enumerate(TRUTH)]
NEW = [WRONG[label] if 20 <= n < 23 or n >= 55 else label for n, label in enumerate(TRUTH)]
BOTH: dict[str, Any] = {"model": ["old", "new"], "suite": "shots"}


def shots(registry: Registry, *answers: list[str], **given: Any) -> Browser:
    """Old and new on 60 shots in two test cases: 12 fixed, 3 broken, 5 wrong under both."""
    compared(registry, TRUTH, OLD, *(answers or [NEW]), cases=["day", "night"], weather=["fog", "sun"], **given)
    return Browser(registry)


@pytest.fixture
def browser(registry: Registry) -> Browser:
    return shots(registry)


def links(answer: Answer, text: str) -> list[str]:
    return [each.attributes["href"] for each in answer.page.all("a") if each.text == text]


def part(browser: Browser, name: str, **asked: Any) -> str:
    answer = browser.get("/compare/part", **{**BOTH, **asked}, part=name)
    assert answer.status == 200
    return answer.text


# --- what can be compared ---------------------------------------------------------------------------------------------


def test_nothing_to_compare_says_what_to_do(registry: Registry) -> None:
    empty = Browser(registry).get("/compare").main.one(class_="empty")
    assert "There is no test suite yet" in empty.text
    assert "--suite" in empty.one("pre").text


def test_what_can_be_compared_is_told_by_test_suite(browser: Browser) -> None:
    form = browser.get("/compare").main.one("form", class_="suite")
    assert [each.attributes["value"] for each in form.all("input", name="model")] == ["old@1", "new@1"]
    answer = browser.submit(form, model=["old@1", "new@1"])
    assert answer.main.one(class_="verdict-box").text.startswith("▲new@1 is better than old@1: accuracy 0.867")


def test_the_only_test_suite_is_chosen_by_itself(browser: Browser) -> None:
    answer = browser.get("/compare", model=["old", "new"])
    assert "on shots version 1" in answer.main.text
    assert "suite=shots" in links(answer, "Samples")[0]


def test_one_of_several_test_suites_has_to_be_chosen(registry: Registry) -> None:
    browser = shots(registry)
    compared(registry, TRUTH, OLD, NEW, suite="others")
    answer = browser.get("/compare", model=["old", "new"])
    assert not answer.main.all(class_="verdict-box")
    assert "suite=others" in links(answer, "others")[0]
    chosen = browser.get(links(answer, "shots")[0])
    assert "on shots version 1" in chosen.main.text


def test_models_that_share_nothing_are_told_so(registry: Registry, tmp_path: Path) -> None:
    segmented(registry, tmp_path)
    compared(registry, TRUTH, OLD, NEW, models=["other", "another"])
    browser = Browser(registry)
    answer = browser.get("/compare", model=["old", "other"])
    assert "no workflow in common" in answer.main.one(id="error").text
    registry.create_model("idle").create_version("1")
    answer = browser.get("/compare", model=["old", "idle"])
    assert "'idle@1' has no inferences on test suite 's'" in answer.main.one(id="error").text


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({"model": ["old", "nwe"]}, 404, "no model 'nwe'"),
        ({"suite": "shost"}, 404, "shost"),
        ({"by": "metadata.("}, 400, "metadata.("),
        ({"metrics": "acuracy"}, 400, "did you mean 'accuracy'"),
        ({"confidence": "1.5"}, 400, "confidence is 1.5"),
    ],
)
def test_a_refusal_stands_beside_the_form(browser: Browser, asked: Any, status: int, told: str) -> None:
    answer = browser.get("/compare", **{**BOTH, **asked})
    assert answer.status == status
    assert told in answer.main.one(id="error").text
    form = answer.main.one("form", class_="question")
    assert form.all("input", name="model")[0].attributes["value"] == "old"


@pytest.mark.parametrize("asked", [{"confidence": "x"}, {"bins": "-1"}, {"better": "loss"}, {"bins": "9" * 30}])
def test_what_cannot_be_read_is_refused(browser: Browser, asked: Any) -> None:
    answer = browser.get("/compare", **{**BOTH, **asked})
    assert answer.status == 400
    assert f"{next(iter(asked))} is" in answer.main.one(id="error").text


# --- what is told -----------------------------------------------------------------------------------------------------


def test_the_verdict_comes_first_and_then_metrics_in_test_cases(browser: Browser, registry: Registry) -> None:
    main = browser.get("/compare", **BOTH).main
    found = registry.compare("old", "new", suite="shots")
    assert "12 fixed and 3 broken" in main.one(class_="verdict-box").text
    rows = main.one("table", class_="matrix").one("tbody").all("tr")
    assert [row.one("th").text for row in rows] == ["whole suite", "day", "night"]
    cell = rows[1].all("td")[0]
    row = found.row("accuracy", test_case="day")
    assert cell.text.startswith(f"{row.a:.3f} → {row.b:.3f}+")
    assert cell.text.endswith({"improved": "▲ improved", "inconclusive": "○ inconclusive"}[row.verdict])
    assert row.verdict in cell.attributes["class"]


def test_every_option_is_asked_and_kept_in_all_links(browser: Browser) -> None:
    asked = {
        **BOTH,
        "by": ["sample.weather", "sample.n % 2"],
        "metrics": ["f1_macro", "accuracy"],
        "confidence": "0.9",
        "adjust": "none",
        "strict": "1",
    }
    with mock.patch.object(Comparing, "compare", autospec=True, side_effect=Comparing.compare) as called:
        answer = browser.get("/compare", **asked)
    options = called.call_args.kwargs
    assert options == {
        "suite": "shots",
        "by": ["sample.weather", "sample.n % 2"],
        "metrics": ["f1_macro", "accuracy"],
        "confidence": 0.9,
        "adjust": "none",
        "strict": True,
    }
    assert "90 % interval" in answer.main.text
    assert {"Accuracy by sample.weather"} & {each.text for each in answer.main.all("h2")} == set()
    assert "F1 macro by sample.weather" in [each.text for each in answer.main.all("h2")]
    (samples,) = links(answer, "Samples")
    for each in ("by=sample.n+%25+2", "metrics=f1_macro", "confidence=0.9", "strict=1"):
        assert each in samples
    form = answer.main.all("form", class_="question")[-1]
    assert form.one("input", name="strict").attributes.get("checked") is not None
    assert form.one("select", name="adjust").one("option", selected="").text == "none"


def test_swapping_makes_the_candidate_the_baseline(browser: Browser) -> None:
    answer = browser.get("/compare", **BOTH)
    swapped = browser.get(links(answer, "⇄ swap")[0])
    assert swapped.main.one(class_="verdict-box").text.startswith("▼old@1 is worse than new@1")


def test_of_several_candidates_one_is_looked_at(registry: Registry) -> None:
    browser = shots(registry, NEW, TRUTH)
    answer = browser.get("/compare", model=["old", "new", "newest"], suite="shots")
    assert len(answer.main.all(class_="verdict-box")) == 2
    chosen = browser.get(links(answer, "newest@1")[0])
    table = chosen.main.all("table", class_="bars")[0]
    assert "1.000" in table.one("tbody").all("tr")[0].text
    assert "1.000" not in answer.main.all("table", class_="bars")[0].text
    without = browser.get(links(answer, "\N{MULTIPLICATION SIGN}without new")[0])
    assert len(without.main.all(class_="verdict-box")) == 1
    refused = browser.get("/compare", **BOTH, candidate="nobody@1")
    assert refused.status == 404


def test_metadata_that_differs_stands_side_by_side(registry: Registry) -> None:
    browser = shots(registry)
    registry.get_model("old").update(metadata={"lr": 0.1, "seed": 3, "framework": "torch"})
    registry.get_model("new").update(metadata={"lr": 0.2, "framework": "torch", "note": f"{EVIL}\u202e"})
    answer = browser.get("/compare", **BOTH)
    rows = {row.one("th").text: [each.text for each in row.all("td")] for row in _stated(answer)}
    assert rows == {"lr": ["0.1", "0.2"], "seed": ["3", ""], "note": ["", f"{EVIL}\u202e"]}
    every = browser.get(links(answer, "Also what is the same")[0])
    assert "framework" in [row.one("th").text for row in _stated(every)]


def _stated(answer: Answer) -> list[Any]:
    return answer.main.one("table", class_="stated").one("tbody").all("tr")


def test_warnings_stand_before_the_numbers(registry: Registry) -> None:
    compared(registry, TRUTH[:6], OLD[:6], NEW[:6])
    text = Browser(registry).get("/compare", **BOTH).text
    assert text.index('class="warnings"') < text.index("<table")


# --- what is loaded later ---------------------------------------------------------------------------------------------


def test_plots_come_after_the_page_and_without_scripts_by_a_link(browser: Browser) -> None:
    answer = browser.get("/compare", **BOTH, by="sample.weather")
    assert "<figure" not in answer.text
    assert len(answer.body) < 60_000
    later = [each.attributes["data-load"] for each in answer.main.all("div", class_="later")]
    assert len(later) == 5  # by test case, by weather, classes, confusions, curves
    for address in later:
        loaded = browser.get(address)
        assert loaded.status == 200
        assert loaded.page.all("figure") or loaded.page.all("details")
    whole = browser.get(answer.main.all("div", class_="later")[0].one("a").attributes["href"])
    assert not whole.main.all("div", class_="later")
    assert len(whole.main.all("figure")) >= 4


def test_many_slices_come_later_with_their_table_before_their_plot(browser: Browser) -> None:
    answer = browser.get("/compare", **BOTH, by="sample.n % 15", bins="20")
    name = "slices by sample.n % 15"
    (address,) = [
        each.attributes["data-load"]
        for each in answer.main.all("div", class_="later")
        if "slices" in each.attributes["data-load"]
    ]
    loaded = browser.get(address).page
    assert loaded.one("h2").text == "Accuracy by sample.n % 15"
    assert len(loaded.one("tbody").all("tr")) == 15
    assert "data-load" in loaded.one("div", class_="later").attributes
    assert part(browser, name, by="sample.n % 15", bins="20").count("<tr>") == 16


def test_parts_that_are_not_there_are_empty(browser: Browser) -> None:
    assert part(browser, "by nothing") == part(browser, "slices by nothing") == part(browser, "") == ""


def test_what_was_compared_is_not_compared_again_until_something_is_committed(
    browser: Browser, registry: Registry
) -> None:
    with mock.patch.object(Comparing, "compare", autospec=True, side_effect=Comparing.compare) as called:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: browser.get("/compare", **BOTH), range(4)))
        assert len({answer.body for answer in answers}) == 1
        part(browser, "confusions")
        browser.get("/compare/samples", **BOTH)
        assert called.call_count == 1
        registry.create_model("another")
        browser.get("/compare", **BOTH)
        assert called.call_count == 2
        browser.get("/compare", **BOTH, strict="1")
        assert called.call_count == 3


def test_what_was_refused_is_asked_again(browser: Browser) -> None:
    for _ in range(2):
        assert browser.get("/compare", **BOTH, by="nothing").status == 400


# --- the past, names, what is kept ------------------------------------------------------------------------------------


def test_a_comparison_is_as_it_was_at_a_commit(registry: Registry) -> None:
    browser = shots(registry)
    commit = registry.commit
    compared(registry, TRUTH, OLD, TRUTH, models=["old", "new"], suite="later")
    registry.get_model("new").rename("best")
    answer = browser.get("/compare", **BOTH, at=commit)
    assert "new@1 is better" in answer.main.text
    assert f"as of commit {commit}" in answer.main.text
    assert f"at={commit}" in links(answer, "Samples")[0]
    assert not answer.main.all("form", method="post")
    assert browser.get("/compare", **BOTH, at="0").status == 404


def test_hostile_names_are_text(registry: Registry) -> None:
    compared(registry, TRUTH, OLD, NEW, models=[EVIL, "new"], suite=EVIL, cases=[EVIL, "b"], weather=[EVIL, "x"])
    browser = Browser(registry)
    asked: dict[str, Any] = {"model": [EVIL, "new"], "suite": EVIL, "by": "sample.weather"}
    for path in ("/compare", "/compare/samples", "/compare/sample"):
        page = browser.get(path, **asked)
        assert page.status == 200
        assert [each.text for each in page.page.all("script")] == [""]
        assert EVIL in re.sub(r"\s+", " ", page.main.text)
    assert not browser.get("/compare").main.all("script")
    for name in ("by sample.weather", "confusions", "classes"):
        assert "<script" not in browser.get("/compare/part", **asked, part=name).text


def test_a_comparison_is_saved_looked_at_and_deleted(browser: Browser, registry: Registry) -> None:
    answer = browser.get("/compare", **BOTH, by="sample.weather")
    (form,) = [each for each in answer.main.all("form", method="post") if "/save" in each.attributes["action"]]
    saved = browser.submit(form, name="release 5")
    assert saved.status == 200
    assert saved.main.all("h1")[0].text == "release 5"
    assert "Done: commit" in saved.page.text
    assert "Accuracy by sample.weather" in [each.text for each in saved.main.all("h2")]
    assert registry.comparisons().dicts()[0]["name"] == "release 5"
    again = browser.submit(form, name="release 5")
    assert (again.status, "saved already" in again.text) == (409, True)
    listed = browser.get(links(browser.get("/compare"), "release 5")[0])
    (delete,) = [each for each in listed.main.all("form", method="post") if "/delete" in each.attributes["action"]]
    assert browser.submit(delete).status == 200
    assert not registry.comparisons()


def test_nobody_waits_for_a_comparison_that_is_saved_while_it_is_made(
    browser: Browser, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    within: list[bool] = []
    real = Comparing.compare

    def watched(self: Any, *models: Any, **given: Any) -> Any:
        within.append(self._session.transaction_here() is not None)
        return real(self, *models, **given)

    monkeypatch.setattr(Comparing, "compare", watched)
    assert browser.post(f"/compare/save?{urlencode(BOTH, doseq=True)}", {"name": "then"}).status == 200
    assert within[0] is False
    assert registry.comparisons().dicts()[0]["name"] == "then"


def test_samples_of_a_saved_comparison_are_those_of_then(browser: Browser, registry: Registry) -> None:
    registry.compare("old", "new", suite="shots").save("then")
    registry.get_model("new").delete(force=True)
    answer = browser.get("/compare", comparison="then")
    assert "One of them has been deleted since." in answer.main.text
    gallery = browser.get(links(answer, "Samples")[0])
    assert len(gallery.main.one("ul", class_="gallery").all("li")) == 12
    assert browser.get("/compare", comparison="never").status == 404


def test_nothing_is_saved_of_half_a_question(browser: Browser) -> None:
    assert browser.post("/compare/save?model=old", {"name": "x"}).status == 400


def test_choices_name_versions_and_aliases(browser: Browser, registry: Registry) -> None:
    registry.get_model("new").set_alias("production", "1")
    options = browser.get("/compare/choices").page.all("option")
    assert {each.attributes["value"] for each in options} == {"old@1", "new@1", "new@production"}
