"""The pages of artifacts, events and policies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localreg import PolicyError, Registry
from localreg.policies import Action, AliasGate, Label, Promotion, Retention
from localreg.policies.rules import Rule, rule_json
from localreg.ui.pages.policies import in_words
from tests.pages import Answer, Browser, Node

HOSTILE = '<script>alert("x")</script> \u05d0\u05d1 "quoted" \'and\' ; name=%2e\\'


@pytest.fixture
def browser(registry: Registry) -> Browser:
    return Browser(registry)


def cells(row: Node) -> list[str]:
    """The text of each cell."""
    return [each.text for each in row.children if isinstance(each, Node)]


def rows(answer: Answer) -> list[list[str]]:
    return [cells(row) for row in answer.main.one(id="rows").one("tbody").all("tr")]


# --- artifacts -------------------------------------------------------------------------------------------------------


def test_pages_without_anything_say_how_to_begin(browser: Browser) -> None:
    assert "artifacts upload" in browser.get("/artifacts").main.one(class_="empty").text
    assert "experiment.event(" in browser.get("/events").main.one(class_="empty").text
    assert "registry.add_policy(" in browser.get("/policies").main.one(class_="empty").text


def test_a_page_that_is_too_far_on_leads_to_the_first(registry: Registry, browser: Browser) -> None:
    model = registry.create_model("m")
    model.upload(b"x", name="x")
    model.event("asked")
    with registry.experiment("sgd", code=False):
        pass
    for path in ("/experiments", "/artifacts", "/events"):
        for asked in ({}, {"is": "name=" + json.dumps("sgd" if path == "/experiments" else "x")}):
            if path == "/events" and asked:
                continue
            empty = browser.get(path, page=99, **asked).main.one(class_="empty")
            assert "There is no page 99" in empty.text
            assert "yet" not in empty.text
            assert rows(browser.get(empty.one("a").attributes["href"]))


def test_artifacts_of_all_kinds_of_owners_are_listed_and_opened(registry: Registry, browser: Browser) -> None:
    model = registry.create_model("m")
    model.upload(b"readme", name="readme.md")
    model.create_version("1").upload(b"w", name="weights")
    with registry.experiment("sgd", code=False) as experiment:
        experiment.track("s3://bucket/data", name="data")
        experiment.checkpoint(b"www", step=1)
    page = browser.get("/artifacts", sort="name")
    found = {row[0]: row for row in rows(page)}
    assert sorted(found) == ["checkpoint", "data", "readme.md", "weights"]
    assert found["data"][1] == "experiment sgd"
    assert found["data"][6] == "s3://bucket/data"
    assert found["weights"][2] == "1 bytes"
    for link in page.main.one(id="rows").one("tbody").all("a"):
        opened = browser.get(link.attributes["href"])
        assert opened.status == 200, opened.text
    assert [row[0] for row in rows(browser.get("/artifacts", q="bucket"))] == ["data"]
    assert "No artifact fits" in browser.get("/artifacts", q="nothing like it").main.text


def test_a_stored_file_is_taken_away_and_never_shown(registry: Registry, browser: Browser) -> None:
    data = bytes(range(256)) * 10_000
    artifact = registry.create_model("m").upload(data, name="page.html", media_type="text/html")
    page = browser.get(f"/artifacts/{artifact.id}")
    form = next(each for each in page.main.all("form") if each.attributes["action"].endswith("/download"))
    answer = browser.submit(form)
    assert answer.body == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(data))
    assert answer.headers["content-disposition"] == "attachment; filename=\"page.html\"; filename*=UTF-8''page.html"
    assert registry.audit(name="page.html").dicts()[-1]["action"] == "download"
    assert browser.get(f"/artifacts/{artifact.id}/download").status in (404, 405)


@pytest.mark.parametrize("size", [10, 3 * 2**20])
def test_altered_bytes_are_refused_before_anything_is_sent(registry: Registry, browser: Browser, size: int) -> None:
    artifact = registry.create_model("m").upload(bytes(size), name="weights")
    root = Path(registry.uri.removeprefix("file://"))
    (stored,) = (each for each in root.rglob("*") if each.is_file() and each.read_bytes() == bytes(size))
    stored.chmod(0o600)
    stored.write_bytes(bytes(size - 1) + b"x")
    answer = browser.post(f"/artifacts/{artifact.id}/download", {})
    assert answer.status != 200
    assert "has been altered" in answer.main.text


def test_a_checkpoint_has_an_address_wherever_it_is_named(registry: Registry, browser: Browser) -> None:
    with registry.experiment("sgd", code=False) as experiment:
        checkpoint = experiment.checkpoint(b"www", step=1)
    version = checkpoint.promote(registry.create_model("m"), "1")
    drawing = browser.get(f"/versions/{version.id}", tab="lineage").main.one("svg", class_="lineage")
    assert f"/checkpoints/{checkpoint.id}" in [each.attributes["href"] for each in drawing.all("a")]


def test_files_of_a_folder_are_taken_one_by_one(registry: Registry, browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "ü b.txt").write_text("b")
    artifact = registry.create_model("m").upload(folder)
    page = browser.get(f"/artifacts/{artifact.id}").main
    forms = [each for each in page.all("form") if each.attributes["action"].endswith("/download")]
    assert [browser.submit(each).body for each in forms] == [b"a", b"b"]
    told = browser.submit(forms[1]).headers["content-disposition"]
    assert told == "attachment; filename=\"_ b.txt\"; filename*=UTF-8''%C3%BC%20b.txt"
    path = f"/artifacts/{artifact.id}/download"
    for wrong in ("../../localreg.json", "/etc/passwd", "deep", "nothing"):
        assert browser.post(path, {"path": wrong}).status == 404, wrong
    assert browser.post(path, {}).status == 400


def test_what_is_only_tracked_is_not_read(registry: Registry, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    artifact = registry.create_model("m").track(tmp_path / "secret")
    page = browser.get(f"/artifacts/{artifact.id}").main
    assert "tracked, not stored here" in page.text
    assert not [each for each in page.all("form") if each.attributes["action"].endswith("/download")]
    answer = browser.post(f"/artifacts/{artifact.id}/download", {})
    assert answer.status == 400
    assert "only tracked" in answer.main.text


def test_a_hostile_name_breaks_no_header(registry: Registry, browser: Browser) -> None:
    artifact = registry.create_model(HOSTILE).upload(b"x", name=HOSTILE, metadata={HOSTILE: HOSTILE})
    for path in ("/artifacts", f"/artifacts/{artifact.id}", f"/artifacts/{artifact.id}?tab=history"):
        answer = browser.get(path)
        assert answer.status == 200
        assert "<script>alert" not in answer.text
    told = browser.post(f"/artifacts/{artifact.id}/download", {}).headers["content-disposition"]
    assert told.startswith("attachment; filename=\"script> __ _quoted_ 'and' _ name=_2e_\"; filename*=UTF-8''script%3E")


def test_artifacts_are_edited(registry: Registry, browser: Browser) -> None:
    model = registry.create_model("m")
    artifact = model.upload(b"x", name="a")
    model.upload(b"y", name="b")
    path = f"/artifacts/{artifact.id}"
    browser.post(path, {"verb": "set", "key": "note", "value": "5"})
    browser.post(path, {"verb": "describe", "media_type": "text/plain"})
    renamed = browser.post(path, {"verb": "rename", "name": "c"})
    assert renamed.main.one("h1").text.startswith("c")
    assert (artifact.name, artifact.metadata, artifact.media_type) == ("c", {"note": 5}, "text/plain")
    browser.post(path, {"verb": "unset", "key": "note"})
    assert artifact.metadata == {}
    before = registry.commit
    assert browser.post(path, {"verb": "rename", "name": "b"}).status == 409
    assert registry.commit == before


def test_an_artifact_of_the_past_is_found_and_not_edited(registry: Registry, browser: Browser) -> None:
    artifact = registry.create_model("m").upload(b"x", name="a")
    before = registry.commit
    artifact.delete()
    assert browser.get(f"/artifacts/{artifact.id}").status == 404
    page = browser.get(f"/artifacts/{artifact.id}", at=before)
    assert page.main.one("h1").text == "a"
    assert "Rename" not in page.text


# --- events ----------------------------------------------------------------------------------------------------------


def test_events_are_listed_by_time_and_chosen(registry: Registry, browser: Browser) -> None:
    version = registry.create_model("m").create_version("1")
    for day in range(1, 61):
        when = datetime(2026, 1, 1 + day % 28, day % 24, tzinfo=UTC)
        version.event("deployed" if day % 2 else "asked", source=f"server {day % 3}", wallclock=when)
    page = browser.get("/events")
    times = [row[0] for row in rows(page)]
    assert len(times) == 50
    assert times == sorted(times, reverse=True)
    assert "60 events" in page.main.one(id="total").text
    assert len(rows(browser.get("/events", page=2))) == 10
    chosen = browser.get("/events", **{"is": ['name="asked"', 'source="server 0"']})
    assert {(row[1], row[3]) for row in rows(chosen)} == {("asked", "server 0")}
    assert page.main.one(id="rows").one("tbody").all("a")[0].attributes["href"] == f"/versions/{version.id}"
    assert len(rows(browser.get("/events", where="wallclock < '2026-01-03T00:00:00Z'"))) < 10
    assert browser.get("/events", where="nothing = 1").status == 400


def test_commits_of_events_lead_into_the_namespace_of_the_row(registry: Registry, browser: Browser) -> None:
    registry.create_model("here").event("asked")
    registry.namespace("vision").create_model("there").event("asked")
    page = browser.get("/events", namespace="*")
    links = [row.all("a")[-1].attributes["href"] for row in page.main.one(id="rows").one("tbody").all("tr")]
    assert sum("namespace=vision" in each for each in links) == 1
    assert not [each for each in links if "namespace=%2A" in each]
    assert all(each.startswith("/audit?") and browser.get(each).status == 200 for each in links)


# --- policies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Retention(keep_last=3), "Of versions, keeps the last 3; others are deleted."),
        (
            Retention(keep_best=2, metric="loss", mode="min", younger_than="30d", of="checkpoints"),
            "Of checkpoints, keeps the 2 with the lowest loss and those younger than 30d; others are deleted.",
        ),
        (
            Label(when="metrics.acc > 0.9", tag="good"),
            "Versions of which metrics.acc > 0.9 holds get the tag good.",
        ),
        (Label(when="a > 1", alias="best"), "The newest version of which a > 1 holds gets the alias best."),
        (
            Promotion(experiment="sgd", best="acc", when="epoch > 3", version="e{epoch}", alias="next"),
            "Checkpoints of sgd that have the highest acc so far and fulfil epoch > 3 become versions, called "
            "e{epoch}; the alias next moves to them.",
        ),
        (Promotion(when="epoch > 3"), "Checkpoints of any experiment that fulfil epoch > 3 become versions."),
        (
            AliasGate(alias="production", require=("a > 1", "b > 2"), no_regression="suite"),
            "The alias production moves to a version only if a > 1 holds, b > 2 holds and a saved comparison on suite "
            "with the version that has it shows no regression.",
        ),
        (Action(run="m:f", on="promote", attempts=5), "On promote, calls m:f, at most 5 times."),
    ],
)
def test_rules_in_words(rule: Rule, words: str) -> None:
    assert in_words(rule.kind, json.loads(json.dumps(rule_json(rule)))) == words


def test_policies_their_plan_and_what_they_did(registry: Registry, browser: Browser) -> None:
    model = registry.create_model("m")
    for number in range(3):
        model.create_version(f"{number}")
    registry.add_policy("few", Retention(keep_last=2), model=model, description="disks are small")
    page = browser.get("/policies").main
    row = page.one("table").one("tbody").one("tr")
    assert cells(row)[:3] == ["few", "retention", "m"]
    assert "disks are small" in row.text
    part = page.one(data_load="/policies/plan?part=1")
    assert browser.get(part.one("a").attributes["href"]).main.one("h1").text == "What policies would do now"
    plan = browser.get(part.attributes["data-load"]).page
    assert not plan.all("header")
    (acts,) = plan.all("table")[0].one("tbody").all("tr")
    assert cells(acts)[:3] == ["few", "m", "m@0"]
    assert "delete" in cells(acts)[3]
    assert len(model.versions()) == 3
    registry.apply_policies()
    after = browser.get("/policies").main
    done = after.one("section", aria_labelledby="done")
    assert "delete model version" in done.text
    assert "Nothing: all is as the policies want it" in browser.get("/policies/plan").main.text


def test_what_policies_did_in_all_namespaces_is_told_by_time(registry: Registry, browser: Browser) -> None:
    other = registry.namespace("vision")
    for number in range(3):  # its commits have higher numbers, and are older
        other.create_model(f"filler {number}")
    for where, name in ((other, "first"), (registry, "second")):
        model = where.create_model(name)
        for number in range(2):
            model.create_version(f"{number}")
        where.add_policy("few", Retention(keep_last=1), model=model)
        where.apply_policies()
    page = browser.get("/policies", namespace="*").main.one("section", aria_labelledby="done")
    told = page.one("tbody").all("tr")
    assert [next(each for each in ("first", "second") if each in row.text) for row in told] == ["second", "first"]
    links = [row.all("a")[-1].attributes["href"] for row in told]
    assert ["namespace=vision" in each for each in links] == [False, True]
    assert not [each for each in links if "namespace=%2A" in each]


def test_no_plan_is_told_of_the_past(registry: Registry, browser: Browser) -> None:
    registry.add_policy("few", Retention(keep_last=2), model=registry.create_model("m"))
    answer = browser.get("/policies/plan", at=1)
    assert answer.status == 400
    assert "what policies would do is told of now alone" in answer.main.text


def test_actions_that_failed_say_why(registry: Registry, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    registry.add_policy("tell", Action(run="no_such_module:f", on="create", attempts=1))
    registry.create_model("m").create_version("1")
    waiting = browser.get("/policies").main.one("section", aria_labelledby="pending")
    assert "… pending" in waiting.text
    registry.run_pending()
    failed = browser.get("/policies").main.one("section", aria_labelledby="pending")
    assert "✗ failed" in failed.text
    assert "No module named 'no_such_module'" in failed.text


def test_hostile_policies_are_text(registry: Registry, browser: Browser) -> None:
    model = registry.create_model(HOSTILE)
    registry.add_policy(
        HOSTILE, AliasGate(alias="production", require=("version = '<b>'",)), model=model, description=HOSTILE
    )
    version = model.create_version("1")
    with pytest.raises(PolicyError):
        model.set_alias("production", version)
    for path in ("/policies", "/policies/plan"):
        answer = browser.get(path)
        assert answer.status == 200
        assert "<script>alert" not in answer.text
        assert "<b>" not in answer.text
