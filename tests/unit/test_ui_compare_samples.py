"""Samples on the page: the gallery, one by one, their pictures, and files to take away."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow.parquet as pq
import pytest
from PIL import Image

import localreg
from localreg import Registry
from localreg.html import theme
from localreg.ui.assets import asset
from localreg.ui.pictures import Addresses
from localreg.ui.safety import Keys
from localreg.ui.site import Site
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test
from tests.pages import Answer, Browser, Node
from tests.reports import compared, segmented

TRUTH = ["cat", "dog", "cow"] * 20
OLD = ["cat"] * 60
NEW = [*TRUTH[:-2], "cat", "cat"]
BOTH: dict[str, Any] = {"model": ["old", "new"], "suite": "shots"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, and beside them a secret one."""
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        Image.new("RGB", (400, 300), (80 * number, 40, 40)).save(tmp_path / "pictures" / f"{number}.png")
    Image.new("RGB", (30, 20), "red").save(tmp_path / "secret.png")
    return tmp_path / "pictures"


def shots(registry: Registry, folder: Path, *locators: str, **given: Any) -> Browser:
    names = locators or [str(folder / f"{number}.png") for number in range(3)]
    compared(registry, TRUTH, OLD, NEW, locators=names, weather=["fog", "sun"], metadata={"iso": 200}, **given)
    return Browser(registry, files=[folder])


@pytest.fixture
def browser(registry: Registry, folder: Path) -> Browser:
    return shots(registry, folder)


def cards(answer: Answer) -> list[Node]:
    return answer.main.one("ul", class_="gallery").all("li")


def outcomes(answer: Answer) -> dict[str, str]:
    links = answer.main.one("nav", class_="outcomes").all("a")
    return {each.text: each.attributes["href"] for each in links}


def hrefs(answer: Answer) -> list[str]:
    return [each.attributes["href"] for each in answer.main.all("image")]


# --- the gallery ------------------------------------------------------------------------------------------------------


def test_samples_are_shown_by_what_became_of_them(browser: Browser) -> None:
    answer = browser.get("/compare/samples", **BOTH)
    assert list(outcomes(answer)) == ["Fixed 38", "Broken 0", "Both wrong 2", "All 60"]
    assert len(cards(answer)) == 24
    assert cards(answer)[0].one("dl", class_="answers").text == "ground truthdogbaselinecat 0.75candidatedog 0.75"
    wrong = browser.get(outcomes(answer)["Both wrong 2"])
    assert [each.one("dl", class_="fields").all("dd")[1].text for each in cards(wrong)] == ["58", "59"]
    assert browser.get(outcomes(answer)["Broken 0"]).main.one(class_="empty").text == "There is none."
    assert browser.get("/compare/samples", **BOTH, outcome="other").status == 400


def test_pages_follow_each_other(browser: Browser) -> None:
    answer = browser.get("/compare/samples", **BOTH, outcome="all")
    seen = [each.all("a")[-1].text for each in cards(answer)]
    for _ in range(2):
        (following,) = answer.main.one(id="cards").all("a", rel="next")
        answer = browser.get(following.attributes["href"])
        seen += [each.all("a")[-1].text for each in cards(answer)]
    assert seen == [f"Sample {n}" for n in range(1, 61)]
    assert not answer.main.one(id="cards").all("a", rel="next")


def test_a_condition_chooses_and_its_columns_are_told(browser: Browser) -> None:
    answer = browser.get("/compare/samples", **BOTH, by="sample.n % 2", where="sample.weather = 'fog' AND sample.n < 9")
    assert [each.one("dl", class_="fields").all("dd")[1].text for each in cards(answer)] == ["2", "4", "8"]
    assert list(outcomes(answer)) == ["Fixed 3", "Broken", "Both wrong", "All"]
    columns = [each.text for each in answer.main.one("dl", class_="known").all("dt")]
    for each in ("test_case", "ground_truth", "a", "score_b", "sample.weather", "metadata.iso", '"sample.n % 2"'):
        assert each in columns
    for each in columns:
        assert browser.get("/compare/samples", **BOTH, by="sample.n % 2", where=f"{each} IS NOT NULL").status == 200
    form = answer.main.one("form", class_="condition")
    assert len(cards(browser.submit(form, where="sample.n = 4", model=BOTH["model"]))) == 1


def test_a_condition_that_cannot_be_used_is_told_beside_it(browser: Browser) -> None:
    answer = browser.get("/compare/samples", **BOTH, where="nothing = 1")
    assert answer.status == 400
    assert "nothing" in answer.main.one(id="error").text
    assert answer.main.one("input", name="where").attributes["value"] == "nothing = 1"
    assert answer.main.all("dl", class_="known")
    none = browser.get("/compare/samples", **BOTH, where="sample.n = 1000")
    assert none.main.one(class_="empty").text == "No sample fits.Without the condition"


def test_a_sample_is_shown_large_between_its_neighbours(browser: Browser) -> None:
    gallery = browser.get("/compare/samples", **BOTH, where="sample.n > 1")
    answer = browser.get(cards(gallery)[1].all("a")[-1].attributes["href"])
    assert answer.main.one("h1").text == "Sample 2 of 37"
    moves = answer.main.one("nav", data_keys="")
    assert [each.attributes.get("rel") for each in moves.all("a")] == ["prev", None, "next"]
    following = browser.get(moves.one("a", rel="next").attributes["href"])
    assert following.main.one("h1").text == "Sample 3 of 37"
    first = browser.get(moves.one("a", rel="prev").attributes["href"])
    assert not first.main.all("a", rel="prev")
    last = browser.get("/compare/sample", **BOTH, where="sample.n > 1", n=37)
    assert not last.main.all("a", rel="next")
    assert "page=2" in next(each for each in last.main.all("a") if each.text == "All 37").attributes["href"]
    assert browser.get("/compare/sample", **BOTH, n=39).status == 404
    stored = [each.text for each in answer.main.one(class_="stored").all("pre")]
    assert '"label": "dog"' in stored[0]
    assert '"score": 0.75' in stored[2]
    assert '{ "iso": 200 }' in stored[4]


def test_what_is_drawn_can_be_taken_away_side_by_side(browser: Browser) -> None:
    main = browser.get("/compare/sample", **BOTH).main
    ticks = main.one("fieldset", class_="toggles").all("input")
    assert [each.attributes["id"] for each in ticks] == ["show-truth", "show-baseline", "show-candidate"]
    drawn = {each.attributes["stroke"] for each in main.one("svg", class_="picture").all("rect")}
    assert drawn == {theme.TRUTH, theme.BASELINE, theme.CANDIDATE}
    sheet = asset("compare.css")
    assert sheet is not None
    for side, color in zip(
        ("truth", "baseline", "candidate"), (theme.TRUTH, theme.BASELINE, theme.CANDIDATE), strict=True
    ):
        assert f'#show-{side}:not(:checked)) svg.picture [stroke="{color}"]' in sheet.data.decode()


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_pictures_are_small_in_the_gallery_and_large_alone(browser: Browser) -> None:
    gallery, one = browser.get("/compare/samples", **BOTH), browser.get("/compare/sample", **BOTH)
    for answer, size in ((gallery, (320, 240)), (one, (400, 300))):
        picture = browser.get(hrefs(answer)[0])
        assert picture.status == 200
        assert picture.headers["cache-control"].startswith("private")
        assert Image.open(io.BytesIO(picture.body)).size == size


def test_only_what_a_page_named_is_given(browser: Browser, folder: Path) -> None:
    asked: dict[str, Any] = dict(parse_qsl(urlsplit(hrefs(browser.get("/compare/sample", **BOTH))[0]).query))
    assert browser.get("/picture", **asked).status == 200
    here = browser.get("/compare").page.one("footer").all("span")[0].text
    other_server = Browser(localreg.open(here, read_only=True), files=[folder])
    assert other_server.get("/picture", **asked).status == 404
    for other in (
        {"locator": str(folder / "2.png")},
        {"side": "100"},
        {"side": "1000000"},
        {"signed": ""},
        {"signed": "é"},
        {"locator": ""},
    ):
        assert browser.get("/picture", **{**asked, **other}).status in (400, 404)


def test_pictures_outside_are_not_shown_and_the_next_step_is_told_once(registry: Registry, folder: Path) -> None:
    secret = folder.parent / "secret.png"
    (folder / "link.png").symlink_to(secret)
    browser = shots(registry, folder, str(secret), str(folder / ".." / "secret.png"), str(folder / "link.png"))
    for path in ("/compare/samples", "/compare/sample"):
        answer = browser.get(path, **BOTH)
        assert not hrefs(answer)
        assert f"localreg ui --files {folder.parent}" in answer.main.one("p", class_="outside").text
    report = browser.get("/compare/download", **BOTH, what="html")
    assert "data:image" not in report.text
    allowed = Browser(registry, files=[folder.parent])
    assert hrefs(allowed.get("/compare/samples", **BOTH))


def test_a_picture_that_leaves_the_folders_later_is_not_given(browser: Browser, folder: Path) -> None:
    (address, *_) = hrefs(browser.get("/compare/sample", **BOTH))
    (folder / "1.png").unlink()
    assert browser.get(address).status == 404
    (folder / "1.png").symlink_to(folder.parent / "secret.png")
    assert browser.get(address).status == 404


@pytest.mark.parametrize(
    "kept", ["http://example.org/a.png", "s3://bucket/a.png", "/dev/zero", "/etc/passwd", "\0", "."]
)
def test_what_is_no_local_picture_is_no_mistake(registry: Registry, folder: Path, kept: str) -> None:
    browser = shots(registry, folder, kept.replace("\0", "zero") + "x" * (kept == "\0"))
    answer = browser.get("/compare/samples", **BOTH)
    assert answer.status == 200
    assert not hrefs(answer)


def test_masks_are_drawn_over_their_picture(registry: Registry, folder: Path) -> None:
    segmented(registry, folder)
    main = Browser(registry, files=[folder]).get("/compare/samples", model=["old", "new"], suite="s").main
    assert main.one("svg", class_="picture").all("path", class_="box")


def test_masks_outside_are_not_looked_at(registry: Registry, folder: Path) -> None:
    """What a mask shows by its outline lies in a file like any other."""
    for place in (folder, folder.parent):
        Image.new("L", (40, 30), 1).save(place / "mask.png")
    shown = Site(registry, Keys(), [folder.resolve()])
    source = Addresses(shown, 100)
    assert source.may_read(str(folder / "mask.png"))
    assert not source.may_read(str(folder.parent / "mask.png"))
    assert not source.may_read(str(folder / ".." / "mask.png"))
    assert not source.may_read("s3://bucket/mask.png")


# --- numbers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class House(TestSample):
    n: int


@dataclass(frozen=True)
class Price(GroundTruth):
    price: float


@dataclass(frozen=True)
class Guess(Inference):
    price: float


_, Case, Suite, Net = define_workflow("Prices", House, Price, Guess)


@pytest.fixture
def prices(registry: Registry) -> Browser:
    suite = Suite("p", test_cases=[Case("c", test_samples=[(House(n), Price(100.0)) for n in range(40)])])
    test(Net("old", lambda house: Guess(101.0)), suite)
    test(Net("new", lambda house: Guess(100.0 + house.n)), suite)
    return Browser(registry)


def test_of_numbers_the_worst_are_shown_first(prices: Browser) -> None:
    asked: dict[str, Any] = {"model": ["old", "new"], "suite": "p"}
    answer = prices.get("/compare/samples", **asked)
    assert list(outcomes(answer)) == ["Worst 38", "All 40"]
    assert not answer.main.all("form", class_="condition")
    seen = [each.one("dl", class_="fields").all("dd")[1].text for each in cards(answer)]
    second = prices.get("/compare/samples", **asked, page=2)
    seen += [each.one("dl", class_="fields").all("dd")[1].text for each in cards(second)]
    assert seen == [str(n) for n in range(39, 1, -1)]
    assert prices.get("/compare/sample", **asked, n=2).main.one("h1").text == "Sample 2 of 38"
    every = prices.get("/compare/samples", **asked, outcome="all", where="error_b > 30")
    assert len(cards(every)) == 9
    assert len(_rows(prices.get("/compare/download", **asked, what="samples.csv", outcome="worst"))) == 38


# --- files to take away -----------------------------------------------------------------------------------------------


def _rows(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_comparison_is_given_as_files(browser: Browser, registry: Registry) -> None:
    found = registry.compare("old", "new", suite="shots")
    answer = browser.get("/compare/download", **BOTH, what="metrics.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="new-1-against-old-1-metrics.csv"'
    rows = _rows(answer)
    assert len(rows) == len(found.rows)
    assert rows[0]["metric"] == "accuracy"
    assert float(rows[0]["b"]) == found.rows[0].b
    table = pq.read_table(io.BytesIO(browser.get("/compare/download", **BOTH, what="metrics.parquet").body))
    assert table == found.metrics.arrow()
    kept = pq.read_table(
        io.BytesIO(browser.get("/compare/download", **BOTH, what="samples.parquet", outcome="both_wrong").body)
    )
    assert kept.num_rows == 2
    some = _rows(browser.get("/compare/download", **BOTH, what="samples.csv", outcome="all", where="sample.n < 3"))
    assert [row["sample"].split(",")[0] for row in some] == ['{"n": 0', '{"n": 1', '{"n": 2']
    report = browser.get("/compare/download", **BOTH, what="html")
    assert report.text.startswith("<!doctype html>")
    assert "data:image" in report.text


def test_other_files_are_refused(browser: Browser) -> None:
    assert browser.get("/compare/download", **BOTH, what="passwd").status == 404
    assert browser.get("/compare/download", **BOTH, what="samples.csv", where="nothing > 1").status == 400


def test_pages_of_samples_need_a_whole_question(browser: Browser) -> None:
    for path in ("/compare/samples", "/compare/sample", "/compare/download", "/compare/part"):
        answer = browser.get(path, model="old", what="html")
        assert answer.status == 400, path
        assert "/compare" in answer.main.one(id="error").text


def test_links_keep_the_question_and_the_moment(browser: Browser, registry: Registry) -> None:
    commit = registry.commit
    answer = browser.get("/compare/samples", **BOTH, by="sample.weather", at=commit, strict="1")
    for each in [cards(answer)[0].all("a")[-1].attributes["href"], outcomes(answer)["All 60"]]:
        told = dict(parse_qsl(urlsplit(each).query))
        assert (told["at"], told["by"], told["strict"]) == (str(commit), "sample.weather", "1")
