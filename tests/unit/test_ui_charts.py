"""Plots: what is drawn looks like all of it, is told where it cannot be drawn, and can be told apart."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from localreg.ui.assets import asset
from localreg.ui.charts import COLORS, COLUMNS, MARKERS, Axis, panel, told
from localreg.ui.curves import Curve, facts, log_ticks, smoothed, thinned, ticks


def curve(y: object, x: object = None, style: int = 0) -> Curve:
    values = np.asarray(y, np.float64)
    return Curve("e", style, np.arange(len(values), dtype=np.float64) if x is None else np.asarray(x, float), values)


# --- smoothing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.0, 1e-9, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("n", [1, 2, 511, 512, 513, 2_000])
def test_smoothing_is_the_moving_average_of_the_definition(n: int, weight: float) -> None:
    y = np.random.default_rng(n).normal(3, 1, n)
    state, wanted = 0.0, []
    for place, value in enumerate(y):
        state = weight * state + (1 - weight) * value
        wanted.append(state / (1 - weight ** (place + 1)))
    np.testing.assert_allclose(smoothed(y, weight), wanted, rtol=1e-9)


def test_smoothing_keeps_a_constant_and_leaves_gaps() -> None:
    y = np.array([2.0, math.nan, 2.0, math.inf, 2.0])
    np.testing.assert_allclose(smoothed(y, 0.9), y)


# --- thinning --------------------------------------------------------------------------------------------------------


def test_thinned_lines_reach_as_high_and_low_in_each_column() -> None:
    y = np.random.default_rng(0).normal(size=10_000)
    x = np.arange(10_000, dtype=np.float64)
    found = thinned(x, y, 0.0, 9_999.0, 100)
    assert len(found.x) <= 200
    assert (np.diff(found.x) > 0).all()
    column = (x * (99 / 9_999)).astype(int)
    own = (found.x * (99 / 9_999)).astype(int)
    for each in range(100):
        assert found.y[own == each].min() == y[column == each].min()
        assert found.y[own == each].max() == y[column == each].max()
    assert found.begins.tolist() == [True] + [False] * (len(found.x) - 1)


def test_few_points_stay_as_they_are() -> None:
    found = thinned(np.array([0.0, 1.0, 2.0]), np.array([5.0, math.nan, 6.0]), 0.0, 2.0, 2)
    assert (found.x.tolist(), found.y.tolist(), found.begins.tolist()) == ([0.0, 2.0], [5.0, 6.0], [True, True])


def test_a_flat_line_of_many_points_is_few() -> None:
    found = thinned(np.arange(10_000.0), np.ones(10_000), 0.0, 9_999.0, 50)
    assert len(found.x) == 50


def test_gaps_outlive_thinning() -> None:
    y = np.ones(10_000)
    y[5_000] = math.nan
    found = thinned(np.arange(10_000.0), y, 0.0, 9_999.0, 50)
    assert found.begins.sum() == 2


# --- axes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3.0, 3.0, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]),
        (0.82, 0.935, [0.82, 0.84, 0.86, 0.88, 0.9, 0.92]),
        (0.0, 1e-7, [0.0, 2e-8, 4e-8, 6e-8, 8e-8, 1e-7]),
        (5.0, 5.0, [5.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


def test_ticks_of_a_logarithmic_axis_are_powers_of_ten_or_parts_of_one() -> None:
    assert log_ticks(-3.0, 1.0) == [-3.0, -2.0, -1.0, 0.0, 1.0]
    assert [round(10**each, 9) for each in log_ticks(-1.2, 0.1)] == [0.1, 0.2, 0.5, 1.0]
    assert log_ticks(-12.0, 12.0) == [-12.0, -7.0, -2.0, 3.0, 8.0]
    assert [round(10**each, 9) for each in log_ticks(0.2, 0.8)] == [2.0, 3.0, 5.0]
    assert len(log_ticks(0.01, 0.02)) > 1


# --- panels ----------------------------------------------------------------------------------------------------------


def points(drawing: str) -> list[tuple[int, int]]:
    """The points of the first line, in units of the field."""
    path = re.search(r' d="M([^"]*)"', drawing)
    assert path is not None
    start, _, steps = path[1].partition("l")
    numbers = [int(each) for each in re.findall(r"-?\d+", f"{start} {steps}")]
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    return [tuple(np.sum(pairs[: end + 1], axis=0).tolist()) for end in range(len(pairs))]


def test_a_line_goes_from_corner_to_corner() -> None:
    drawn = panel("loss", [curve([0.0, 1.0, 2.0])], Axis())
    assert drawn.drawing is not None
    assert points(drawn.drawing) == [(0, 424), (560, 220), (1120, 16)]  # with 4 % of room above and below


def test_a_logarithmic_axis_tells_what_it_leaves_out() -> None:
    drawn = panel("loss", [curve([0.0, -1.0, 1.0, 10.0, 100.0])], Axis(log=True))
    assert drawn.drawing is not None
    assert points(drawn.drawing) == [(560, 424), (840, 220), (1120, 16)]
    assert drawn.notes == ["2 values are 0 or less, which a logarithmic axis has no place for"]
    assert panel("loss", [curve([0.0, -1.0])], Axis(log=True)).drawing is None


def test_smoothing_keeps_the_line_as_it_was_behind() -> None:
    drawn = panel("loss", [curve([0.0, 1.0, 0.0, 1.0])], Axis(weight=0.9))
    assert drawn.drawing is not None
    first, second = re.findall(r'class="(h0[^"]*)"', drawn.drawing)[:2]
    assert (first, second) == ("h0 faint", "h0")


@pytest.mark.parametrize(
    ("seconds", "unit"), [(1.0, "seconds"), (100.0, "seconds"), (1_000.0, "minutes"), (1e5, "hours"), (1e7, "days")]
)
def test_time_is_told_in_units_that_people_use(seconds: float, unit: str) -> None:
    drawn = panel("loss", [curve([1.0, 2.0], [0.0, seconds])], Axis(by="time"))
    assert f'data-unit="{unit}"' in str(drawn.drawing)


def test_one_point_and_equal_points_are_drawn() -> None:
    for values in ([5.0], [0.0, 0.0], [1e300, 1e300], [-7.0]):
        drawn = panel("loss", [curve(values)], Axis())
        assert drawn.drawing is not None
        assert "nan" not in drawn.drawing.lower()


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("weight", [0.0, 0.9])
@pytest.mark.parametrize(
    "values",
    [
        [-1.7e308, 1.7e308],
        [1.79e308],
        [1.79e308, 1.79e308],
        [1.7e308, 1.79e308, 1.75e308],
        [1e-300, 1e300],
        [1e300],
        [5e-324],
        [0.0, 5e-324],
        [1e-323, 1e-322],
        [1e-308, 2e-308],
        [-1.79e308],
    ],
)
def test_numbers_at_the_ends_of_what_numbers_can_be_are_drawn(values: list[float], weight: float, log: bool) -> None:
    drawn = panel("loss", [curve(values)], Axis(log=log, weight=weight))
    assert drawn.rows[0][1].mean is not None
    assert min(values) <= drawn.rows[0][1].mean <= max(values)
    if log and max(values) <= 0:
        assert drawn.drawing is None
        return
    text = str(drawn.drawing)
    low, high = (float(each) for each in re.findall(r'data-(?:low|high)="([^"]*)"', text))
    assert math.isfinite(low)
    assert low < high < math.inf
    assert re.search(r"nan|inf(?!o)", text.lower()) is None
    for path in re.findall(r' d="([^"]*)"', text):
        assert all(abs(int(each)) <= 2_000 for each in re.findall(r"-?[0-9]+", path)), path
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", text.partition("below-field")[0])
    assert labels
    assert all(re.fullmatch(r"-?[0-9.,]+(e-?[0-9]+)?", each) for each in labels), labels


@pytest.mark.parametrize(
    "steps", [[2.0**53], [2.0**62, 2.0**62 + 1], [2.0**63 - 1024, 2.0**63], [-(2.0**63)], [-(2.0**63), 2.0**63]]
)
def test_steps_beyond_what_numbers_tell_apart_are_drawn(steps: list[float]) -> None:
    drawn = panel("loss", [curve([1.0, 2.0][: len(steps)], steps)], Axis())
    text = str(drawn.drawing)
    left, right = (float(each) for each in re.findall(r'data-(?:left|right)="([^"]*)"', text))
    assert left < (left + right) / 2 < right
    assert all(0 <= x <= 1_120 for x, _ in points(text))


def test_great_numbers_are_smoothed_as_small_ones_are() -> None:
    y = np.array([1.0, -1.0, math.nan, 0.5, 1.0])
    np.testing.assert_allclose(smoothed(y * 1.7e308, 0.9) / 1.7e308, smoothed(y, 0.9), rtol=1e-9)


def test_nothing_to_draw_is_told() -> None:
    drawn = panel("loss", [curve([math.nan, math.inf])], Axis())
    assert drawn.drawing is None
    assert len(drawn.notes) == 2
    assert panel("loss", [], Axis()).drawing is None


def test_more_lines_have_less_detail_so_that_a_page_weighs_the_same() -> None:
    noise = curve(np.random.default_rng(0).normal(size=10_000))
    fine = len(str(panel("loss", [noise], Axis(), series=1).drawing))
    coarse = len(str(panel("loss", [noise], Axis(), series=600).drawing))
    assert coarse < fine / 2
    assert fine < COLUMNS * 2 * 8 + 6_000


def test_facts() -> None:
    told_of = facts(np.arange(5.0), np.array([1.0, math.nan, -2.0, -math.inf, 4.0]))
    assert told_of == (5, 4.0, 4.0, -2.0, 4.0, 1.0, 1, 1, 1)
    assert facts(np.zeros(0), np.zeros(0)) == (0, None, None, None, None, None, 0, 0, 0)


def test_numbers_in_tables() -> None:
    assert [told(each) for each in (None, 0.1234567, math.nan, math.inf, 12.0)] == ["", "0.123457", "NaN", "∞", "12"]


# --- told apart ------------------------------------------------------------------------------------------------------


def luminance(color: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_hue_can_be_read_on_the_paper_of_both_themes() -> None:
    sheets = [asset(name) for name in ("page.css", "tracking.css")]
    text = "".join(each.data.decode() for each in sheets if each is not None)
    for theme, paper in ((0, "#ffffff"), (1, "#14191f")):
        assert f"--paper:{paper}" in text
        hues = [re.findall(rf"--h{number}:(#[0-9a-f]{{6}})", text)[theme] for number in range(COLORS)]
        assert len(set(hues)) == COLORS
        for hue in hues:
            high, low = sorted((luminance(hue), luminance(paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, hue


def test_fifty_six_lines_differ_in_colour_or_marker() -> None:
    assert math.gcd(COLORS, len(MARKERS)) == 1
    assert len({(style % COLORS, style % len(MARKERS)) for style in range(56)}) == 56
