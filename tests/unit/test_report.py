from __future__ import annotations

import base64
import io
import os
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

import localreg
from localreg import Comparison, InvalidInputError, NotFoundError, Registry, StorageError
from localreg.compare.report.bars import extent, interval_bar
from localreg.compare.report.tables import metric_table, part_table
from localreg.compare.report.wording import sentence
from localreg.compare.rows import MetricRow
from localreg.html.markup import clean, isolated, tag
from tests.reports import Page, compared

EVIL = "\"><script>alert(1)</script><img src=//x onerror=alert(2)>'&amp;</style></svg>"


def read(comparison: Comparison, folder: Path, **asked: Any) -> Page:
    return Page(comparison.to_html(folder / "report.html", **asked).read_text(encoding="utf-8"))


def mixed(registry: Registry, **asked: Any) -> Comparison:
    """12 fixed, 3 broken, 5 wrong under both, of 60."""
    truth = ["cat", "dog", "cow"] * 20
    wrong = dict(zip(["cat", "dog", "cow"], ["dog", "cow", "cat"], strict=True))
    old = [wrong[label] if n < 12 or n >= 55 else label for n, label in enumerate(truth)]
    new = [wrong[label] if 20 <= n < 23 or n >= 55 else label for n, label in enumerate(truth)]
    return compared(registry, truth, old, new, **asked)


def row(**given: Any) -> MetricRow:
    usual: dict[str, Any] = {
        "metric": "accuracy", "label": None, "test_case": None, "by": None, "slice": None, "candidate": "b@1",
        "a": 0.82, "b": 0.829, "difference": 0.009, "low": 0.008, "high": 0.01, "p": 1e-9, "p_adjusted": 1e-9,
        "n": 10**6, "fixed": 145_964, "broken": 137_074, "verdict": "improved", "least_detectable": 0.001,
        "reason": None,
    }  # fmt: skip
    return MetricRow(**{**usual, **given})


def comparison_of(*rows: MetricRow) -> Comparison:
    sides = tuple(localreg.compare.Side(name, localreg.compare.Coverage(1, 0, 0, 0), None) for name in ("a@1", "b@1"))

    def nothing(*_: object) -> Any:
        raise AssertionError("not asked for")

    session = cast("Any", None)
    return Comparison(
        sides, "s", 1, "classification", False, 0.95, rows, (), 7, "holm", (), (), nothing, nothing, session, None
    )


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {},
            "b@1 is better than a@1: accuracy 0.829 against 0.820, +0.9 points (95 % interval +0.8 to +1.0), "
            "145,964 fixed and 137,074 broken",
        ),
        (
            {"verdict": "regressed", "b": 0.811, "difference": -0.009, "low": -0.01, "high": -0.008},
            "b@1 is worse than a@1: accuracy 0.811 against 0.820, \N{MINUS SIGN}0.9 points (95 % interval "
            "\N{MINUS SIGN}1.0 to \N{MINUS SIGN}0.8), 145,964 fixed and 137,074 broken",
        ),
        (
            {"verdict": "inconclusive", "low": -0.0004, "high": 0.0184},
            "Whether b@1 is better than a@1 cannot be told: accuracy 0.8290 against 0.8200, +0.90 points "
            "(95 % interval \N{MINUS SIGN}0.04 to +1.84), 145,964 fixed and 137,074 broken",
        ),
        (
            {"verdict": "equal", "b": 0.82, "difference": 0.0, "fixed": 0, "broken": 0},
            "b@1 and a@1 are right on the same samples: accuracy 0.820, nothing fixed and nothing broken",
        ),
        (
            {"a": None, "difference": None, "low": None, "high": None, "reason": "one class only"},
            "b@1 and a@1 cannot be compared by accuracy: one class only",
        ),
        (
            {"metric": "mean_absolute_error", "a": 2.5, "b": 2.25, "difference": -0.25, "low": -0.3, "high": -0.2,
             "fixed": None, "broken": None},
            "b@1 is better than a@1: mean absolute error 2.25 against 2.50, \N{MINUS SIGN}0.25 (95 % interval "
            "\N{MINUS SIGN}0.30 to \N{MINUS SIGN}0.20)",
        ),
        (
            {"metric": "log_loss", "a": 0.2134, "b": 0.2081, "difference": -0.0053, "low": -0.04, "high": 0.03,
             "verdict": "inconclusive", "fixed": None, "broken": None},
            "Whether b@1 is better than a@1 cannot be told: log loss 0.208 against 0.213, \N{MINUS SIGN}0.005 "
            "(95 % interval \N{MINUS SIGN}0.040 to +0.030)",
        ),
        (
            {"metric": "median_absolute_error", "a": 0.00012345, "b": 0.00011, "difference": -0.00001345, "low": None,
             "high": None, "verdict": "inconclusive", "fixed": None, "broken": None},
            "Whether b@1 is better than a@1 cannot be told: median absolute error 0.000110 against 0.000123, "
            "\N{MINUS SIGN}0.000013",
        ),
        (
            {"metric": "mean_absolute_error", "a": 25134.31, "b": 25012.7, "difference": -121.61, "low": -300.0,
             "high": 60.0, "verdict": "inconclusive", "fixed": None, "broken": None},
            "Whether b@1 is better than a@1 cannot be told: mean absolute error 25,013 against 25,134, "
            "\N{MINUS SIGN}122 (95 % interval \N{MINUS SIGN}300 to +60)",
        ),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(given: dict[str, Any], expected: str) -> None:
    assert sentence(comparison_of(row(**given)), "b@1") == expected


def test_the_page_says_it_in_the_order_of_interest(registry: Registry, tmp_path: Path) -> None:
    comparison = mixed(registry, weather=["fine", "rain"], cases=["day", "night"], by="weather")
    text = read(comparison, tmp_path).text
    said = [
        "new@1 against old@1 on shots",
        "new@1 is better than old@1: accuracy 0.867 against 0.717, +15.0 points",
        "12 fixed and 3 broken.",
        "Metrics",
        "balanced accuracy",
        "Classes",
        "Accuracy by test case",
        "Accuracy by weather",
        "Confusions",
        "Samples",
        "Fixed · 12",
        "Broken · 3",
        "Both wrong · 5",
        "What was compared, and how",
        f"Test suite shots, version 1, as of commit {registry.commit}",
        "60 samples paired",
        "Holm's method",
        "McNemar's exact test",
    ]
    place = 0
    for each in said:
        place = text.find(each, place)
        assert place >= 0, each


def test_warnings_and_gaps_are_told(registry: Registry, tmp_path: Path) -> None:
    page = read(compared(registry, ["x", "y", "x"], ["x", "y", "y"], ["x", None, "x"], strict=True), tmp_path)
    assert "of new@1, 1 skipped: counted as wrong" in page.text
    assert "samples without an inference are counted as wrong" in page.text


def test_each_candidate_has_its_part(registry: Registry, tmp_path: Path) -> None:
    comparison = compared(registry, ["x", "y"] * 30, ["x"] * 60, ["x", "y"] * 30, ["y"] * 60)
    page = read(comparison, tmp_path)
    assert [each.attributes["class"] for each in page.all("p", "verdict-box")] == [
        "verdict-box improved",
        "verdict-box inconclusive",
    ]
    assert "Metrics: new@1" in page.text
    assert "Metrics: newest@1" in page.text


def test_a_comparison_without_any_difference_has_a_page(registry: Registry, tmp_path: Path) -> None:
    page = read(compared(registry, ["x", "y"], ["x", "x"], ["x", "x"]), tmp_path)
    assert "are right on the same samples: accuracy 0.500, nothing fixed and nothing broken" in page.text
    assert "Both models confuse the same classes, equally often." in page.text


def test_a_value_that_cannot_be_measured_says_why(registry: Registry, tmp_path: Path) -> None:
    comparison = compared(registry, ["x", "x"], ["x", "x"], ["x", "x"], metrics=["accuracy", "matthews_corrcoef"])
    reason = comparison.row("matthews_corrcoef").reason
    assert reason
    assert reason in read(comparison, tmp_path).text


# --- tables and bars --------------------------------------------------------------------------------------------------


def test_a_bar_stands_where_its_numbers_say() -> None:
    """Zero in the middle of 160 pixels, with a margin of 9 at both sides."""
    drawn = interval_bar(row(low=0.02, difference=0.04, high=0.08, verdict="improved"), 8.0)
    assert '<line x1="80" x2="80" y1="0" y2="20"' in drawn
    assert '<line x1="97.75" x2="151" y1="10" y2="10"' in drawn
    assert re.findall(r'd="M([\d.]+) 4l6 11h-12z"', drawn) == ["115.50"]
    mirrored = interval_bar(row(low=-0.08, difference=-0.04, high=-0.02, verdict="regressed"), 8.0)
    assert '<line x1="9" x2="62.25"' in mirrored
    assert re.findall(r'd="M([\d.]+) 16l6 -11h-12z"', mirrored) == ["44.50"]


@pytest.mark.parametrize(("verdict", "shape"), [("inconclusive", "circle"), ("equal", "rect")])
def test_what_is_no_difference_has_a_shape_of_its_own(verdict: str, shape: str) -> None:
    assert f"<{shape} " in interval_bar(row(verdict=verdict), 2.0)


def test_one_wide_interval_does_not_flatten_the_others_and_is_cut_with_an_arrow() -> None:
    rows = [row(low=-0.01, high=0.01, difference=0.0)] * 5 + [row(low=-1.0, high=1.0, difference=0.0)]
    reach = extent(rows)
    assert reach == pytest.approx(4.0)
    assert interval_bar(rows[-1], reach).count("5z") == 2
    assert interval_bar(rows[0], reach).count("5z") == 0
    assert extent([row(difference=None)]) is None
    assert interval_bar(row(difference=None), None) == ""


def test_the_tables_hold_the_rows_of_the_comparison(registry: Registry, tmp_path: Path) -> None:
    comparison = mixed(registry)
    text = read(comparison, tmp_path).text
    found = comparison.row("balanced_accuracy")
    assert found.difference is not None
    assert f"balanced accuracy{found.a:.3f}{found.b:.3f}{100 * found.difference:+.1f}" in text


# --- one file, safe ---------------------------------------------------------------------------------------------------


def test_the_page_asks_for_nothing_else(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.new("RGB", (100, 80), "teal").save(path)
    page = read(mixed(registry, locators=[str(path)], weather=["fine", "rain"], by="weather"), tmp_path)
    assert {each.tag for each in page.elements} & {"script", "img", "link", "iframe", "object", "use", "a"} == set()
    for each in page.elements:
        assert not [name for name in each.attributes if name.startswith("on") or name in ("style", "src")]
        assert (each.attributes.get("href") or "data:image/").startswith("data:image/")
    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    assert page.all("image")


def test_its_policy_allows_its_own_style_alone(registry: Registry, tmp_path: Path) -> None:
    page = read(mixed(registry), tmp_path)
    (policy,) = [each.attributes["content"] for each in page.all("meta") if "http-equiv" in each.attributes]
    (style,) = page.styles
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_names_are_text_wherever_they_stand(registry: Registry, tmp_path: Path) -> None:
    labels = [f"{EVIL}{n}\u202e\x07" for n in range(2)]
    truth = [labels[n % 2] for n in range(40)]
    comparison = compared(
        registry, truth, truth[::-1], truth, models=[f"a{EVIL}", f"b{EVIL}"], suite=f"s{EVIL}", weather=[EVIL, "w"],
        cases=[f"c{EVIL}", "d"], metadata={EVIL: {EVIL: [EVIL]}}, locators=[EVIL], by="weather",
    )  # fmt: skip
    harmless = read(mixed(registry, models=["m", "n"], suite="t", by="weather", cases=["e", "f"]), tmp_path)
    page = read(comparison, tmp_path, title=f"t{EVIL}\ud800")
    assert {each.tag for each in page.elements} <= {each.tag for each in harmless.elements} | {"section"}
    known = {name for each in harmless.elements for name in each.attributes}
    assert {name for each in page.elements for name in each.attributes} <= known | {"title", "clip-path"}
    assert page.text.count("<script>alert(1)</script>") > 20
    assert "\x07" not in page.text


def test_the_same_comparison_gives_the_same_bytes(registry: Registry, tmp_path: Path) -> None:
    comparison = mixed(registry, weather=["fine", "rain"], by="weather")
    first = comparison.to_html(tmp_path / "a.html").read_bytes()
    again = localreg.open(registry.uri).compare("old", "new", suite="shots", by="weather")
    assert again.to_html(tmp_path / "b.html").read_bytes() == first


def test_markup_escapes_all_but_markup() -> None:
    assert tag("b", "<i>", tag("i", "&"), None, title='"', class_="x", open="") == (
        '<b title="&quot;" class="x" open="">&lt;i&gt;<i>&amp;</i></b>'
    )
    assert clean("a\x00\ud800\ufffe\x9fb") == "a\ufffd\ufffd\ufffd\ufffdb"
    assert isolated("x" * 300) == f'<bdi title="{"x" * 300}">{"x" * 159}…</bdi>'


# --- without what is optional -----------------------------------------------------------------------------------------


def test_without_vl_convert_there_are_tables_and_bars_and_a_hint(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = mixed(registry, weather=["fine", "rain"], by="weather")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    page = read(comparison, tmp_path)
    assert page.text.count("pip install 'localreg-registry[ui]'") == 1
    assert not page.all("figure")
    assert len(page.all("svg", "bar")) > 10
    assert "Accuracy by weather" in page.text
    assert "taken for" in page.text


def test_without_pillow_there_are_no_pictures_and_a_hint(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "p.png")
    comparison = mixed(registry, locators=[str(tmp_path / "p.png")])
    monkeypatch.setitem(sys.modules, "PIL", None)
    page = read(comparison, tmp_path)
    assert page.text.count("they need Pillow") == 1
    assert not page.all("image")


# --- samples ----------------------------------------------------------------------------------------------------------


def test_samples_are_listed_with_what_is_known_of_them(registry: Registry, tmp_path: Path) -> None:
    comparison = compared(
        registry, ["cat"], ["dog"], ["cat"], scores=[[0.25], [0.625]], metadata={"iso": 200}, locators=["s3://b/1.png"]
    )
    text = read(comparison, tmp_path).text
    told = "ground truthcatbaselinedog 0.25candidatecat 0.625test casealln0locators3://b/1.pngweatherfineiso200"
    assert told in text


def test_many_samples_are_thinned_evenly_and_that_is_told(registry: Registry, tmp_path: Path) -> None:
    comparison = compared(registry, ["x"] * 100, ["y"] * 100, ["x"] * 100)
    text = read(comparison, tmp_path, samples=5).text
    assert "Fixed · 5 of 100, evenly spread over the suite" in text
    listed = [int(each) for each in re.findall(r"test casealln(\d+)locator", text)]
    assert listed == [0, 24, 49, 74, 99]
    assert "Samples" not in read(comparison, tmp_path, samples=0).text


def pictures(page: Page) -> list[Image.Image]:
    found: list[Image.Image] = []
    for each in page.all("image"):
        kind, _, data = (each.attributes["href"] or "").partition(";base64,")
        assert kind in ("data:image/jpeg", "data:image/png")
        found.append(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def one_wrong(registry: Registry, locator: str) -> Comparison:
    return compared(registry, ["x"], ["y"], ["x"], locators=[locator])


@pytest.mark.parametrize(
    ("mode", "size", "name", "small"),
    [
        ("RGB", (800, 400), "1.jpg", (160, 80)),
        ("RGBA", (100, 400), "1.png", (40, 160)),
        ("P", (50, 20), "1.gif", (50, 20)),
        ("L", (8, 8), "1.bmp", (8, 8)),
        ("I;16", (300, 300), "1.tiff", (160, 160)),
        ("F", (30, 20), "2.tiff", (30, 20)),
    ],
)
def test_pictures_become_thumbnails(
    registry: Registry, tmp_path: Path, mode: str, size: tuple[int, int], name: str, small: tuple[int, int]
) -> None:
    Image.new(mode, size).save(tmp_path / name)
    page = read(one_wrong(registry, (tmp_path / name).as_uri()), tmp_path)
    (picture,) = pictures(page)
    assert picture.size == small
    (frame,) = page.all("svg", "picture")
    assert frame.attributes["viewbox"] == f"0 0 {size[0]} {size[1]}"


def test_boxes_stand_where_they_are_in_the_picture(registry: Registry, tmp_path: Path) -> None:
    Image.new("RGB", (400, 300)).save(tmp_path / "1.png")
    page = read(one_wrong(registry, str(tmp_path / "1.png")), tmp_path)
    boxes = [[each.attributes[name] for name in ("x", "y", "width", "height")] for each in page.all("rect", "box")]
    assert boxes == [["1", "2", "29", "18"], ["3", "4", "25", "21"], ["3", "4", "25", "21"]]
    assert (
        len({(each.attributes["stroke"], each.attributes.get("stroke-dasharray")) for each in page.all("rect", "box")})
        == 3
    )
    assert "candidate: <b> 0.500" in page.text


def test_only_pictures_in_local_files_are_shown(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    (tmp_path / "script.eps").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    )
    Image.new("RGB", (90, 90), "teal").save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    Image.new("RGB", (9, 9)).save(tmp_path / "old.pcx")  # decoders that nobody needs stay shut
    os.mkfifo(tmp_path / "pipe.png")
    names = ["text.png", "script.eps", "half.png", "pipe.png", "gone.png", "old.pcx"]
    locators = [
        *(str(tmp_path / name) for name in names),
        "http://127.0.0.1:9/x.png",
        "s3://b/x.png",
        str(tmp_path),
        "\0",
    ]
    page = read(compared(registry, ["x"] * 10, ["y"] * 10, ["x"] * 10, locators=locators), tmp_path)
    assert pictures(page) == []
    assert "Fixed · 10" in page.text


def test_a_picture_of_absurd_size_is_left_out(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localreg.compare.report import pictures as module

    Image.new("1", (8_500, 8_500)).save(tmp_path / "bomb.png")  # below what Pillow itself refuses
    assert pictures(read(one_wrong(registry, str(tmp_path / "bomb.png")), tmp_path)) == []
    Image.new("RGB", (50, 50)).save(tmp_path / "fine.png")
    monkeypatch.setattr(module, "MOST_BYTES", 50)
    assert pictures(read(registry.compare("old", "new", suite="shots"), tmp_path)) == []


def test_pictures_of_a_page_are_bounded_and_that_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localreg.compare.report import pictures as module

    for name in range(3):
        Image.new("RGB", (90, 90), (name, 0, 0)).save(tmp_path / f"{name}.png")
    monkeypatch.setattr(module, "MOST_OF_PAGE", 1)
    locators = [str(tmp_path / f"{name}.png") for name in range(3)]
    page = read(compared(registry, ["x"] * 3, ["y"] * 3, ["x"] * 3, locators=locators), tmp_path)
    assert len(pictures(page)) == 1
    assert "Some pictures are left out" in page.text


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_report_takes_the_place_of_an_earlier_one(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old", encoding="utf-8")
    assert "Metrics" in read(mixed(registry), tmp_path, title="Release 7").text
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["report.html"]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<title>Release 7</title>" in text


@pytest.mark.parametrize(
    ("path", "asked", "error", "message"),
    [
        ("s3://bucket/r.html", {}, InvalidInputError, "no local path"),
        ("nowhere/r.html", {}, StorageError, "no folder"),
        ("r.html", {"samples": -1}, InvalidInputError, "samples is below 0"),
        ("r.html", {"title": " "}, InvalidInputError, "title is ' '"),
        ("r.html", {"title": 3}, InvalidInputError, "title is 3"),
    ],
)
def test_what_cannot_be_written_is_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    path: str, asked: dict[str, Any], error: type[Exception], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        mixed(registry).to_html(path, **asked)
    assert not (tmp_path / "r.html").exists()


# --- confusion --------------------------------------------------------------------------------------------------------


def test_the_confusion_of_each_model_and_their_difference(registry: Registry) -> None:
    comparison = compared(registry, ["a", "a", "b", "b"], ["a", "b", "a", "a"], ["a", "a", "b", "a"])
    assert [tuple(each.values()) for each in comparison.confusion("a")] == [("a", "a", 1), ("a", "b", 1), ("b", "a", 2)]
    assert [tuple(each.values()) for each in comparison.confusion("b")] == [("a", "a", 2), ("b", "a", 1), ("b", "b", 1)]
    assert comparison.confusion().dicts() == [
        {"ground_truth": "a", "predicted": "a", "a": 1, "b": 2, "difference": 1},
        {"ground_truth": "a", "predicted": "b", "a": 1, "b": 0, "difference": -1},
        {"ground_truth": "b", "predicted": "a", "a": 2, "b": 1, "difference": -1},
        {"ground_truth": "b", "predicted": "b", "a": 0, "b": 1, "difference": 1},
    ]


def test_no_answer_is_null_in_the_confusion_if_it_counts(registry: Registry) -> None:
    compared(registry, ["a", "b"], ["a", None], ["a", "b"])
    strict = registry.compare("old", "new", suite="shots", strict=True)
    assert strict.confusion("a").dicts()[-1] == {"ground_truth": "b", "predicted": None, "count": 1}
    loose = registry.compare("old", "new", suite="shots")
    assert loose.confusion("a").dicts() == [{"ground_truth": "a", "predicted": "a", "count": 1}]


def test_what_has_no_confusion_is_refused(registry: Registry) -> None:
    comparison = compared(registry, ["a", "b"], ["a", "a"], ["a", "b"], ["b", "b"])
    assert comparison.confusion("b", candidate="newest@1").dicts() != comparison.confusion("b").dicts()
    with pytest.raises(InvalidInputError, match="which is 'c'; it must be 'difference', 'a' or 'b'"):
        comparison.confusion("c")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="did you mean 'new@1'"):
        comparison.confusion(candidate="new1")


# --- what stands beside the numbers -----------------------------------------------------------------------------------


def binary(registry: Registry, **asked: Any) -> Comparison:
    """Two labels, and scores that can only be of the label that is said."""
    truth = ["benign", "malignant"] * 30
    answers = [[truth[n] if n % every else "benign" for n in range(60)] for every in (3, 7)]
    return compared(registry, truth, *answers, scores=[[0.6 + (n % 8) / 20 for n in range(60)]] * 2, **asked)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "'malignant' is taken for positive; positive= names another."),
        ({"positive": "benign"}, "'benign' is positive, as it was asked for."),
    ],
)
def test_which_label_is_positive_is_told_once_where_it_can_be_read(
    registry: Registry, tmp_path: Path, asked: dict[str, Any], told: str
) -> None:
    text = read(binary(registry, **asked), tmp_path).text
    assert text.count(told) == 1
    assert f"ROC AUC, average precision, log loss, brier score: {told}" in text
    assert "positive: " + told.split("'")[1] in text  # in the plots


def test_why_a_verdict_stays_open_where_an_interval_leaves_out_zero_is_told(registry: Registry, tmp_path: Path) -> None:
    truth, weather = ["x"] * 600, ["fine", "rain", "fog"]
    old = ["y" if n % 3 == 1 and n < 24 else "x" for n in range(600)]
    comparison = compared(registry, truth, old, truth, weather=weather, by="weather")
    rain = comparison.row("accuracy", slice="rain")
    assert rain.verdict == "improved"
    assert "Inconclusive though" not in read(comparison, tmp_path).text
    strict = registry.compare("old", "new", suite="shots", by="weather", confidence=0.99)
    rain = strict.row("accuracy", slice="rain")
    assert rain.verdict == "inconclusive"
    assert rain.low is not None
    assert rain.low > 0
    text = read(strict, tmp_path).text
    assert (
        f"Inconclusive though the interval leaves out zero: rain (p = {rain.p:.3f}, adjusted {rain.p_adjusted:.3f})"
        in text
    )


@pytest.mark.parametrize(
    ("metrics", "told", "absent"),
    [
        (["accuracy"], "Bars reach 3", "own scale"),
        (
            ["accuracy", "log_loss"],
            "to both sides of zero; metrics that are no shares are drawn each on its own scale",
            "",
        ),
        (["log_loss"], "Bars have zero in the middle.", "Differences of shares"),
        (["log_loss", "brier_score"], "Bars have zero in the middle, each on its own scale.", "Differences of shares"),
        (["cohen_kappa"], "Bars reach 0.", "points"),
    ],
)
def test_scales_are_told_of_what_the_table_has(metrics: list[str], told: str, absent: str) -> None:
    rows = [row(metric=metric, difference=0.2, low=0.1, high=0.3) for metric in metrics]
    text = Page(metric_table(rows, comparison_of(*rows))).text
    assert told in text
    assert not absent or absent not in text


def test_bars_of_one_metric_in_several_parts_have_one_scale() -> None:
    rows = [
        row(metric="mean_absolute_error", by="town", slice=name, difference=at, low=at, high=at)
        for name, at in (("a", 1.0), ("b", 2.0))
    ]
    table = part_table("town", ["a", "b"], rows, comparison_of(*rows))
    assert all(interval_bar(each, 2.0) in table for each in rows)
    assert interval_bar(rows[0], 1.0) not in table
