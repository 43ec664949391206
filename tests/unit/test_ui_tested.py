"""The pages of test suites, test cases, workflows and test runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.workflow import (
    Curve,
    CurvePlot,
    EvaluationResults,
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    TestCases,
    define_workflow,
    test,
)
from tests.flow import Animal, Guess, Photo, compare_two_models, guesses
from tests.pages import Browser, Node

HOSTILE = '<script>alert("x")</script> \'"& rtl'


@pytest.fixture
def browser(registry: Registry) -> Browser:
    compare_two_models(registry)
    return Browser(registry)


def of(registry: Registry, table: str, name: str) -> str:
    return str(
        getattr(registry, table)(f"name = '{name}'", **{} if table == "workflows" else {"archived": None})[0]["id"]
    )


def runs(registry: Registry) -> list[str]:
    return [str(row["id"]) for row in registry.test_runs()]


def cells(row: Node) -> list[str]:
    return [each.text for each in row.children if isinstance(each, Node)]


def column(page: Node, number: int) -> list[str]:
    """The texts of a column of the table with rows."""
    return [cells(row)[number] for row in page.one("tbody").all("tr")]


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_page_behind_the_last_says_so(browser: Browser) -> None:
    page = browser.get("/suites", page=99, sort="name").main
    assert "There is no page 99." in page.one(class_="empty").text
    first = browser.get(page.one(class_="empty").one("a").attributes["href"])
    assert first.address == "/suites?sort=name"
    assert first.main.one("tbody").all("tr")


def test_links_of_the_headline_are_searched_anew_with_the_rows(browser: Browser) -> None:
    headline = browser.get("/suites", q="shots").main.one(id="headline")
    assert "data-part" in headline.attributes
    assert headline.one("a").attributes["href"] == "/suites?q=shots&archived=1"
    tabs = browser.get("/suites", q="shots").main.one("nav", class_="tabs")
    assert [each.attributes["href"] for each in tabs.all("a")] == ["/suites", "/cases", "/workflows", "/runs"]


def test_suites_are_listed_with_cases_and_samples(browser: Browser, registry: Registry) -> None:
    page = browser.get("/suites").main
    link = page.one("tbody").one("a")
    assert link.attributes["href"] == f"/suites/{of(registry, 'test_suites', 'animals')}"
    assert [each.text for each in page.one("tbody").all(class_="n")] == ["1", "1", "20"]
    assert "1 test suite" in page.text


def test_archived_suites_are_hidden_until_asked_for(browser: Browser, registry: Registry) -> None:
    registry.get_test_suite("animals").archive()
    assert "animals" not in browser.get("/suites").main.text
    assert "animals" in browser.get("/suites", archived=1).main.text


def test_suites_are_found_by_words_and_tags(browser: Browser, registry: Registry) -> None:
    registry.get_test_suite("animals").update(tag=["nightly"])
    assert "animals" in browser.get("/suites", q="ANIM").main.text
    none = browser.get("/suites", q="plates").main
    assert "No test suite fits." in none.text
    chosen = next(each for each in browser.get("/suites").main.all("a") if each.text == "nightly1")
    assert "animals" in browser.get(chosen.attributes["href"]).main.text


@pytest.mark.parametrize("path", ["/suites", "/cases", "/workflows", "/runs", "/audit", "/sql"])
def test_an_empty_registry_says_the_next_step(registry: Registry, path: str) -> None:
    page = Browser(registry).get(path)
    assert page.status == 200
    assert page.main.one(class_="empty").all("pre") or page.main.one(class_="empty").all("code")


def test_cases_and_workflows_are_listed(browser: Browser, registry: Registry) -> None:
    cases = browser.get("/cases").main
    assert cases.one("tbody").one("a").attributes["href"] == f"/cases/{of(registry, 'test_cases', 'farm')}"
    assert [each.text for each in cases.one("tbody").all(class_="n")] == ["1", "20"]
    assert "Photo(locator)" in browser.get("/workflows").main.text


def test_runs_are_listed_newest_first_with_counts_that_come_later(browser: Browser, registry: Registry) -> None:
    page = browser.get("/runs").main
    assert column(page, 1) == ["new", "old"]
    assert [each.attributes["value"] for each in page.all("input", name="model")] == ["new@1", "old@1"]
    places = [each.attributes["data-load"] for each in page.all("td", class_="counts")]
    assert places == [f"/runs/{id}/counts" for id in reversed(runs(registry))]
    assert "20 ok" in browser.get(places[0]).page.text


def test_runs_are_chosen_by_model(browser: Browser) -> None:
    assert column(browser.get("/runs", **{"is": 'model="old"'}).main, 1) == ["old"]
    assert column(browser.get("/runs", q="old").main, 1) == ["old"]


def test_all_namespaces_are_listed_together(browser: Browser, registry: Registry) -> None:
    compare_two_models(registry.namespace("vision"))
    links = [each.attributes["href"] for each in browser.get("/suites", namespace="*").main.one("tbody").all("a")]
    assert len(links) == 2
    for link in links:
        assert "1 test case, 20 samples" in browser.get(link).main.text
    assert any("namespace=vision" in each for each in links)
    assert len(browser.get("/runs", namespace="*").main.one("tbody").all("tr")) == 4


# --- a suite ----------------------------------------------------------------------------------------------------------


def test_a_suite_tells_what_each_version_changed(browser: Browser, registry: Registry) -> None:
    _, TestCase, TestSuite, _ = define_workflow("Animals", Photo, Animal, Guess)
    with TestCase("farm").edit() as edit:
        edit.add(Photo("99.png"), Animal("owl"))
    with TestSuite("animals").edit() as edit:
        edit.add(TestCase("farm"))
        edit.add(TestCase("zoo", test_samples=[(Photo("98.png"), Animal("lion"))], reset=True))
    page = browser.get(f"/suites/{of(registry, 'test_suites', 'animals')}", tab="versions").main
    assert [[line.text for line in each.all("li")] for each in page.one("tbody").all("tr")] == [
        ["+ zoo, version 1", "farm: version 1 → 2"],
        ["+ farm, version 1"],
    ]
    with TestSuite("animals").edit() as edit:
        edit.remove(TestCase("farm"))
    assert "- farm" in browser.get(f"/suites/{of(registry, 'test_suites', 'animals')}", tab="versions").main.text


def test_a_suite_lists_its_cases_and_runs(browser: Browser, registry: Registry) -> None:
    path = f"/suites/{of(registry, 'test_suites', 'animals')}"
    case = browser.get(path).main.one("tbody").one("a")
    assert case.attributes["href"] == f"/cases/{of(registry, 'test_cases', 'farm')}"
    page = browser.get(path, tab="runs").main
    assert column(page, 1) == ["new", "old"]
    form = next(each for each in page.all("form") if each.attributes.get("id") == "compare")
    assert form.fields() == {"suite": "animals"}


def test_a_suite_is_described_tagged_and_archived(browser: Browser, registry: Registry) -> None:
    path = f"/suites/{of(registry, 'test_suites', 'animals')}"
    before = registry.commit
    done = browser.post(path, {"verb": "describe", "description": "All of them."})
    assert "All of them." in done.main.text
    assert registry.commit == before + 1
    assert f"commit {before + 1}" in done.page.one(class_="done").text
    browser.post(path, {"verb": "tags", "tags": "nightly\n\nslow\n"})
    assert registry.get_test_suite("animals").info.tags == ["nightly", "slow"]
    browser.post(path, {"verb": "tags", "tags": "slow"})
    assert registry.get_test_suite("animals").info.tags == ["slow"]
    browser.post(path, {"verb": "archive"})
    assert registry.get_test_suite("animals").archived
    browser.post(path, {"verb": "restore"})
    assert not registry.get_test_suite("animals").archived


def test_an_edit_that_changes_nothing_makes_no_commit(browser: Browser, registry: Registry) -> None:
    before = registry.commit
    done = browser.post(f"/suites/{of(registry, 'test_suites', 'animals')}", {"verb": "tags", "tags": ""})
    assert registry.commit == before
    assert "Nothing had to be changed" in done.page.one(class_="done").text


def test_an_odd_verb_is_refused(browser: Browser, registry: Registry) -> None:
    answer = browser.post(f"/suites/{of(registry, 'test_suites', 'animals')}", {"verb": "explode"})
    assert answer.status == 400
    assert "verb is 'explode'" in answer.main.text


def test_the_past_of_a_suite_cannot_be_edited(browser: Browser, registry: Registry) -> None:
    path, before = f"/suites/{of(registry, 'test_suites', 'animals')}", registry.commit
    registry.get_test_suite("animals").update(description="later")
    then = browser.get(path, at=before)
    assert "later" not in then.main.text
    assert not then.main.all("form", **{"data-edit": ""})
    assert browser.post(f"{path}?at={before}", {"verb": "archive"}).status == 403


@pytest.mark.parametrize("path", ["/suites/{}", "/cases/{}", "/runs/{}", "/runs/{}/counts"])
@pytest.mark.parametrize(("id", "status"), [("0" * 32, 404), ("nonsense", 400)])
def test_what_is_not_there_is_told(browser: Browser, path: str, id: str, status: int) -> None:
    answer = browser.get(path.format(id))
    assert answer.status == status
    assert id in answer.main.text


# --- a case -----------------------------------------------------------------------------------------------------------


def test_a_case_shows_its_samples_page_by_page(browser: Browser, registry: Registry) -> None:
    _, TestCase, _, _ = define_workflow("Animals", Photo, Animal, Guess)
    TestCase("many", test_samples=[(Photo(f"{each}.jpg"), Animal(f"a{each}")) for each in range(120)], reset=True)
    path = f"/cases/{of(registry, 'test_cases', 'many')}"
    assert column(browser.get(path).main, 1) == [f"{each}.jpg" for each in range(50)]
    last = browser.get(path, page=3).main
    assert column(last, 1) == [f"{each}.jpg" for each in range(100, 120)]
    assert column(last, 2) == [f"a{each}" for each in range(100, 120)]
    assert "page 3 of 3" in last.one(class_="pager").text
    assert "no samples on this page" in browser.get(path, page=4).main.text


def test_a_case_shows_an_earlier_version(browser: Browser, registry: Registry) -> None:
    _, TestCase, _, _ = define_workflow("Animals", Photo, Animal, Guess)
    with TestCase("farm").edit() as edit:
        edit.remove(Photo("0.png"))
        edit.add(Photo("1.png"), Animal("horse"))
        edit.add(Photo("99.png"), Animal("owl"))
    path = f"/cases/{of(registry, 'test_cases', 'farm')}"
    assert "owl" in browser.get(path).main.text
    assert "owl" not in browser.get(path, version=1).main.text
    changes = browser.get(path, tab="versions").main.one("tbody").all("tr")
    assert [each.text for each in changes[0].all(class_="chip")] == ["+1", "\N{MINUS SIGN}1", "1 ground truth changed"]
    assert [each.text for each in changes[1].all(class_="chip")] == ["+20"]
    missing = browser.get(path, version=7)
    assert (missing.status, "no version 7" in missing.main.text) == (404, True)


def test_a_case_is_described(browser: Browser, registry: Registry) -> None:
    path = f"/cases/{of(registry, 'test_cases', 'farm')}"
    assert "sunlit" in browser.post(path, {"verb": "describe", "description": "sunlit"}).main.text
    assert registry.get_test_case("farm").info.description == "sunlit"
    browser.post(path, {"verb": "archive"})
    assert registry.get_test_case("farm").archived


# --- a run ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Right(MetricsTestSample):
    right: bool


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    accuracy: float
    absent: float | None


@dataclass(frozen=True)
class OfSuite(MetricsTestSuite):
    mean: float


@dataclass(frozen=True)
class Level(EvaluatorConfiguration):
    at: float

    def display_name(self) -> str:
        return f"level {self.at}"


def judge(
    samples: list[Photo], truths: list[Animal], inferences: list[Guess], cases: TestCases, configuration: Level
) -> EvaluationResults:
    right = [Right(guess.animal.label == truth.label) for guess, truth in zip(inferences, truths, strict=True)]
    told: list[Any] = []
    plots: list[Any] = []
    for case, _, _, _, metrics in cases.iter(samples, truths, inferences, right):
        told.append((case, OfCase(sum(each.right for each in metrics) / len(metrics), None)))
        plots.append((case, [CurvePlot("ROC", "false", "true", [Curve([0, 1], [0, 1], label="chance")])]))
    return EvaluationResults(
        metrics_test_sample=list(zip(samples, right, strict=True)),
        metrics_test_case=told,
        metrics_test_suite=OfSuite(configuration.at),
        plots_test_case=plots,
    )


def test_a_run_shows_results_by_configuration(registry: Registry) -> None:
    _, TestCase, TestSuite, Model = define_workflow("Animals", Photo, Animal, Guess)
    case = TestCase("farm", test_samples=[(Photo("1.png"), Animal("cat")), (Photo("2.png"), Animal("dog"))], reset=True)
    suite = TestSuite("animals", test_cases=[case], reset=True)
    model = Model("m", guesses({"1.png": "cat", "2.png": "cat"}))
    test(model, suite, judge, configurations=[Level(0.25), Level(0.75)])
    page = Browser(registry).get(f"/runs/{runs(registry)[0]}").main
    assert [each.text for each in page.all("h2")] == ["level 0.25", "level 0.75"]
    first, second = page.all("table")
    none = "\N{EN DASH}"
    assert [cells(each) for each in first.one("tbody").all("tr")] == [
        ["the whole suite", "0.25", none, none],
        ["farm", none, "0.5", none],
    ]
    assert cells(second.one("tbody").all("tr")[0])[1] == "0.75"


def fails(photo: Photo) -> Guess:
    raise ValueError(f"cannot read {photo.locator} {HOSTILE}")


def test_a_run_tells_its_errors_page_by_page(registry: Registry) -> None:
    _, TestCase, TestSuite, Model = define_workflow("Animals", Photo, Animal, Guess)
    case = TestCase("farm", test_samples=[(Photo(f"{n}.png"), Animal("cat")) for n in range(25)], reset=True)
    test(Model("m", fails), TestSuite("animals", test_cases=[case], reset=True), on_error="record")
    browser, path = Browser(registry), f"/runs/{runs(registry)[0]}"
    page = browser.get(path).main
    assert "25 error" in page.text
    raised = page.all(class_="raised")
    assert len(raised) == 20
    assert raised[0].one("h2").text == "ValueError"
    assert HOSTILE in raised[0].text
    assert "Traceback" in raised[0].one("details").text
    rest = browser.get(path, tab="errors", page=2).main
    assert [each.one("p").text.split()[2] for each in rest.all(class_="raised")] == [f"{n}.png" for n in range(20, 25)]


def test_a_run_tells_what_code_changed_since_the_run_before(registry: Registry) -> None:
    compare_two_models(registry)
    _, _, TestSuite, Model = define_workflow("Animals", Photo, Animal, Guess)
    registry.get_model("old").create_version("2")
    test(Model("old@2", lambda photo: guesses(dict.fromkeys([photo.locator], "dog"))(photo)), TestSuite("animals"))
    (latest,) = registry.test_runs("version = '2'")
    browser = Browser(registry)
    page = browser.get(f"/runs/{latest['id']}", tab="code").main
    changed = page.one("table", class_="changed").one("tbody").all("tr")
    assert [each.one("th").text for each in changed] == ["~changed infer"]
    assert "1 thing changed since the run before" in page.text
    first = browser.get(f"/runs/{runs(registry)[0]}", tab="code").main
    assert "It is the first run of the model." in first.text


def test_hostile_names_stay_names(registry: Registry) -> None:
    _, TestCase, TestSuite, Model = define_workflow(HOSTILE, Photo, Animal, Guess)
    case = TestCase(HOSTILE, test_samples=[(Photo(HOSTILE), Animal(HOSTILE))], reset=True, description=HOSTILE)
    suite = TestSuite(HOSTILE, test_cases=[case], reset=True, description=HOSTILE, tags=[HOSTILE])
    with localreg.use(registry):
        test(Model(HOSTILE, guesses({HOSTILE: HOSTILE})), suite)
    browser = Browser(registry)
    (run,) = runs(registry)
    suite_id, case_id = registry.test_suites()[0]["id"], registry.test_cases()[0]["id"]
    for path in (
        "/suites",
        "/cases",
        "/workflows",
        "/runs",
        f"/suites/{suite_id}",
        f"/cases/{case_id}",
        f"/runs/{run}",
    ):
        answer = browser.get(path)
        assert answer.status == 200
        assert HOSTILE in answer.page.one("main").text
        assert [each.attributes.get("src", "") for each in answer.page.all("script")] == [
            answer.page.one("script").attributes["src"]
        ]
    for tab in ("runs", "versions", "history"):
        assert HOSTILE in browser.get(f"/suites/{suite_id}", tab=tab).main.text
