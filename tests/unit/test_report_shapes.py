"""Keypoints, lines and masks over the pictures of a sample, texts beside them, and cards as other pages use them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Images

from localreg import Registry, coco
from localreg.compare.listing import Example, Types
from localreg.compare.report import masks, pictures
from localreg.compare.report.drawing import pictures_of
from localreg.compare.report.examples import card, keys
from localreg.compare.report.masks import file_rings, rings_of, run_length_rings
from localreg.compare.report.outlines import Line, Outline, Points, shapes_in
from localreg.compare.report.pictures import DataUris, Shown, picture_size, small_picture
from localreg.html.markup import Markup, tag
from localreg.html.style import card_styles, style_sheet
from localreg.tables import Field, Node
from tests.reports import CORNERS, Element, Page, segmented, shaped

EVIL = '"><script>alert(1)</script>'


def node(*fields: tuple[str, Node], name: str | None = "Given") -> Node:
    return Node("struct", name=name, fields=tuple(Field(*each) for each in fields))


TEXT, NUMBER = Node("str"), Node("float")
POINT = Node("tuple", fields=(Field("x", NUMBER), Field("y", NUMBER)))


def points_of(name: str, *others: tuple[str, Node]) -> Node:
    return node(("points", Node("list", items=POINT)), *others, name=name)


def points(*given: tuple[float, float]) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in given]


def example(
    typed: tuple[Any, Any, Any] = ({}, {}, {}),
    truth: Node | None = None,
    inference: Node | None = None,
    sample: dict[str, Any] | None = None,
    **shown: Any,
) -> Example:
    types = Types(node(), truth or node(), inference or truth or node())
    return Example("case", 0, shown, {}, sample or {"locator": "1.png"}, "{}", typed, types)


class Addresses:
    """A server's pictures: 100 by 50 each, at an address of their own."""

    def of(self, locator: str) -> Shown | None:
        return None if locator == "gone.png" else Shown(f"/pictures/{locator}", 100, 50)

    def may_read(self, locator: str) -> bool:
        return True


def drawn(*typed: Any, **given: Any) -> list[Element]:
    (picture,) = pictures_of(example((*typed, None, None)[:3], **given), Addresses())
    return [each for each in Page(picture).elements if each.attributes.get("class") in ("box", "point")]


# --- lists of points --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_name", "field", "label", "kind"),
    [
        ("Keypoints", "face", None, Points),
        ("Keypoints", "lanes", "x", Points),
        ("LabeledKeypoints", "", "x", Points),
        ("Polyline", "", None, Line),
        ("LanePolyline", "outlines", "x", Line),
        ("Polygon", "", None, Outline),
        ("ScoredLabeledPolygon", "", "x", Outline),
        ("Given", "lanes", None, Line),
        ("Given", "keypoints", "x", Points),
        ("Airplane", "", "x", Outline),
        ("Face", "", None, Points),
    ],
)
def test_what_points_mean_is_told_by_names(class_name: str, field: str, label: str | None, kind: type) -> None:
    inner = points_of(class_name, *([("label", TEXT)] if label else []))
    schema = node((field or "value", Node("list", items=inner)))
    value = {field or "value": [{"points": points(*CORNERS), **({"label": label} if label else {})}]}
    expected = Outline((tuple(CORNERS),), label or "") if kind is Outline else kind(tuple(CORNERS), label or "")
    assert shapes_in(value, schema) == [expected]


def test_members_of_unions_and_values_of_maps_are_told_by_their_classes() -> None:
    union = Node("union", fields=(Field("Polyline", points_of("Polyline")), Field("Keypoints", points_of("Keypoints"))))
    schema = node(("each", Node("map", keys=TEXT, items=union)))
    line = {"type": "Polyline", "Polyline": {"points": points((1, 2), (3, 4))}, "Keypoints": None}
    found = {"type": "Keypoints", "Polyline": None, "Keypoints": {"points": points((5, 6))}}
    expected = [Line(((1, 2), (3, 4)), ""), Points(((5, 6),), "")]
    assert shapes_in({"each": [("a", line), ("b", found)]}, schema) == expected


@pytest.mark.parametrize(
    "given",
    [
        [],
        [{"x": float("nan"), "y": 1.0}],
        [{"x": float("inf"), "y": 1.0}],
        [{"x": 1.0, "y": 2.0, "z": 3.0}] * 3,  # in space
        [{"x": "1", "y": "2"}],
        ["<b>", None, 3],
        "points",
        None,
    ],
)
@pytest.mark.parametrize("class_name", ["Keypoints", "Polyline", "Polygon", "LabeledPolygon"])
def test_points_that_are_none_are_not_drawn(class_name: str, given: Any) -> None:
    assert shapes_in({"points": given, "label": "x"}, points_of(class_name)) == []


def test_points_are_bounded_and_their_places_too(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {"points": points(*((float(n), 1e300) for n in range(100_000)))}
    (found,) = shapes_in(many, points_of("Keypoints"))
    assert isinstance(found, Points)
    assert len(found.points) == 2_000
    (path,) = drawn(many, truth=points_of("Keypoints"))
    assert len(path.attributes["d"] or "") < 200_000
    assert "1e" not in (path.attributes["d"] or "")


def test_keypoints_of_coco_are_drawn_beside_their_box() -> None:
    value = {
        "label": "person",
        "top_left": {"x": 0.0, "y": 0.0},
        "bottom_right": {"x": 9.0, "y": 9.0},
        "keypoints": [1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0, 1.0],
    }
    box, found = shapes_in(value)
    assert found == Points(((1.0, 2.0), (3.0, 4.0)), "person")
    assert shapes_in({**value, "keypoints": [1.0, "x", 2.0]}) == [box]


def test_whose_points_and_lines_are_shows_without_colours() -> None:
    said = {"a": {"points": points((50, 20))}, "b": {"points": points((1, 2), (3, 4))}, "label": EVIL}
    schema = node(("a", points_of("Keypoints")), ("b", points_of("Polyline")))
    found = drawn(said, said, said, truth=schema)
    marks = [each.attributes["d"] for each in found if each.attributes["class"] == "point"]
    assert marks == [
        "M48.6 20a1.4 1.4 0 1 0 2.8 0a1.4 1.4 0 1 0 -2.8 0Z",
        "M48.6 18.6h2.8v2.8h-2.8Z",
        "M48.6 18.6l2.8 2.8M51.4 18.6l-2.8 2.8",
    ]
    lines = [each.attributes for each in found if each.attributes["class"] == "box"]
    assert [each["d"] for each in lines] == ["M1 2L3 4"] * 3
    assert [each.get("stroke-dasharray") for each in lines] == [None, "5 3", None]
    assert len({each["stroke"] for each in lines}) == 3


# --- masks ------------------------------------------------------------------------------------------------------------


def inside(*rows: str) -> Any:
    return np.array([[each == "#" for each in row] for row in rows])


def test_the_outline_of_pixels_has_their_corners() -> None:
    assert rings_of(inside("....", ".##.", ".##."), 8, 6) == (((2, 2), (6, 2), (6, 6), (2, 6)),)
    ring, hole = rings_of(inside("####", "#..#", "#..#", "####"), 4, 4)
    assert {*ring} == {(0, 0), (4, 0), (4, 4), (0, 4)}
    assert {*hole} == {(1, 1), (3, 1), (3, 3), (1, 3)}
    assert rings_of(inside("..", ".."), 9, 9) == ()
    assert len(rings_of(inside("#.", ".#"), 2, 2)) in (1, 2)


def test_ragged_masks_are_looked_at_in_fewer_places() -> None:
    noise = np.random.default_rng(1).random((256, 256)) < 0.5
    for most in (masks.MOST_EDGES, 100):
        rings = rings_of(noise, 1_000, 1_000, most)
        assert 0 < sum(map(len, rings)) <= max(most, 16 * 16 * 4)
    disc = np.hypot(*np.mgrid[-128:128, -128:128]) < 100
    (ring,) = rings_of(disc, 256, 256)
    assert 200 < len(ring) < 1_000
    assert np.abs(np.hypot(*(np.array(ring) - 128).T) - 100).max() < 2


SQUARE = [9, 2, 4, 2, 4, 2, 13]
"""Of 6 by 6 pixels, down the columns: two of each of the columns 1, 2, 3, from row 3."""


def test_run_lengths_become_outlines() -> None:
    size = {"height": 6, "width": 6}
    expected = (((1.0, 3.0), (4.0, 3.0), (4.0, 5.0), (1.0, 5.0)),)
    assert run_length_rings({"size": size, "counts": None, "runs": SQUARE}) == expected
    value = {"label": "x", "segmentation": {"polygons": None, "size": size, "counts": None, "runs": SQUARE}}
    assert shapes_in(value) == [Outline(expected, "x")]
    boxed = {**value, "top_left": {"x": 1, "y": 3}, "bottom_right": {"x": 4, "y": 5}}
    assert [type(each).__name__ for each in shapes_in(boxed)] == ["Box"]
    assert shapes_in(boxed, outlined=True) == [Outline(expected, "x")]


def test_compressed_run_lengths_of_coco_are_drawn(registry: Registry, tmp_path: Path) -> None:
    encoded = pytest.importorskip("pycocotools.mask").encode(np.asfortranarray(np.eye(6, dtype=np.uint8)[::-1].copy()))
    mask = {"size": [6, 6], "counts": encoded["counts"].decode()}
    Images.new("RGB", (6, 6)).save(tmp_path / "1.png")
    each = {"category_id": 1, "image_id": 1, "bbox": [0, 0, 6, 6], "segmentation": mask}
    file = {
        "images": [{"id": 1, "file_name": "1.png", "width": 6, "height": 6}],
        "annotations": [{**each, "id": 1, "area": 6.0, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    registry.import_coco(file, suite="s", images_root=tmp_path)
    registry.import_coco_results([], suite="s", model=coco.Model("old"))
    registry.import_coco_results([{**each, "score": 0.9}], suite="s", model="new")
    comparison = registry.compare("old", "new", suite="s", iou_type="segm")
    page = Page(comparison.to_html(tmp_path / "report.html").read_text(encoding="utf-8"))
    paths = [each.attributes["d"] or "" for each in page.all("path", "box")]
    assert len(paths) == 2
    assert paths[0] == paths[1]
    assert paths[0].count("Z") >= 1


@pytest.mark.parametrize(
    "mask",
    [
        {},
        {"size": {"height": 6, "width": 6}},
        {"size": {"height": 6, "width": 6}, "runs": [1, 2, 3]},
        {"size": {"height": -6, "width": 6}, "runs": SQUARE},
        {"size": {"height": 2**40, "width": 2**40}, "counts": "0"},
        {"size": {"height": 6, "width": 6}, "counts": "\x00é"},
        {"size": {"height": 6, "width": 6}, "runs": ["a"]},
        {"size": {"height": 6.5, "width": None}, "runs": SQUARE},
        {"size": [6, 6], "runs": SQUARE},
        {"size": {"height": 6, "width": 6}, "runs": [0] * (2**20 + 1)},
        {"size": {"height": 6, "width": 6}, "runs": [36]},
        {"size": {"height": 0, "width": 0}, "runs": []},
    ],
)
def test_run_lengths_that_are_none_have_no_outline(mask: dict[str, Any]) -> None:
    assert run_length_rings(mask) == ()


def test_a_huge_mask_is_not_painted() -> None:
    side = 40_000
    rings = run_length_rings({"size": {"height": side, "width": side}, "runs": [side * side // 2, side * side // 2]})
    assert rings == (((side / 2, 0.0), (side, 0.0), (side, side), (side / 2, side)),)


def test_masks_in_files_are_stretched_over_the_picture(tmp_path: Path) -> None:
    pixels = np.zeros((5, 10), np.uint8)
    pixels[1:3, 2:4] = 7
    pixels[3:5, 5:9] = 2
    Images.fromarray(pixels).save(tmp_path / "mask.png")
    labels = {2: EVIL, 7: "tree", 9: "nowhere"}
    square, wide = ((20, 10), (40, 10), (40, 30), (20, 30)), ((50, 30), (90, 30), (90, 50), (50, 50))
    locator = str(tmp_path / "mask.png")
    assert dict(file_rings(locator, labels, 100, 50, 100)) == {EVIL: (wide,), "tree": (square,)}
    (whole,) = file_rings(locator, None, 100, 50, 100)
    assert (whole[0], {*whole[1]}) == ("", {square, wide})
    schema = node(("classes", node(("labels", TEXT), ("locator", TEXT), name="SegmentationMask")))
    found = drawn({"classes": {"labels": [*labels.items()], "locator": locator}}, truth=schema)
    assert [each.attributes["d"] for each in found] == ["M50 30L90 30L90 50L50 50Z", "M20 10L40 10L40 30L20 30Z"]


@pytest.mark.parametrize("kind", ["gone", "damaged", "color", "large", "url"])
def test_masks_that_cannot_be_read_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = tmp_path / "mask.png"
    if kind != "gone":
        Images.new("RGB" if kind == "color" else "L", (9, 9), 1).save(path)
    if kind == "damaged":
        path.write_bytes(path.read_bytes()[:50])
    if kind == "large":
        monkeypatch.setattr(masks, "MOST_PIXELS", 80)
    locator = "http://127.0.0.1:9/mask.png" if kind == "url" else str(path)
    assert list(file_rings(locator, None, 9, 9, 100)) == []
    assert drawn({"mask": {"locator": locator}}, truth=node(("mask", node(("locator", TEXT), name="BitmapMask")))) == []


def test_images_in_an_answer_that_are_no_masks_are_not_read(tmp_path: Path) -> None:
    Images.new("L", (9, 9), 1).save(tmp_path / "asset.png")
    schema = node(("crop", node(("locator", TEXT), name="ImageAsset")))
    assert drawn({"crop": {"locator": str(tmp_path / "asset.png")}}, truth=schema) == []


def test_all_of_it_stands_in_the_report(registry: Registry, tmp_path: Path) -> None:
    page = Page(shaped(registry, tmp_path).to_html(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("path", "point")) == 3
    assert len(page.all("path", "box")) == 3 + 4  # lines, two classes of the truth, a mask of each model
    assert "ground truth: <b>tree" in page.text
    assert "ground truth1 line, 5 points, 1 maskbaseline1 line, 5 points, 1 mask" in page.text
    assert "Points: ○ ground truth□ baseline\N{MULTIPLICATION SIGN} candidate" in page.text


# --- texts ------------------------------------------------------------------------------------------------------------


SAID = node(("transcript", TEXT))


def answers(made: Markup) -> list[str]:
    """What stands beside ground truth, baseline and candidate."""
    page = made[made.index('<dl class="answers">') : made.index('<dl class="fields">')]
    return [each.partition("</dd>")[0] for each in page.split("<dd>")[1:]]


def told(truth: Any, *said: Any, whole: bool = False, types: tuple[Node, Node] = (SAID, SAID)) -> list[str]:
    given = example((truth, *said, None)[:3], *types)
    return answers(card(given, Addresses(), whole=whole))


def test_words_that_differ_are_struck_and_underlined() -> None:
    truth, said = {"transcript": "one two three four five"}, {"transcript": "one too three five <six>"}
    first, second, third = told(truth, said, truth)
    assert first == "<div><bdi>one two three four five</bdi></div>"
    assert second == (
        '<div><bdi class="text">one <del>two</del> <ins>too</ins> three <del>four</del> five <ins>&lt;six&gt;</ins>'
        "</bdi></div>"
    )
    assert third == first


def test_labels_and_answers_without_a_text_stay_as_they_are() -> None:
    truth = {"transcript": "traffic light ahead"}
    assert told(truth, {"transcript": "traffic sign ahead"}) == [
        "<bdi>{&quot;transcript&quot;: &quot;traffic light ahead&quot;}</bdi>",
        "<bdi>{&quot;transcript&quot;: &quot;traffic sign ahead&quot;}</bdi>",
        "<em>none</em>",
    ]
    long = {"transcript": "one two three four five"}
    assert told(long, {"transcript": None})[1] == "<bdi>{&quot;transcript&quot;: null}</bdi>"
    none, plain = "<em>none</em>", "<bdi>{&quot;transcript&quot;: &quot;one two three four five&quot;}</bdi>"
    assert told(None, long) == [none, plain, none]


def test_the_only_text_of_each_side_is_held_against_the_other() -> None:
    types = node(("text", TEXT), ("label", TEXT)), node(("heard", TEXT), ("score", NUMBER))
    truth, said = {"text": "a b c d", "label": "x"}, {"heard": "a b d", "score": 0.5}
    first, second, _ = told(truth, said, types=types)
    assert first == (
        '<div><span class="note">text: </span><bdi>a b c d</bdi></div>'
        '<div><span class="note"><bdi>{&quot;label&quot;: &quot;x&quot;}</bdi></span></div>'
    )
    assert "a b <del>c</del> d" in second
    assert "{&quot;score&quot;: 0.5}" in second
    others = node(("text", TEXT), ("notes", TEXT)), node(("heard", TEXT))
    assert "<del>" not in "".join(told({**truth, "notes": "n"}, said, types=others))


def test_long_texts_are_compared_from_the_first_difference_on_and_what_is_alike_is_left_out() -> None:
    words = [f"w{n}" for n in range(100_000)]
    other = [*words[:20], "x", *words[21:40], "y", *words[41:]]
    truth, said = {"transcript": " ".join(words)}, {"transcript": " ".join(other)}
    _, second, _ = told(truth, said)
    assert second == (
        '<div><bdi class="text">… w16 w17 w18 w19 <del>w20</del> <ins>x</ins> w21 w22 w23 w24 … w36'
        " w37 w38 w39 <del>w40</del> <ins>y</ins> w41 w42 w43 w44 …</bdi></div>"
    )
    assert len(told(truth, said, whole=True)[1]) < 3_000
    late = {"transcript": " ".join([*words[:9_000], "x", *words[9_001:]])}
    assert "w8998 w8999 <del>w9000</del> <ins>x</ins> w9001 w9002" in told(truth, late)[1]
    alike = ["same"] * 10_000
    hard = {"transcript": " ".join(alike)}, {"transcript": " ".join(["same", "other"] * 5_000)}
    assert len(told(*hard, whole=True)[1]) < 20_000
    one = {"transcript": "x" * 100_000 + " a b c"}, {"transcript": "y" * 100_000 + " a b c"}
    assert len(told(*one)[1]) < 500


def test_scripts_without_spaces_differ_by_characters() -> None:
    _, second, _ = told({"transcript": "今日は良い天気"}, {"transcript": "今日は悪い天気"})
    assert "今日は<del>良</del> <ins>悪</ins>い天気" in second


def test_sentences_that_are_compared_as_labels_show_what_differs() -> None:
    given = example(({}, {}, {}), ground_truth="a b c d", a="a b x d", b="a b c d", score_a=0.5, score_b=0.25)
    first, second, third = answers(card(given, Addresses()))
    assert (first, third) == ("<bdi>a b c d</bdi>", '<bdi>a b c d</bdi><span class="note"> 0.25</span>')
    assert second == '<bdi class="text">a b <del>c</del> <ins>x</ins> d</bdi><span class="note"> 0.5</span>'


def spans(*given: tuple[Any, Any, str], field: Any = "text") -> dict[str, Any]:
    return {"names": [{"text_field": field, "start": start, "end": end, "label": label} for start, end, label in given]}


def segmented_text(text: Any, said: dict[str, Any], *, whole: bool = False) -> str:
    given = example((said, None, None), sample={"text": text})
    return answers(card(given, Addresses(), whole=whole))[0]


def test_stretches_of_a_text_are_marked() -> None:
    told = segmented_text("Ada <b> of London", spans((11, 17, EVIL), (0, 3, "person")))
    assert told == (
        "<div><bdi><mark>Ada<small> person</small></mark> &lt;b&gt; of <mark>London<small> &quot;&gt;&lt;script&gt;"
        "alert(1)&lt;/script&gt;</small></mark></bdi></div>"
    )
    within = segmented_text("Ada Lovelace", spans((0, 12, "person"), (4, 12, "name")))
    assert within.endswith("</mark> + <mark>Lovelace<small> name</small></mark></bdi></div>")


@pytest.mark.parametrize(
    "said",
    [
        spans((5, 5, "x")),
        spans((7, 3, "x")),
        spans((-3, 3, "x")),
        spans((None, 3, "x")),
        spans(("0", 3, "x")),
        spans((0, 3, "x"), field=7),
        spans((0, 3, "x"), field="nowhere"),
        spans(),
    ],
)
def test_stretches_that_are_none_are_told_as_they_are(said: dict[str, Any]) -> None:
    assert "<mark>" not in segmented_text("Ada of London", said)
    assert "names" in segmented_text("Ada of London", said)


def test_of_long_texts_what_is_far_from_all_stretches_is_left_out() -> None:
    text = "x" * 50_000 + "Ada" + "y" * 50_000 + "London" + "z" * 50_000
    said = spans((50_000, 50_003, "p"), (100_003, 100_009, "q"), (10**12, 10**13, "far"))
    short, long = (segmented_text(text, said, whole=whole) for whole in (False, True))
    assert f"<bdi> … {'x' * 40}<mark>Ada" in short
    assert f"</mark>{'y' * 40} … {'y' * 40}<mark>London" in short
    assert short.endswith(f"{'z' * 40} … </bdi></div>")
    assert len(short) < 500 < len(long) < 3_000
    many = spans(*((n, n + 1, "l") for n in range(0, 100_000, 2)))
    assert segmented_text(text, many).count("<mark>") == 100


# --- cards and pictures elsewhere -------------------------------------------------------------------------------------


def test_a_page_gives_its_own_addresses_and_links() -> None:
    def framed(pictures: Markup) -> Markup:
        return tag("a", pictures, href="/samples/0")

    made = card(example(), Addresses(), framed=framed)
    page = Page(made)
    assert [each.attributes["href"] for each in page.all("image")] == ["/pictures/1.png"]
    assert page.all("svg")[0].attributes["viewbox"] == "0 0 100 50"
    assert made.startswith('<a href="/samples/0"><div class="pictures"><svg')
    bare = card(example(sample={"locator": "gone.png"}), Addresses(), framed=framed)
    assert bare.startswith('<dl class="answers">')


def test_a_sample_that_is_shown_whole_has_all_its_fields() -> None:
    fields = {f"field{n}": "y" * 300 for n in range(40)}
    short, whole = (card(example(sample=fields), Addresses(), whole=each) for each in (False, True))
    assert (short.count("<dt>"), whole.count("<dt>")) == (13, 41)
    assert "29 more" in short
    assert "y" * 300 + "</bdi>" in whole
    assert "y" * 300 + "</bdi>" not in short


def test_how_to_read_marks_is_told_where_there_are_some() -> None:
    assert list(keys([tag("p", 'class="box" <ins>')])) == []
    told = list(keys([Markup('<path class="point"/><path class="box"/><del>x</del>')]))
    assert [each.partition(":")[0] for each in told] == [
        '<p class="key note">Boxes',
        '<p class="key points note">Points',
        '<p class="note">Texts',
    ]


def test_the_rules_of_cards_style_nothing_else_of_another_page() -> None:
    sheet = card_styles()
    assert sheet.count("{") == sheet.count("}")
    of_cards = sheet[sheet.index(".cards{") :]
    assert of_cards.partition("svg [fill")[0] in style_sheet()
    selectors = [each for rule in re.findall(r"([^{}]+)\{", of_cards) for each in rule.strip().split(",")]
    assert [each for each in selectors if not re.search(r"[.\[]", each)] == []


@pytest.mark.parametrize(("side", "size"), [(64, (64, 32)), (300, (300, 150)), (5_000, (800, 400))])
def test_a_picture_is_made_as_small_as_is_asked(tmp_path: Path, side: int, size: tuple[int, int]) -> None:
    from io import BytesIO

    Images.new("RGB", (800, 400), "teal").save(tmp_path / "1.jpg")
    made = small_picture(str(tmp_path / "1.jpg"), side)
    assert made is not None
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 800, 400)
    assert Images.open(BytesIO(made.data)).size == size
    assert picture_size(str(tmp_path / "1.jpg")) == (800, 400)


def test_files_without_a_picture_give_none(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    Images.new("1", (8_500, 8_500)).save(tmp_path / "bomb.png")
    for path in ("text.png", "bomb.png", "gone.png", "."):
        assert small_picture(str(tmp_path / path), 100) is None
        assert picture_size(str(tmp_path / path)) is None
    Images.new("RGB", (90, 90), "teal").save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    assert small_picture(str(tmp_path / "half.png"), 100) is None
    assert picture_size(str(tmp_path / "half.png")) == (90, 90)  # which only the head says
    assert DataUris().of(str(tmp_path / "half.png")) is None


def test_pictures_that_are_read_at_one_time_leave_filters_of_warnings_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "1.png")
    Images.new("RGB", (2, 2)).save(path)
    assert small_picture(path, 100) is not None
    before = list(warnings.filters)
    first, second = pictures._opened(path), pictures._opened(path)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)  # which the other one's end must not have been in the way of
    assert list(warnings.filters) == before


def test_what_pillow_warns_of_is_no_reason_to_show_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Images, "MAX_IMAGE_PIXELS", 3)  # warns of more, refuses twice as many
    Images.new("RGB", (2, 2)).save(tmp_path / "1.png")
    assert small_picture(str(tmp_path / "1.png"), 100) is not None


def test_cards_of_a_comparison_are_those_of_its_report(registry: Registry, tmp_path: Path) -> None:
    comparison = segmented(registry, tmp_path)
    html = comparison.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    (found,) = comparison.examples("fixed").examples
    assert f"<li>{card(found, DataUris())}</li>" in html
