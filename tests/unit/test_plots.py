from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.canonical import canonical, parse
from localreg.errors import FormatError, InvalidInputError
from localreg.workflow.plot import AxisConfig, BarPlot, ConfusionMatrix, Curve, CurvePlot, Histogram, Plot

NAN, INF = math.nan, math.inf
LOG = AxisConfig("log")

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.strip)
numbers = st.floats() | st.integers(-(2**70), 2**70)
configs = st.none() | st.builds(AxisConfig, st.sampled_from(["linear", "log"]))


def series(length: int, items: st.SearchStrategy[Any] = numbers) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=length, max_size=length)


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    length = draw(st.integers(0, 4))
    extra = draw(st.none() | st.dictionaries(texts, series(length), max_size=2))
    return Curve(draw(series(length)), draw(series(length)), draw(st.none() | texts), extra)


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    count = draw(st.integers(1, 4))
    bounds = st.lists(st.floats(allow_nan=False), min_size=count + 1, max_size=count + 1, unique_by=lambda n: n + 0.0)
    labels = draw(st.none() | st.lists(texts, min_size=1, max_size=3))
    frequency = draw(series(count) if labels is None else series(len(labels), series(count)))
    buckets = sorted(draw(bounds))
    return Histogram(draw(texts), draw(texts), draw(texts), buckets, frequency, labels, draw(configs), draw(configs))


@st.composite
def bar_plots(draw: st.DrawFn) -> BarPlot:
    small = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-9e15, 9e15)
    labels = draw(st.lists(texts | small, min_size=1, max_size=4))
    values = draw(series(len(labels), st.none() | numbers))
    return BarPlot(draw(texts), draw(texts), draw(texts), labels, values, draw(configs))


@st.composite
def matrices(draw: st.DrawFn) -> ConfusionMatrix:
    labels = draw(st.lists(texts, min_size=2, max_size=4))
    cells = series(len(labels), st.none() | numbers)
    return ConfusionMatrix(draw(texts), labels, draw(series(len(labels), cells)), draw(texts), draw(texts))


plots = (
    st.builds(CurvePlot, texts, texts, texts, st.lists(curves(), max_size=3), configs, configs)
    | histograms()
    | bar_plots()
    | matrices()
)


@given(plot=plots)
def test_a_plot_comes_back_from_canonical_json(plot: Plot) -> None:
    again = Plot.from_json(parse(canonical(plot.to_json())))  # type: ignore[arg-type]
    assert type(again) is type(plot)
    assert again == plot
    assert type(plot).from_json(plot.to_json()) == plot


@given(plot=plots)
def test_the_json_is_plain(plot: Plot) -> None:
    assert json.loads(json.dumps(plot.to_json(), allow_nan=False)) == plot.to_json()


def test_the_spelling_of_what_json_lacks_is_fixed() -> None:
    plot = CurvePlot("ROC", "FPR", "TPR", [Curve([0, NAN, 1], [INF, -INF, 0.5], extra={"t": [NAN, 1, 2]})], LOG)
    assert plot.to_json() == {
        "data_type": "CurvePlot",
        "title": "ROC",
        "x_label": "FPR",
        "y_label": "TPR",
        "curves": [{"x": [0, "NaN", 1], "y": ["Infinity", "-Infinity", 0.5], "extra": {"t": ["NaN", 1, 2]}}],
        "x_config": {"type": "log"},
    }
    assert Plot.from_json(plot.to_json()) == plot


def test_a_text_that_looks_like_a_number_stays_text() -> None:
    plot = BarPlot("NaN", "x", "y", ["NaN", "Infinity", 3], [NAN, None, 1])
    again = Plot.from_json(plot.to_json())
    assert isinstance(again, BarPlot)
    assert (list(again.labels), again.title) == (["NaN", "Infinity", 3], "NaN")
    assert math.isnan(again.values[0] or 0)


def test_arrays_and_other_series_become_lists_of_the_plots_own() -> None:
    x = np.array([0.0, 0.5, NAN], np.float32)
    curve = Curve(x, pd.Series([1, 2, 3]), extra=made_of({"t": (1, np.int64(2), np.float64(3))}))
    x[0] = 9
    assert curve == Curve([0.0, 0.5, float("nan")], [1, 2, 3], extra={"t": [1, 2, 3.0]})
    assert [type(n) for n in (*curve.x, *curve.y, *(curve.extra or {})["t"])] == [float] * 3 + [int] * 3 + [
        int,
        int,
        float,
    ]
    matrix = ConfusionMatrix("c", np.array(["a", "b"]), np.array([[1, 2], [3, 4]]))
    assert matrix == ConfusionMatrix("c", ["a", "b"], [[1, 2], [3, 4]])
    assert type(ConfusionMatrix("c", [np.str_("a"), "b"], [[1, 2], [3, 4]]).labels[0]) is str
    histogram = Histogram("h", "x", "y", np.linspace(0, 1, 3), np.ones((2, 2)), ["a", "b"])
    assert histogram.frequency == [[1, 1], [1, 1]]
    assert Histogram("h", "x", "y", (0, 1, INF), np.array([1, 2])).frequency == [1, 2]


def test_plots_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Curve([], []).label = "x"  # type: ignore[misc]


def histogram(buckets: Any = (0, 1, 2), frequency: Any = (3, 4), labels: Any = None, **more: Any) -> Histogram:
    return Histogram("h", "x", "y", buckets, frequency, labels, **more)


def curve_plot(curves: Any = (), **more: Any) -> CurvePlot:
    return CurvePlot(**{"title": "t", "x_label": "x", "y_label": "y", "curves": curves, **more})


def bars(labels: Any = ("a", "b"), values: Any = (1, 2), **more: Any) -> BarPlot:
    return BarPlot("b", "x", "y", labels, values, **more)


def matrix(labels: Any = ("a", "b"), rows: Any = ((1, 2), (3, 4)), **more: Any) -> ConfusionMatrix:
    return ConfusionMatrix(**{"title": "c", "labels": labels, "matrix": rows, **more})


def made_of(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Curve([1, 2], [1]), r"Curve\.x has 2 values, and y has 1; give one y"),
        (lambda: Curve([1], [1], label=" "), r"Curve\.label is blank"),
        (lambda: Curve([1], [1], label=made_of(5)), r"Curve\.label is 5; write a text"),
        (lambda: Curve([1], [1], extra={"t": [1, 2]}), r"Curve\.extra\['t'\] has 2 values; give one for each x: 1"),
        (lambda: Curve([1], [1], extra={" ": [1]}), r"a name in Curve\.extra is blank"),
        (lambda: Curve([1], [1], extra=made_of([1])), r"Curve\.extra is \[1\]; write a dict"),
        (lambda: Curve(made_of("12"), [1, 2]), r"Curve\.x is '12'; write a list"),
        (lambda: Curve(made_of({1: 2}), [1]), r"Curve\.x is .*; write a list"),
        (lambda: Curve(made_of(np.array(1.0)), [1]), r"Curve\.x is array\(1\.\); write a list"),
        (lambda: Curve([1, made_of("2")], [1, 2]), r"Curve\.x\[1\] is '2', of type str; write a number"),
        (lambda: Curve([1, made_of(None)], [1, 2]), r"Curve\.x\[1\] is None, of type NoneType; write a number"),
        (lambda: Curve([True], [1]), r"Curve\.x\[0\] is True, of type bool; write a number"),
        (lambda: Curve(np.array([[1.0]]), [1]), r"Curve\.x\[0\] is \[1\.0\], of type list; write a number"),
        (lambda: AxisConfig(made_of("logarithmic")), r"AxisConfig\.type is 'logarithmic'; write 'linear' or 'log'"),
        (lambda: curve_plot(title=" "), r"CurvePlot\.title is blank"),
        (lambda: curve_plot(x_label=None), r"CurvePlot\.x_label is None"),
        (lambda: curve_plot(y_label=""), r"CurvePlot\.y_label is blank"),
        (lambda: curve_plot([([1], [1])]), r"CurvePlot\.curves has \(\[1\], \[1\]\); make it a Curve"),
        (lambda: curve_plot(y_config="log"), r"CurvePlot\.y_config is 'log'; write AxisConfig\('linear'\)"),
        (lambda: histogram([0]), r"Histogram\.buckets has 1 bounds; a bucket needs two"),
        (lambda: histogram([0, 2, 1]), r"Histogram\.buckets goes from 2 to 1 at position 1; sort"),
        (lambda: histogram([0, 0, 1]), r"Histogram\.buckets goes from 0 to 0 at position 0"),
        (lambda: histogram([0, NAN, 1]), r"Histogram\.buckets goes from 0 to nan"),
        (lambda: histogram(frequency=[1]), r"Histogram\.frequency has 1 values for 2 buckets"),
        (
            lambda: histogram(frequency=[[1, 2]]),
            r"Histogram\.frequency has several series; name each of them in labels",
        ),
        (lambda: histogram(frequency=[[1, 2]], labels=["a", "b"]), r"frequency has 1 rows for 2 labels"),
        (lambda: histogram(frequency=[[1, 2], [1]], labels=["a", "b"]), r"frequency\[1\] has 1 values; it must have 2"),
        (lambda: histogram(frequency=[1, 2], labels=["a", "b"]), r"frequency\[0\] is 1; write a list"),
        (lambda: histogram(frequency=[[1, 2]], labels=[""]), r"Histogram\.labels\[0\] is blank"),
        (lambda: histogram(x_config={}), r"Histogram\.x_config is \{\}"),
        (lambda: bars(["a"]), r"BarPlot has 1 labels and 2 values"),
        (lambda: bars([], []), r"BarPlot has 0 labels and 0 values"),
        (lambda: bars(["a", ""]), r"a label of BarPlot is blank"),
        (lambda: bars(["a", NAN]), r"a label of BarPlot is nan; write it as text"),
        (lambda: bars(["a", 2**53]), r"a label of BarPlot is 9007199254740992; write it as text"),
        (lambda: bars(values=[1, 10**400]), r"BarPlot\.values\[1\] is larger than any float; scale"),
        (lambda: bars(values=[1, "2"]), r"BarPlot\.values\[1\] is '2'"),
        (lambda: bars(config="log"), r"BarPlot\.config is 'log'"),
        (lambda: matrix(["a"], [[1]]), r"ConfusionMatrix\.labels names 1 classes; two at least"),
        (lambda: matrix(rows=[[1, 2]]), r"ConfusionMatrix\.matrix has 1 rows for 2 labels"),
        (lambda: matrix(rows=[[1, 2], [3]]), r"ConfusionMatrix\.matrix\[1\] has 1 values; it must have 2"),
        (lambda: matrix(rows=[[1, 2], [3, 4, 5]]), r"ConfusionMatrix\.matrix\[1\] has 3 values; it must have 2"),
        (lambda: matrix(["a", " "]), r"ConfusionMatrix\.labels\[1\] is blank"),
        (lambda: matrix(y_label=" "), r"ConfusionMatrix\.y_label is blank"),
    ],
)
def test_a_plot_that_says_nothing_sensible_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make()


def test_what_is_unusual_but_right_is_taken() -> None:
    assert curve_plot().curves == []
    assert Curve([], []).x == []
    assert made_of(matrix(rows=[[None, NAN], [INF, -1]]).matrix) == [[None, NAN], [INF, -1]]
    assert (matrix().x_label, matrix().y_label) == ("Predicted", "Actual")
    assert histogram([-INF, 0, INF], labels=[]).buckets == [-INF, 0, INF]
    assert bars([1, 2.5], [None, None]).values == [None, None]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"data_type": "PiePlot"}, r"data_type 'PiePlot' is no Plot that this release knows; upgrade"),
        ({"data_type": ["CurvePlot"]}, r"is no Plot that this release knows"),
        ({}, r"data_type None is no Plot"),
        ([], r"\[\] is no Plot; pass the object that to_json gave"),
        ({**matrix().to_json(), "color": "red"}, r"ConfusionMatrix has members that this release does not know: color"),
        ({"data_type": "ConfusionMatrix", "title": "c"}, r"no ConfusionMatrix as localreg writes it"),
        ({**curve_plot().to_json(), "curves": 5}, r"no CurvePlot as localreg writes it"),
        (
            made_of({**curve_plot().to_json(), "curves": made_of([{"x": [], "y": [], "z": 1}])}),
            r"a Curve has members .*: z",
        ),
    ],
)
def test_json_of_something_else_is_refused(value: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Plot.from_json(value)


def test_json_of_another_class_or_of_impossible_values_is_refused() -> None:
    with pytest.raises(FormatError, match="'ConfusionMatrix' is no BarPlot"):
        BarPlot.from_json(matrix().to_json())
    with pytest.raises(InvalidInputError, match="1 rows for 2 labels"):
        Plot.from_json({**matrix().to_json(), "matrix": [[1, 2]]})
