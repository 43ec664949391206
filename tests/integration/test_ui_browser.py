"""The page in a real browser: what people come for, from the first look to the undo; what others must not do."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from tests.chromium import launched
from tests.reports import compared
from tests.unit.test_ui_serving import served

KEPT = os.environ.get("LOCALREG_SCREENSHOTS")
"""A folder for the pictures, for who wants to look at them."""

CONTRAST = """() => {
  const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return parse(getComputedStyle(document.documentElement).colorScheme === "dark" ? "0 0 0" : "255 255 255");
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    if (!own || node.closest("svg") || !node.checkVisibility({ checkOpacity: false })) continue;
    if (node.closest("[disabled],.hidden,.skip,option")) continue;
    if (node.closest("tr.archived")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(getComputedStyle(node).fontSize);
    if (ratio >= (size >= 24 ? 3 : 4.5)) continue;
    found.push(`${ratio.toFixed(2)} ${node.tagName} ${node.className} ${node.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""
"""Texts whose contrast is below WCAG 2.2, level AA (1.4.3)."""

TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const over = [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > width);
  return over.slice(0, 5).map((node) => node.outerHTML.slice(0, 120));
}"""
"""What makes the whole page scroll to the side."""

UNLABELLED = """() => {
  const named = (node) => node.labels?.length || node.ariaLabel || node.textContent.trim() || node.title;
  const all = document.querySelectorAll("input:not([type=hidden]),select,textarea,button,a[href]");
  return [...all].filter((node) => !named(node) && !node.closest("[aria-hidden=true]")).map((node) => node.outerHTML);
}"""
"""What one can act on, and a screen reader has no name for."""


@dataclass
class Window:
    """A tab of a browser, and what went wrong in it."""

    page: Any
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", self._failed)

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # which is what becomes of parts when one leaves their page
            self.wrong.append(f"{request.url}: {request.failure}")

    def _heard(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.wrong.append(said.text)


def expect(locator: Any) -> Any:
    """What a locator comes to in time."""
    from playwright.sync_api import expect as expected

    return expected(locator)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with launched() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, str]]:
    """A registry with something of everything, and the address of its page."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("world")
    for name, color in (("1.png", "gold"), ("2.png", "teal")):
        Image.new("RGB", (200, 120), color).save(folder / name)
    with localreg.open(folder / "registry", actor="ana") as registry, localreg.use(registry):
        truth = ["cat", "dog", "cow"] * 20
        worse = [each if number % 4 else "cow" for number, each in enumerate(truth)]
        better = [each if number % 10 else "dog" for number, each in enumerate(truth)]
        locators = [str(folder / "1.png"), str(folder / "2.png")]
        compared(registry, truth, worse, better, locators=locators, weather=["fine", "rain"], cases=["day", "night"])
        registry.get_model("old").update(metadata={"framework": "jax", "notes": "first try"}, tags={"animals"})
        registry.get_model("new").update(metadata={"framework": "pytorch", "lr": 0.1}, tags={"animals"}, owner="ben")
        registry.get_model("new").set_alias("production", 1)
        with registry.experiment("sgd", code=False, params={"lr": 0.1}) as experiment:
            for step in range(40):
                experiment.log({"loss": 1 / (step + 1), "accuracy": step / 40}, step=step)
            experiment.checkpoint(b"weights", step=39, metrics={"accuracy": 0.9})
        registry.get_version("new@1").event("deployed", source="server-3")
        with served(registry.uri, "--port", "0", "--actor", "ana", "--files", str(folder)) as (address, _):
            yield registry, address.rstrip("/")


@pytest.fixture
def window(chromium: Any) -> Iterator[Window]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    window = Window(context.new_page())
    yield window
    context.close()
    assert not window.wrong


def kept(page: Any, name: str) -> None:
    if KEPT:
        page.screenshot(path=str(Path(KEPT) / f"ui-{name}.png"), full_page=True)


# --- what people come for ---------------------------------------------------------------------------------------------


def test_a_model_is_found_as_one_types_and_its_metadata_edited(world: tuple[Registry, str], window: Window) -> None:
    registry, address = world
    page = window.page
    page.goto(address)
    page.keyboard.press("/")
    page.keyboard.type("PYTORCH")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.wait_for_url(f"{address}/?q=PYTORCH")  # the rows may be there for the first letters already
    page.click("#rows tbody a")
    page.wait_for_url("**/models/*")
    page.get_by_title("Edit lr").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("{not json")
    page.get_by_role("button", name="Save").locator("visible=true").click()
    page.get_by_role("alert").filter(has_text="no JSON").wait_for()
    assert "no JSON" in page.get_by_role("alert").filter(has_text="no JSON").inner_text()
    window.wrong.clear()  # a browser calls a refusal an error
    page.locator("textarea:visible").fill("0.05")
    page.get_by_role("button", name="Save").locator("visible=true").click()
    page.wait_for_url("**done=*")
    assert registry.get_model("new").metadata["lr"] == 0.05
    page.click(".done a")
    page.wait_for_url("**/audit**")
    shown = page.inner_text("main")
    assert "ana" in shown
    assert "metadata.lr 0.1 → 0.05" in shown


def test_a_rename_is_undone(world: tuple[Registry, str], window: Window) -> None:
    registry, address = world
    page = window.page
    page.goto(f"{address}/models/{registry.get_model('old').id}")
    page.get_by_title("Rename").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("older")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=*")
    assert page.locator("h1").inner_text().startswith("older")
    assert registry.find_model("older") is not None
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("h1")).to_have_text(re.compile(r"^\s*old\b"))
    assert registry.find_model("older") is None


def test_two_models_are_ticked_compared_and_a_broken_sample_opened(world: tuple[Registry, str], window: Window) -> None:
    _, address = world
    page = window.page
    page.goto(address)
    button = page.locator("#compare-button")
    assert button.is_disabled()
    for name in ("old", "new"):
        page.get_by_label(f"Compare {name}", exact=True).check()
    button.click()
    page.wait_for_url("**/compare?**")
    assert "new@1 is better than old@1" in page.locator(".verdict-box").inner_text()
    page.get_by_role("link", name="Samples").click()
    page.get_by_role("link", name=re.compile("Broken")).click()
    page.locator(".cards a").first.click()
    page.wait_for_url("**/compare/sample?**")
    assert page.locator("h1").inner_text().startswith("Sample 1 of")
    picture = page.locator("svg.picture image").first
    assert page.evaluate("async (href) => (await fetch(href)).ok", picture.get_attribute("href"))
    page.keyboard.press("j")
    expect(page.locator("h1")).to_contain_text("Sample 2 of")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("h1")).to_contain_text("Sample 1 of")


def test_a_curve_grows_while_it_is_trained(world: tuple[Registry, str], window: Window) -> None:
    registry, address = world
    page = window.page
    experiment = registry.experiment("live", code=False, flush_every=0.1)
    experiment.log({"loss": 1.0}, step=0)
    experiment.log({"loss": 0.9}, step=1)
    page.goto(f"{address}/experiments/{experiment.id}")
    assert "running" in page.inner_text("#state")
    page.wait_for_selector(".lines path")
    before = page.locator(".lines path").first.get_attribute("d")
    for step in range(2, 30):
        experiment.log({"loss": 1 / step}, step=step)
    expect(page.locator(".lines path").first).not_to_have_attribute("d", before, timeout=30_000)
    experiment.finish()
    expect(page.locator("#state")).to_contain_text("finished", timeout=30_000)


def test_one_looks_back_in_time(world: tuple[Registry, str], window: Window) -> None:
    registry, address = world
    page = window.page
    model = registry.create_model("young", metadata={"stage": "first"})
    commit = registry.commit
    model.update(metadata={"stage": "second"})
    page.goto(f"{address}/models/{model.id}")
    assert "second" in page.inner_text("main")
    page.locator(".moment summary").click()
    page.locator(".moment input[name=at]").fill(str(commit))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**at={commit}**")
    assert "first" in page.inner_text("main")
    assert "nothing can be edited" in page.inner_text(".banner.past")
    assert page.locator("details.edit").count() == 0
    page.get_by_role("link", name="Back to now").click()
    expect(page.locator("main")).to_contain_text("second")
    assert "at=" not in page.url
    model.archive()


# --- what others must not be able to do -------------------------------------------------------------------------------


def test_another_site_can_neither_edit_nor_read_nor_frame(
    world: tuple[Registry, str], chromium: Any, tmp_path: Path
) -> None:
    registry, address = world
    model = registry.get_model("old")
    (tmp_path / "evil.html").write_text(
        f"""<!doctype html><iframe src="{address}/"></iframe>
        <form id="f" method="post" action="{address}/models/{model.id}" target="x">
        <input name="verb" value="rename"><input name="name" value="owned"></form><iframe name="x"></iframe>
        <script>
        fetch("{address}/").then((a) => a.text(), () => "refused").then((t) => {{ document.title = t; f.submit(); }})
        </script>"""
    )
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = chromium.new_context()
        page = context.new_page()
        answers: list[tuple[str, int]] = []
        page.on("response", lambda answer: answers.append((answer.request.method, answer.status)))
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.goto(f"http://127.0.0.1:{server.server_port}/evil.html")
        assert page.title() == "refused"
        assert ("POST", 403) in answers
        assert all("Models" not in frame.content() for frame in page.frames)
        context.close()
        server.shutdown()
    assert registry.find_model("owned") is None


# --- how every page looks ---------------------------------------------------------------------------------------------


def addresses(registry: Registry) -> dict[str, str]:
    """Every page, by what it is called in pictures."""
    model, version = registry.get_model("new"), registry.get_version("new@1")
    asked = "model=old&model=new&suite=shots"
    [suite, case, run] = [
        registry.sql(f"SELECT id FROM {table} LIMIT 1").dicts()[0]["id"]
        for table in ("test_suites", "test_cases", "test_runs")
    ]
    experiment = registry.get_experiment("sgd").id
    artifact = registry.sql("SELECT id FROM artifacts LIMIT 1").dicts()[0]["id"]
    tabs = ("overview", "versions", "runs", "lineage", "history")
    return {
        "models": "/",
        "columns": "/columns",
        **{f"model-{tab}": f"/models/{model.id}?tab={tab}" for tab in tabs},
        **{f"version-{tab}": f"/versions/{version.id}?tab={tab}" for tab in ("overview", "inferences")},
        "compare-choose": "/compare",
        "compare": f"/compare?{asked}&by=weather",
        "gallery": f"/compare/samples?{asked}&outcome=broken",
        "sample": f"/compare/sample?{asked}&outcome=broken&n=1",
        "suites": "/suites",
        "suite": f"/suites/{suite}",
        "case": f"/cases/{case}",
        "cases": "/cases",
        "workflows": "/workflows",
        "runs": "/runs",
        "run": f"/runs/{run}",
        "experiments": "/experiments",
        "experiment": f"/experiments/{experiment}",
        "checkpoints": f"/experiments/{experiment}?tab=checkpoints",
        "curves": f"/experiments/curves?experiment={experiment}&smooth=0.9",
        "params": f"/experiments/params?experiment={experiment}",
        "artifacts": "/artifacts",
        "artifact": f"/artifacts/{artifact}",
        "events": "/events",
        "policies": "/policies",
        "audit": "/audit",
        "audit-diff": "/audit/diff?a=1&b=4",
        "verify": "/verify",
        "sql": "/sql?q=SELECT+name,+metadata+FROM+models",
        "error": "/models/" + "0" * 32,
    }


LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "narrow": ("light", 400)}


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_can_be_read_and_used(world: tuple[Registry, str], chromium: Any, look: str) -> None:
    """Nothing fails, nothing sticks out, all text has contrast, all fields have names, and pages are light."""
    registry, address = world
    scheme, width = LOOKS[look]
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    found: list[str] = []
    for name, path in addresses(registry).items():
        window = Window(context.new_page())
        weight = [0]

        def weigh(answer: Any, weight: list[int] = weight) -> None:
            weight[0] += len(answer.body())

        window.page.on("response", weigh)
        answer = window.page.goto(address + path)
        expect(window.page.locator("[data-load]")).to_have_count(0, timeout=30_000)
        kept(window.page, f"{name}-{look}")
        if answer.status != (404 if name == "error" else 200):
            found.append(f"{name}: status {answer.status}")
        if name != "error":
            found += [f"{name}: {each}" for each in window.wrong]
        found += [f"{name}: sticks out {each}" for each in window.page.evaluate(TOO_WIDE)]
        found += [f"{name}: contrast {each}" for each in window.page.evaluate(CONTRAST)]
        found += [f"{name}: no name {each}" for each in window.page.evaluate(UNLABELLED)]
        has_plots = window.page.locator("figure svg, svg.picture").count() > 0
        if weight[0] > (1_200_000 if has_plots else 60_000):
            found.append(f"{name}: {weight[0]:,} bytes")
        window.page.close()
    context.close()
    assert not found, "\n".join(found)
