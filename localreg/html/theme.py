"""Colours, and what all plots have in common.

Colours are darker ones of the hues of M. Okabe and K. Ito (Color Universal Design, 2008): people who see no difference
between red and green tell them apart. None of them says alone what a mark means: shapes, signs and dashes say it, too.
For a dark page the style sheet exchanges them one by one, which is why each has one meaning.
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["BASELINE", "BETTER", "CANDIDATE", "DARK", "GRID", "INK", "MUTED", "TRUTH", "UNSURE", "WORSE"]
__all__ += ["SHAPES", "VERDICT_COLORS", "Spec", "framed", "lines"]

Spec: TypeAlias = "dict[str, Any]"
"""A Vega-Lite specification, plain JSON."""

INK, MUTED, GRID = "#1c2733", "#566270", "#dde3e9"
BASELINE, CANDIDATE = "#5a6673", "#9a3d84"
BETTER, WORSE, UNSURE = "#0069a8", "#c24a00", "#6b7785"
TRUTH = "#00795a"

DARK = {
    INK: "#e8edf2",
    MUTED: "#a5b1bd",
    GRID: "#37424d",
    BASELINE: "#a9b4c0",
    CANDIDATE: "#e39fd2",
    BETTER: "#62b7ee",
    WORSE: "#ff9a5c",
    UNSURE: "#98a4b0",
    TRUTH: "#4fc9a4",
}
"""What each becomes on a dark page."""

VERDICT_COLORS: dict[str, str] = {
    "improved": BETTER,
    "regressed": WORSE,
    "different": UNSURE,
    "inconclusive": UNSURE,
    "equal": UNSURE,
}
SHAPES: dict[str, str] = {
    "improved": "triangle-up",
    "regressed": "triangle-down",
    "different": "diamond",
    "inconclusive": "circle",
    "equal": "square",
}

FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
"""Of one width everywhere: plots are laid out here, and drawn by the reader's browser."""


def framed(title: str, subtitle: list[str], spec: Spec) -> Spec:
    """A specification with title, fonts and quiet axes.

    Args:
        title: what is shown.
        subtitle: lines on how to read it, and what was left out.
        spec: the rest.
    """
    axis = {
        "domainColor": MUTED,
        "gridColor": GRID,
        "labelColor": INK,
        "labelFontSize": 11,
        "tickColor": MUTED,
        "titleColor": INK,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    }
    legend = {"labelColor": INK, "labelFontSize": 11, "labelLimit": 220, "titleColor": INK, "orient": "bottom"}
    heads = {"anchor": "start", "color": INK, "fontSize": 13, "subtitleColor": MUTED, "subtitleFontSize": 11}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": None,
        "title": {"text": title, "subtitle": subtitle, "frame": "bounds"},
        "config": {
            "aria": False,  # the page's tables hold the same numbers, in an order that can be read aloud
            "axis": axis,
            "font": FONT,
            "legend": legend,
            "title": heads,
            "view": {"stroke": None},
        },
        **spec,
    }


def lines(text: str, width: int) -> list[str]:
    """A text in lines of about so many pixels; words stay whole."""
    import textwrap

    return textwrap.wrap(text, max(20, int(width / 5.6)))
