"""The named evaluator `semantic_segmentation`: test and compare on a real photograph, and by oracles."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localreg import InvalidInputError, Registry
from localreg.workflow import GroundTruth, Inference, SegmentationMask, TestSample, define_workflow, test
from localreg.workflow.mask_files import read_mask
from localreg.workflow.semantic_segmentation_evaluator import Ignore

pictures = pytest.importorskip("PIL.Image")
data = pytest.importorskip("skimage.data")
filters = pytest.importorskip("skimage.filters")
metrics = pytest.importorskip("sklearn.metrics")

SIDE = 48
TRUE = {1: "dim", 2: "coin"}
SAID = {7: "coin", 9: "dim"}


@dataclass(frozen=True)
class Tile(TestSample):
    n: int
    side: str = ""


@dataclass(frozen=True)
class Drawn(GroundTruth):
    mask: SegmentationMask | None
    names: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Painted(Inference):
    mask: SegmentationMask


_, Case, Suite, Net = define_workflow("Coins", Tile, Drawn, Painted)


def tiles(image: Any) -> list[Any]:
    rows, columns = (size // SIDE for size in image.shape)
    return [image[SIDE * r : SIDE * (r + 1), SIDE * c : SIDE * (c + 1)] for r in range(rows) for c in range(columns)]


@cache
def classes(blur: float, shift: int = 0) -> list[Any]:
    """0, 1 and 2 by brightness, tile by tile; what a model makes of it is blurred, and shifted."""
    image = data.coins().astype(float)
    low, high = filters.threshold_multiotsu(image, 3)
    seen = filters.gaussian(image, blur, preserve_range=True) if blur else image
    return tiles(np.digitize(np.roll(seen, shift, axis=1), [low, high]))


def written(folder: Path, name: str, maps: list[Any], values: Mapping[int, str] = TRUE) -> list[SegmentationMask]:
    """Masks as PNG files; 0 stays 0, which has no name."""
    codes = {label: value for value, label in values.items()}
    lut = np.array([0, codes["dim"], codes["coin"]], np.uint8)
    masks = []
    for number, each in enumerate(maps):
        path = folder / f"{name}-{number}.png"
        pictures.fromarray(lut[each]).save(path)
        masks.append(SegmentationMask(dict(values), str(path)))
    return masks


def coins(folder: Path) -> Any:
    truth = written(folder, "truth", classes(0.0))
    content = [(Tile(n, "left" if n % 8 < 4 else "right"), Drawn(mask)) for n, mask in enumerate(truth)]
    return Suite("s", test_cases=[Case("upper", test_samples=content[:30]), Case("lower", test_samples=content[20:])])


def net(folder: Path, name: str, blur: float, shift: int = 0) -> Any:
    said = written(folder, name, classes(blur, shift), SAID)
    return Net(name, lambda tile: Painted(said[tile.n]))


def test_masks_are_measured_as_by_scikit_learn(registry: Registry, tmp_path: Path) -> None:
    found = test(net(tmp_path, "m", 2.0), coins(tmp_path), "semantic_segmentation").results()
    truth, said = classes(0.0), classes(2.0)
    for own, rows in (
        (found.suite, slice(None)),
        (found.cases["upper"], slice(30)),
        (found.cases["lower"], slice(20, None)),
    ):
        assert own is not None
        a, b = (np.concatenate([each.ravel() for each in side[rows]]) for side in (truth, said))
        iou = metrics.jaccard_score(a, b, average=None)
        assert own["mean_iou"] == pytest.approx(iou.mean())
        assert own["mean_dice"] == pytest.approx(metrics.f1_score(a, b, average="macro"))
        assert own["pixel_accuracy"] == pytest.approx((a == b).mean())
        assert {each["label"]: each["iou"] for each in own["by_class"]} == pytest.approx(
            dict(zip(("background", "dim", "coin"), iou, strict=True))
        )
        assert {each["label"]: each["pixels"] for each in own["by_class"]} == {
            label: (a == code).sum() for code, label in enumerate(("background", "dim", "coin"))
        }
    for number in (0, 17, 40):
        a, b = truth[number].ravel(), said[number].ravel()
        own = found.samples[number].metrics
        there = sorted({*a, *b})
        assert own["image_mean_iou"] == pytest.approx(metrics.jaccard_score(a, b, labels=there, average="macro"))
        assert own["image_mean_dice"] == pytest.approx(metrics.f1_score(a, b, labels=there, average="macro"))
        assert own["image_pixel_accuracy"] == pytest.approx((a == b).mean())
        assert (own["right_pixels"], own["pixels"]) == ((a == b).sum(), SIDE * SIDE)


@pytest.mark.parametrize("ignored", [0, 1])
def test_pixels_of_a_class_that_is_ignored_do_not_count(registry: Registry, tmp_path: Path, ignored: int) -> None:
    label = ("background", "dim")[ignored]
    found = test(net(tmp_path, "m", 2.0), coins(tmp_path), "semantic_segmentation", [Ignore(label)]).results()
    a, b = (np.concatenate([each.ravel() for each in side]) for side in (classes(0.0), classes(2.0)))
    a, b = a[a != ignored], b[a != ignored]
    kept = [code for code in range(3) if code != ignored]
    assert found.suite is not None
    assert found.suite["pixel_accuracy"] == pytest.approx((a == b).mean())
    assert found.suite["mean_iou"] == pytest.approx(metrics.jaccard_score(a, b, labels=kept, average=None).mean())
    assert label not in {each["label"] for each in found.suite["by_class"]}
    assert found.configuration == f"without {label}"


def test_masks_are_compared(registry: Registry, tmp_path: Path) -> None:
    suite = coins(tmp_path)
    test(net(tmp_path, "shifted", 1.0, 3), suite, "semantic_segmentation")
    test(net(tmp_path, "straight", 1.0), suite, "semantic_segmentation")
    comparison = registry.compare("shifted", "straight", suite="s", evaluator="semantic_segmentation", by="side")
    for name in ("image_mean_iou", "image_mean_dice", "image_pixel_accuracy", "pixel_accuracy"):
        assert comparison.row(name).verdict == "improved"
    truth, a, b = classes(0.0), classes(1.0, 3), classes(1.0)
    right = [np.mean([x == y for x, y in zip(truth, side, strict=True)]) for side in (a, b)]
    pixels = comparison.row("pixel_accuracy")
    assert (pixels.a, pixels.b) == pytest.approx(right)
    assert pixels.low is not None
    whole = comparison.row("mean_iou")
    flat = [np.concatenate([each.ravel() for each in side]) for side in (truth, b)]
    assert whole.b == pytest.approx(metrics.jaccard_score(*flat, average="macro"))
    assert (whole.low, whole.verdict) == (None, "inconclusive"), "one number does not tell how it would vary"
    comparison.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert " · 3 classes" in page
    assert "coin, upper" not in page, "those of test cases are no more classes"
    of_coin = comparison.row("iou", label="coin")
    assert of_coin.b == pytest.approx(metrics.jaccard_score(*flat, average=None)[2])


def test_files_that_changed_are_read_again(registry: Registry, tmp_path: Path) -> None:
    suite, model = coins(tmp_path), net(tmp_path, "m", 2.0)
    before = test(model, suite, "semantic_segmentation").results().suite
    written(tmp_path, "m", classes(0.0), SAID)
    after = test(model, suite, "semantic_segmentation").results().suite
    assert before is not None
    assert after is not None
    assert before["pixel_accuracy"] < after["pixel_accuracy"] == 1


def one(folder: Path, truth: Any, said: Any, mode: str | None = None, **of_said: Any) -> Any:
    for name, values in (("t", truth), ("s", said)):
        image = pictures.fromarray(np.array(values, np.uint8))
        (image if mode is None or name == "t" else image.convert(mode)).save(folder / f"{name}.png")
    mask = SegmentationMask({1: "a"}, str(folder / "t.png"))
    content = [(Tile(0), Drawn(mask)), (Tile(1), Drawn(None)), (Tile(2), Drawn(mask))]
    suite = Suite("s", test_cases=[Case("c", test_samples=content)])
    painted = Painted(SegmentationMask(**{"labels": {1: "a"}, "locator": str(folder / "s.png"), **of_said}))
    model = Net(f"of {painted.mask.labels} {painted.mask.locator}", lambda tile: None if tile.n == 2 else painted)
    return test(model, suite, "semantic_segmentation")


def test_what_has_no_mask_is_left_out(registry: Registry, tmp_path: Path) -> None:
    found = one(tmp_path, [[0, 1], [1, 200]], [[1, 1], [1, 0]]).results()
    assert found.suite is not None
    assert (found.suite["n"], found.suite["left_out"], found.suite["pixel_accuracy"]) == (1, 2, 0.75)
    assert [each.metrics["image_pixel_accuracy"] for each in found.samples] == [0.75, None, None]


def test_a_palette_of_colours_is_a_mask(registry: Registry, tmp_path: Path) -> None:
    image = pictures.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "p.png")
    found = one(tmp_path, [[0, 1]], [[0, 0]], locator=(tmp_path / "p.png").as_uri()).results()
    assert found.suite is not None
    assert found.suite["pixel_accuracy"] == 1


def test_large_masks_are_counted_in_parts(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.workflow.semantic_segmentation_evaluator.PIXELS_AT_ONCE", 5)
    found = one(tmp_path, [[0, 1]] * 7, [[1, 1]] * 7).results()
    assert found.suite is not None
    assert found.suite["pixel_accuracy"] == 0.5
    assert found.samples[0].metrics["pixels"] == 14


def test_masks_that_cannot_be_read_are_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = [[0, 1]]

    def refused(message: str, *arguments: Any, **more: Any) -> None:
        with pytest.raises(InvalidInputError, match=message):
            one(tmp_path, *arguments, **more)

    refused("has 2 x 1 pixels, and that of the inference, .*, 1 x 2; they must be equal", flat, [[0], [1]])
    refused("an image of mode RGB; a mask has one channel of 8 bits", flat, flat, "RGB", labels={1: "rgb"})
    refused("calls the value 256 'b'; values of pixels are 0 to 255", flat, flat, labels={256: "b"})
    for locator in ("s3://bucket/mask.png", str(tmp_path), str(tmp_path / "not-there.png")):
        refused("is no file of this machine, and nothing is fetched", flat, flat, locator=locator)
    (tmp_path / "text.png").write_text("no image")
    refused(r"cannot be read as an image \(BMP, GIF", flat, flat, locator=str(tmp_path / "text.png"))
    monkeypatch.setattr("localreg.workflow.mask_files.MOST_PIXELS", 1)
    refused("has more than 1 pixels; it is not read", flat, flat, labels={1: "pixels"})
    monkeypatch.setattr("localreg.workflow.mask_files.MOST_BYTES", 1)
    refused("has more than 1 bytes", flat, flat, labels={1: "bytes"})
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InvalidInputError, match=r"not installed: pip install 'localreg-registry\[ui\]'"):
        read_mask(str(tmp_path / "t.png"), "a mask")


def test_what_is_ignored_must_be_a_class(registry: Registry, tmp_path: Path) -> None:
    suite, model = coins(tmp_path), net(tmp_path, "m", 2.0)
    with pytest.raises(InvalidInputError, match=r"'coins' is to be ignored, and is no class .* did you mean 'coin'"):
        test(model, suite, "semantic_segmentation", [Ignore("coins")])
    with pytest.raises(InvalidInputError, match="label is ' '; name a class of the masks"):
        Ignore(" ")
