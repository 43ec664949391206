"""The pages of experiments: found, drawn, laid side by side, edited; and what they say where there is nothing."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pyarrow as pa
import pytest
from starlette.datastructures import QueryParams

from localreg import Registry
from localreg.experiments import Experiment
from localreg.ui.pages.series import key_counts
from localreg.ui.safety import Keys
from localreg.ui.site import Site
from localreg.ui.view import Form, View
from tests.pages import Answer, Browser, Node

HOSTILE = '<script>alert("x")</script> \u05d0\u05d1 "quoted" \'and\''


def trained(registry: Registry, name: str, scale: float = 1.0, n: int = 50, **told: object) -> Experiment:
    """One that ended, with two metrics of `n` steps."""
    step = np.arange(n)
    table = pa.table(
        {"step": step, "wallclock": 1.7e9 + 60.0 * step, "loss": scale / (step + 1), "train/acc": step / n * scale}
    )
    with registry.experiment(name, code=False, **told) as experiment:  # type: ignore[arg-type]
        experiment.log_table(table)
    return registry.get_experiment(name)


@pytest.fixture
def browser(registry: Registry) -> Browser:
    return Browser(registry)


def rows(answer: Answer) -> list[list[str]]:
    """The text of the cells of the body of the list."""
    return [cells(row) for row in answer.main.one(id="rows").one("tbody").all("tr")]


def cells(row: Node) -> list[str]:
    """The text of each cell."""
    return [each.text for each in row.children if isinstance(each, Node)]


# --- the table -------------------------------------------------------------------------------------------------------


def test_an_empty_registry_says_how_to_begin(browser: Browser) -> None:
    assert "registry.experiment(" in browser.get("/experiments").main.one(class_="empty").text
    assert "Tick some" in browser.get("/experiments/curves").main.text
    assert "Tick some" in browser.get("/experiments/params").main.text


def test_the_table_has_state_params_and_what_is_asked_for(registry: Registry, browser: Browser) -> None:
    trained(registry, "slow", params={"lr": 0.1, "batch": 8}, owner="ana", framework="jax", tags=["a"])
    trained(registry, "fast", 0.5, params={"lr": 0.2, "batch": 8}, owner="ben", tags=["a", "b"])
    page = browser.get("/experiments")
    heads = [each.text for each in page.main.one("thead").all("th")]
    assert heads[1:] == ["name", "status", "owner", "framework", "tags", "lr", "started", "duration"]
    found = {row[1]: row for row in rows(page)}
    assert found["slow"][2:7] == ["✓ finished", "ana", "jax", "a", "0.1"]
    assert [row[1] for row in rows(browser.get("/experiments", sort="name"))] == ["fast", "slow"]
    assert [row[1] for row in rows(browser.get("/experiments", sort="-params.lr"))] == ["fast", "slow"]
    assert [row[1] for row in rows(browser.get("/experiments", q="slow"))] == ["slow"]
    assert [row[1] for row in rows(browser.get("/experiments?is=tags=%22b%22"))] == ["fast"]
    last = browser.get("/experiments", column=["name", "metric.loss"], sort="name")
    assert [rows(last)[0][each] for each in (1, -1)] == ["fast", "0.01"]
    assert "No experiment fits" in browser.get("/experiments", q="nothing like it").main.text


def test_archived_ones_are_hidden_until_asked_for(registry: Registry, browser: Browser) -> None:
    trained(registry, "old").archive()
    trained(registry, "new")
    assert [row[1] for row in rows(browser.get("/experiments"))] == ["new"]
    assert len(rows(browser.get("/experiments", archived=1))) == 2


def test_where_all_are_archived_that_is_said(registry: Registry, browser: Browser) -> None:
    trained(registry, "old").archive()
    empty = browser.get("/experiments", sort="name").main.one(class_="empty")
    assert "The only experiment is archived" in empty.text
    assert [row[1] for row in rows(browser.get(empty.one("a").attributes["href"]))] == ["old archived"]
    trained(registry, "older").archive()
    assert "All 2 experiments are archived" in browser.get("/experiments").main.one(class_="empty").text
    assert "No experiment fits" in browser.get("/experiments", q="old").main.text


def test_a_facet_leads_to_those_that_have_it(registry: Registry, browser: Browser) -> None:
    trained(registry, "one", owner="ana")
    trained(registry, "two", owner="ben")
    page = browser.get("/experiments")
    link = next(each for each in page.main.one(id="facets").all("a") if each.text.startswith("ana"))
    assert [row[1] for row in rows(browser.get(link.attributes["href"]))] == ["one"]


def test_all_namespaces_are_listed_together(registry: Registry, browser: Browser) -> None:
    trained(registry, "here")
    other = registry.namespace("vision")
    trained(other, "there")
    page = browser.get("/experiments", namespace="*")
    assert {row[0] for row in rows(page)} == {"here default", "there vision"}
    link = next(each for each in page.main.one("table").all("a") if each.text == "there")
    assert browser.get(link.attributes["href"]).main.one("h1").text == "there"


def test_last_values_are_those_of_the_namespace_of_the_row(registry: Registry, browser: Browser) -> None:
    for where, value in ((registry, 1.0), (registry.namespace("vision"), 2.0)):
        with where.experiment("same", code=False) as experiment:
            experiment.log({"loss": value}, step=0)
    page = browser.get("/experiments", namespace="*", column=["name", "metric.loss"])
    assert {row[0]: row[-1] for row in rows(page)} == {"same default": "1", "same vision": "2"}


def test_params_and_metadata_that_are_called_like_times_are_shown(registry: Registry, browser: Browser) -> None:
    trained(registry, "a", params={"decay_at": 30}, metadata={"trained_at": "2026-01-01"})
    page = browser.get("/experiments", column=["name", "params.decay_at", "metadata.trained_at"])
    assert page.status == 200
    assert rows(page)[0][2:4] == ["30", "2026-01-01"]


def test_a_step_and_a_value_of_any_size_have_a_page(registry: Registry, browser: Browser) -> None:
    with registry.experiment("far", code=False) as experiment:
        experiment.log({"loss": 1.79e308}, step=2**53)
    id = registry.get_experiment("far").id
    for asked in ({}, {"log": 1}, {"smooth": "0.9"}):
        page = browser.get(f"/experiments/{id}", **asked)
        assert page.status == 200
        assert page.main.one(class_="field").attributes["data-left"] == "9007199254740992.0"
    assert browser.get("/experiments/values", experiment=id, key="loss").status == 200


# --- curves ----------------------------------------------------------------------------------------------------------


def panels(answer: Answer) -> list[Node]:
    return answer.main.all("figure", class_="panel")


def test_each_metric_has_a_plot_with_a_line_for_each_experiment(registry: Registry, browser: Browser) -> None:
    ids = [trained(registry, name, scale).id for name, scale in (("a", 1), ("b", 2), ("c", 3))]
    page = browser.get("/experiments/curves", experiment=ids)
    assert [each.one("figcaption").text for each in panels(page)] == ["loss", "train/acc"]
    for each in panels(page):
        lines = each.one(class_="lines").all("path")
        assert [line.attributes["data-line"] for line in lines] == ["0", "1", "2"]
        assert len({line.attributes["d"] for line in lines}) == 3
        assert len({line.attributes["class"] for line in lines}) == 3
        assert each.one(class_="field").attributes["tabindex"] == "0"
        assert "3 lines" in each.one(class_="field").attributes["aria-label"]
    legend = page.main.one(class_="legend")
    assert [each.attributes["href"] for each in legend.all("a")] == [f"/experiments/{id}" for id in ids]
    numbers = panels(page)[0].one("tbody").all("tr")
    assert cells(numbers[1])[:6] == [
        *("b", "50", "0.04", "49", "0.04", "2"),
    ]


def test_what_was_read_is_kept_by_one_server_until_the_registry_changes(registry: Registry) -> None:
    rows_of = [{"id": trained(registry, "a").id, "name": "a", "status": "finished"}]

    def read(registry: Registry) -> str:
        return f"read at {registry.commit}"

    site, other = Site(registry, Keys()), Site(registry, Keys())
    counts = key_counts(View(site, "/experiments/curves", QueryParams(), {}, Form([])), rows_of)
    assert counts == {"loss": 1, "train/acc": 1}
    kept: list[dict[str, object]] = site.kept.get(registry, ("keys", "a"), lambda _: [])
    assert {each["key"] for each in kept} == set(counts)
    before = other.kept.get(registry, ("keys", "a"), read)
    assert before == f"read at {registry.commit}"
    registry.create_model("m")
    assert other.kept.get(registry, ("keys", "a"), read) == f"read at {registry.commit}" != before


def test_one_can_be_left_out(registry: Registry, browser: Browser) -> None:
    ids = [trained(registry, name).id for name in "abc"]
    page = browser.get("/experiments/curves", experiment=ids, key="loss", log=1)
    form = page.main.one("form", id="leave")
    fields = [each.attributes["value"] for each in form.all("input", name="experiment")]
    assert fields == ids
    left = browser.get("/experiments/curves", experiment=ids, without=ids[1], key="loss", log=1)
    assert [each.text for each in left.main.one(class_="legend").all("a")] == ["a", "c"]


def test_metrics_are_chosen_by_the_address(registry: Registry, browser: Browser) -> None:
    id = trained(registry, "a").id
    page = browser.get("/experiments/curves", experiment=id, key="train/acc", x="time", smooth="0.5", log=1)
    assert [each.one("figcaption").all("bdi")[0].text for each in panels(page)] == ["train/acc"]
    checked = [each.attributes["value"] for each in page.main.all("input", name="key") if "checked" in each.attributes]
    assert checked == ["train/acc"]
    field = page.main.one(class_="field")
    assert (field.attributes["data-unit"], field.attributes["data-log"]) == ("minutes", "1")
    assert float(field.attributes["data-right"]) == 49 * 60
    assert len(page.main.one(class_="lines").all("path", class_="faint")) == 1
    assert "1 value is 0 or less, which a logarithmic axis has no place for" in page.main.text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"x": "epoch"}, "write step or time"),
        ({"smooth": "1"}, "from 0 to less than 1"),
        ({"smooth": "nan"}, "from 0 to less than 1"),
        ({"smooth": "much"}, "from 0 to less than 1"),
        ({"experiment": "x"}, "experiment id"),
        ({"experiment": "0" * 32}, "none of these 1 experiments"),
    ],
)
def test_what_is_no_way_to_draw_is_refused(
    registry: Registry, browser: Browser, asked: dict[str, str], told: str
) -> None:
    id = trained(registry, "a").id
    answer = browser.get("/experiments/curves", **{"experiment": id, **asked})
    assert answer.status in (400, 404)
    assert told in answer.main.one(class_="error").text


def test_the_numbers_behind_a_plot(registry: Registry, browser: Browser) -> None:
    ids = [trained(registry, name, scale).id for name, scale in (("a", 1), ("b", 2))]
    page = browser.get("/experiments/curves", experiment=ids, key="loss")
    answer = browser.get(page.main.one(class_="field").attributes["data-values"])
    assert answer.headers["content-type"] == "application/json"
    told = json.loads(answer.body)
    assert told["key"] == "loss"
    assert [each["name"] for each in told["series"]] == ["a", "b"]
    assert told["series"][1]["x"] == list(range(50))
    assert told["series"][1]["y"][:3] == [2.0, 1.0, 0.666667]


def test_what_is_no_number_is_a_gap_and_told(registry: Registry, browser: Browser) -> None:
    with registry.experiment("a", code=False) as experiment:
        for step, value in enumerate([1.0, 2.0, math.nan, math.inf, 3.0, 4.0]):
            experiment.log({"loss": value}, step=step)
        experiment.log({"note": "text", "only": math.nan}, step=6)
    page = browser.get("/experiments/curves", experiment=experiment.id)
    loss, only = panels(page)
    assert "1 value is not a number (NaN)" in loss.text
    assert "1 value is infinite" in loss.text
    assert loss.one(class_="lines").one("path").attributes["d"].count("M") == 2
    assert "No number of it can be drawn" in only.text


def test_curves_of_one_that_runs_are_live(registry: Registry, browser: Browser) -> None:
    with registry.experiment("a", code=False, flush_every=0.01) as experiment:
        experiment.log({"loss": 1.0}, step=1)
        experiment.log({"loss": 0.5}, step=2)
        experiment.flush()
        page = browser.get("/experiments/curves", experiment=experiment.id)
        assert page.main.one(id="curves").attributes["data-refresh"]
        assert len(panels(page)) == 1
        own = browser.get(f"/experiments/{experiment.id}")
        assert own.main.one(id="state").attributes["data-refresh"]
        assert own.main.one(id="state").text == "▶ running"
        assert len(panels(own)) == 1
    assert "data-refresh" not in browser.get("/experiments/curves", experiment=experiment.id).text
    assert "data-refresh" not in browser.get(f"/experiments/{experiment.id}").text


def test_a_page_of_many_points_stays_small(registry: Registry, browser: Browser) -> None:
    noise = np.random.default_rng(0)
    ids = []
    for number in range(6):
        with registry.experiment(f"e{number}", code=False) as experiment:
            points = pa.table({"step": np.arange(10_000), "loss": noise.normal(size=10_000)})
            experiment.log_table(points)
        ids.append(experiment.id)
    answer = browser.get("/experiments/curves", experiment=ids, smooth="0.9")
    assert len(answer.body) < 6 / 50 * 1.2e6 + 20_000


# --- one experiment --------------------------------------------------------------------------------------------------


@pytest.fixture
def sgd(registry: Registry) -> Experiment:
    experiment = registry.experiment("sgd", code=False, params={"lr": 0.1}, metadata={"note": "x"}, tags=["t"])
    experiment.log({"loss": 1.0}, step=1)
    experiment.checkpoint(b"w", step=1, metrics={"loss": 1.0})
    experiment.upload(b"report", name="report.txt")
    experiment.event("evaluated", source="trainer", metadata={"epoch": 3})
    experiment.finish()
    return experiment


def test_each_part_of_an_experiment_is_shown(registry: Registry, sgd: Experiment, browser: Browser) -> None:
    registry.create_model("m")
    sgd.get_checkpoint("step 1").promote("m", "1")
    path = f"/experiments/{sgd.id}"
    overview = browser.get(path).main
    assert overview.one("h1").text == "sgd"
    assert cells(overview.one("section", aria_labelledby="params").one("tbody").one("tr"))[0] == "lr"
    assert cells(overview.one("section", aria_labelledby="metadata").one("tbody").one("tr"))[0] == "note"
    assert "python" in overview.text
    row = browser.get(path, tab="checkpoints").main.one("tbody").one("tr")
    assert cells(row)[:5] == ["step 1", "1", "", "1", "m@1"]
    assert "report.txt" in browser.get(path, tab="artifacts").main.text
    assert "evaluated reported" in browser.get(path, tab="events").main.text
    assert "report.txt" in browser.get(path, tab="lineage").main.text
    assert "finish experiment sgd" in browser.get(path, tab="history").main.text
    place = browser.ask(f"/checkpoints/{sgd.get_checkpoint('step 1').id}", follow=False)
    assert place.headers["location"] == f"{path}?tab=checkpoints#checkpoint-{row.attributes['id'][11:]}"


def test_parts_in_which_there_is_nothing_say_so(registry: Registry, browser: Browser) -> None:
    with registry.experiment("a", code=False) as experiment:
        pass
    path = f"/experiments/{experiment.id}"
    assert "No number was logged yet" in browser.get(path).main.text
    assert "experiment.checkpoint(" in browser.get(path, tab="checkpoints").main.text
    assert "experiment.upload(" in browser.get(path, tab="artifacts").main.text
    assert "Nothing is known of where it comes from" in browser.get(path, tab="lineage").main.text
    assert "No number was logged to it yet" in browser.get("/experiments/curves", experiment=experiment.id).main.text


def test_what_was_read_is_read_anew_after_a_commit(registry: Registry, browser: Browser) -> None:
    id = trained(registry, "a").id
    page = browser.get("/experiments/curves", experiment=id, key="loss")
    before = page.main.one(class_="lines").one("path").attributes["d"]
    with registry.experiment("a", resume=True, code=False) as again:
        again.log({"loss": 5.0}, step=100)
    assert (
        browser.get("/experiments/curves", experiment=id, key="loss")
        .main.one(class_="lines")
        .one("path")
        .attributes["d"]
        != before
    )
    registry.get_experiment("a").delete(force=True)
    assert browser.get("/experiments/curves", experiment=id, key="loss").status == 404


def test_one_that_failed_says_why(registry: Registry, browser: Browser) -> None:
    with pytest.raises(ZeroDivisionError), registry.experiment("a", code=False) as experiment:
        _ = 1 / 0
    page = browser.get(f"/experiments/{experiment.id}").main
    assert page.one(id="state").text == "✗ failed"
    assert "It failed: ZeroDivisionError: division by zero" in page.one(class_="trouble").text
    assert "Traceback (most recent call last)" in page.one(class_="trouble").one("details").text


def test_one_that_was_killed_says_what_to_do(
    registry: Registry, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = registry.experiment("a", code=False)
    experiment.log({"loss": 1.0}, step=1)
    experiment.flush()
    with monkeypatch.context() as patched:
        patched.setattr("localreg.experiments.experiment.alive", lambda *_: set())
        page = browser.get(f"/experiments/{experiment.id}").main
        assert page.one(id="state").text == "■ killed"
        assert "recover_experiments()" in page.one(class_="trouble").text
        assert len(page.all("figure", class_="panel")) == 1
        assert rows(browser.get("/experiments"))[0][2] == "■ killed"
    experiment.finish()


def test_edits_are_commits_that_can_be_undone(registry: Registry, sgd: Experiment, browser: Browser) -> None:
    path = f"/experiments/{sgd.id}"
    said = browser.post(path, {"verb": "describe", "description": "better", "owner": "ben", "framework": "jax"})
    assert "better" in said.main.text
    assert (sgd.info.owner, sgd.info.framework, sgd.info.task) == ("ben", "jax", None)
    undone = browser.submit(said.page.one(class_="done").one("form"))
    assert undone.status == 200
    assert sgd.info.description is None
    browser.post(path, {"verb": "tags", "tags": "b\r\na\r\n\r\n"})
    assert sgd.tags == ["a", "b"]
    browser.post(path, {"verb": "set", "key": "note", "value": '{"a": [1]}'})
    browser.post(path, {"verb": "set_param", "key": "lr", "value": "0.5"})
    assert (sgd.metadata, sgd.params) == ({"note": {"a": [1]}}, {"lr": 0.5})
    browser.post(path, {"verb": "unset", "key": "note"})
    assert sgd.metadata == {}
    browser.post(path, {"verb": "archive"})
    assert sgd.info.archived
    browser.post(path, {"verb": "restore"})
    assert not sgd.info.archived


def test_an_edit_that_is_none_changes_nothing(registry: Registry, sgd: Experiment, browser: Browser) -> None:
    before = registry.commit
    path = f"/experiments/{sgd.id}"
    assert browser.post(path, {"verb": "finish"}).status == 400
    assert browser.post(path, {"verb": "set_param", "key": " ", "value": "1"}).status == 400
    assert browser.post(f"/experiments/{'0' * 32}", {"verb": "archive"}).status == 404
    assert registry.commit == before


def test_the_past_is_shown_as_it_was_and_not_edited(registry: Registry, sgd: Experiment, browser: Browser) -> None:
    before = registry.commit
    sgd.update(description="later")
    page = browser.get(f"/experiments/{sgd.id}", at=before)
    assert "later" not in page.main.text
    assert not page.page.all("form", method="post")
    after = trained(registry, "after")
    assert browser.get(f"/experiments/{after.id}", at=before).status == 404
    assert len(panels(browser.get("/experiments/curves", experiment=sgd.id, at=before))) == 1


def test_parameters_side_by_side_show_what_differs(registry: Registry, browser: Browser) -> None:
    ids = [
        trained(registry, name, params={"lr": lr, "batch": 8, "model": {"depth": depth, "kind": "cnn"}}).id
        for name, lr, depth in (("a", 0.1, 2), ("b", 0.2, 2), ("c", 0.1, 3))
    ]
    page = browser.get("/experiments/params", experiment=ids)
    differing = [cells(each) for each in page.main.all("tr", class_="differs")]
    assert differing[:2] == [["lr", "0.1", "0.2", "0.1"], ["model.depth", "2", "2", "3"]]
    assert "batch" not in page.main.one("table").text
    everything = browser.get("/experiments/params", experiment=ids, all=1)
    assert ["batch", "8", "8", "8"] in [cells(each) for each in everything.main.all("tr")]


def test_hostile_names_are_text_everywhere(registry: Registry, browser: Browser) -> None:
    key = '<b>loss</b> & "x"'
    with registry.experiment(
        HOSTILE, code=False, params={HOSTILE: "\u202edrow" + HOSTILE}, tags=[HOSTILE]
    ) as experiment:
        experiment.log({key: 1.0}, step=1)
        experiment.log({key: 2.0}, step=2)
        experiment.event(HOSTILE, source=HOSTILE, metadata={HOSTILE: HOSTILE})
        experiment.checkpoint(b"w", name=HOSTILE, metrics={HOSTILE: 1.0})
    twice = [experiment.id, trained(registry, "b").id]
    pages = [browser.get("/experiments"), browser.get("/events"), browser.get("/artifacts")]
    pages += [browser.get(f"/experiments/{experiment.id}", tab=tab) for tab in ("", "checkpoints", "events", "history")]
    pages += [browser.get(f"/experiments/{each}", experiment=twice) for each in ("curves", "params")]
    pages.append(browser.get("/experiments", column=["name", f"metric.{key}"]))
    for page in pages:
        assert page.status == 200, page.text
        assert [each.attributes for each in page.page.all("script") if "src" not in each.attributes] == []
        assert "<script>alert" not in page.text
        assert "<b>loss" not in page.text
        assert not re.search("<[^>]*\u202e[^>]*>drow", page.text)
    assert key in [each.one("figcaption").text for each in panels(pages[-3])]
