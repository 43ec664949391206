"""The report in a real browser: nothing fails, nothing is fetched, nothing sticks out; light, dark, and on a phone."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from localreg import Comparison, Registry
from tests.chromium import launched
from tests.reports import compared, segmented, shaped, transcribed

KEPT = os.environ.get("LOCALREG_SCREENSHOTS")
"""A folder for the pictures, for who wants to look at them."""

LOOKS = {"light": ("light", 1200), "dark": ("dark", 1200), "narrow": ("light", 400), "tiny": ("light", 260)}

EVIL = '"><script>document.title="owned"</script><img src=http://127.0.0.1:9/x onerror=alert(1)>'
TURNED = f"{EVIL}\u202e\x01"
"""No name holds these, but a label may."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("vl_convert", reason="vl-convert is not installed (extra ui)")
    pytest.importorskip("PIL", reason="Pillow is not installed (extra ui)")
    with launched() as browser:
        yield browser


def everything(registry: Registry, folder: Path) -> Comparison:
    """Two classes with scores, pictures with boxes, slices, test cases, skipped samples."""
    from PIL import Image

    for name, color in (("1.png", "gold"), ("2.png", "teal")):
        Image.new("RGB", (200, 120), color).save(folder / name)
    dice = random.Random(3)
    truth = [dice.choice(["cat", "dog"]) for _ in range(400)]
    answers = [[each if dice.random() < good else "cat" for each in truth] for good in (0.6, 0.8)]
    scores = [[dice.uniform(0.5, 1) for _ in truth] for _ in answers]
    return compared(
        registry, truth, [*answers[0][:-1], None], answers[1], scores=scores,
        weather=["fine", "rain", "a fog that is thicker than any fog that was seen on these shores"],
        locators=[str(folder / "1.png"), str(folder / "2.png"), "s3://bucket/away.png"],
        metadata={"camera": {"iso": 200}}, cases=["day", "night"], by="weather",
    )  # fmt: skip


def many_classes(registry: Registry, folder: Path) -> Comparison:
    dice = random.Random(5)
    labels = [f"class number {n}" for n in range(150)]
    truth = [dice.choice(labels) for _ in range(2_000)]
    answers = [[each if dice.random() < 0.7 else dice.choice(labels) for each in truth] for _ in range(2)]
    return compared(registry, truth, *answers, by="n % 60")


def no_difference(registry: Registry, folder: Path) -> Comparison:
    return compared(registry, ["x", "y"] * 40, ["x"] * 80, ["x"] * 80)


def two_samples(registry: Registry, folder: Path) -> Comparison:
    return compared(registry, ["x", "y"], ["x", "x"], ["x", "y"])


def hostile_names(registry: Registry, folder: Path) -> Comparison:
    labels = [TURNED, "x" * 3_000, "</style></svg>"]
    truth = [labels[n % 3] for n in range(90)]
    return compared(
        registry,
        truth,
        truth[::-1],
        truth,
        models=[f"a {EVIL}", f"b {EVIL}"],
        suite=f"s {EVIL}",
        weather=[TURNED, "y" * 900],
        cases=[f"c {EVIL}", "d"],
        metadata={EVIL: {EVIL: EVIL}},
        locators=[EVIL, "http://127.0.0.1:9/x.png"],
        by="weather",
    )


MADE = [everything, many_classes, no_difference, two_samples, hostile_names, segmented, shaped, transcribed]


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_the_page_opens_without_a_fault(make: Any, browser: Any, registry: Registry, tmp_path: Path) -> None:
    path = make(registry, tmp_path).to_html(tmp_path / "report.html")
    for look, (scheme, width) in LOOKS.items():
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        told = Told(page)
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        picture = page.screenshot(full_page=True)
        assert told.faults == []
        assert [url for url in told.requests if not url.startswith("data:")] == [path.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.title") != "owned"
        assert _is_drawn(picture, dark=scheme == "dark")
        broken = "[...document.querySelectorAll('svg image')].filter(each => each.getBBox().width == 0).length"
        assert page.evaluate(broken) == 0
        if KEPT:
            (Path(KEPT) / f"{make.__name__}-{look}.png").write_bytes(picture)
        context.close()


class Told:
    """What a page says and asks for."""

    def __init__(self, page: Any) -> None:
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))


def test_no_plot_is_cut(browser: Any, registry: Registry, tmp_path: Path) -> None:
    """Text is measured where the page is made, and drawn where it is read."""
    path = everything(registry, tmp_path).to_html(tmp_path / "report.html")
    for width in (1200, 400):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(path.as_uri())
        cut = """[...document.querySelectorAll('figure svg')].filter(svg => svg.getClientRects().length).flatMap(svg =>
            [...svg.querySelectorAll('text')].filter(text => {
                const [a, b] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
                return a.left < b.left - 2 || a.right > b.right + 2 || a.bottom > b.bottom + 2;
            }).map(text => text.textContent))"""
        assert page.evaluate(cut) == []
        page.close()


def _is_drawn(picture: bytes, *, dark: bool) -> bool:
    """Whether paper and ink are what they should be: most of a page is its paper."""
    from PIL import Image

    image = Image.open(BytesIO(picture)).convert("L")
    histogram = image.histogram()
    paper = histogram.index(max(histogram))
    return (paper < 60) is dark and sum(histogram[:40]) > 0 and sum(histogram[215:]) > 0
