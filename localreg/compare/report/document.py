"""The whole page: verdict, warnings, metrics, classes, test cases and slices, confusions, curves, samples, how.

One file that asks for nothing else: no script, no network (its own Content-Security-Policy forbids both), and the same
bytes for the same comparison.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, partial
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple, TypeAlias

from localreg.compare.compared import Compared
from localreg.compare.confusions import Confusion
from localreg.compare.evidence import Evidence
from localreg.compare.report.curves import curves_of
from localreg.compare.report.det import det_plot
from localreg.compare.report.errors import MOST_ERRORS, errors_plot
from localreg.compare.report.examples import keys, sample_list
from localreg.compare.report.matrix import matrix
from localreg.compare.report.pictures import DataUris
from localreg.compare.report.plots import NARROW, WIDE, breakdown_name, confusion_plot, forest_plot, part_name
from localreg.compare.report.rendering import can_render, rendered
from localreg.compare.report.tables import SIGNS, confusion_table, coverage_table, metric_table, part_table
from localreg.compare.report.wording import how, named, p_text, power, readable, sentence
from localreg.compare.rows import MetricRow
from localreg.html.markup import Markup, cut, isolated, joined, tag
from localreg.html.style import style_sheet
from localreg.html.theme import Spec
from localreg.names import amount

__all__ = ["INSTALL", "Draw", "Part", "Sizes", "footing", "is_outlined", "page", "plots", "warning_list"]

INSTALL = "pip install 'localreg-registry[ui]'"

OUTCOMES = (
    ("fixed", "Fixed", "only the candidate is right", True),
    ("broken", "Broken", "only the baseline is right", True),
    ("both_wrong", "Both wrong", "neither is right", False),
)
GROWN = ("Larger errors", "the candidate is further from the truth than the baseline")
OUTLINED = ("segmentation", "evaluator 'segmentation'")
"""Tasks that go by pixels: what has a box, too, is shown by its outline."""


class Sizes(NamedTuple):
    """A plot for wide pages, and for phones where another one is better there."""

    wide: Spec
    narrow: Spec | None = None


Draw: TypeAlias = Callable[[str, str], Markup]
"""What stands for a plot that is drawn later: by its name, as in `plots`, and what it shows in words."""


def plots(comparison: Compared) -> dict[str, Spec]:
    """See `Comparison.plots`."""
    evidence = cache(comparison._evidence)
    several = len(comparison.candidates) > 1
    return {
        f"{candidate}: {name}" if several else name: sizes.wide
        for number, candidate in enumerate(comparison.candidates)
        for name, sizes in Part(comparison, number, evidence).plots().items()
    }


def page(comparison: Compared, *, title: str | None, samples: int, pictures: DataUris | None = None) -> str:
    """See `Comparison.to_html`.

    Args:
        comparison: all of it.
        title: None = the names of models and suite.
        samples: how many of each outcome.
        pictures: of the samples; None = whatever they name.
    """
    evidence, pictures = cache(comparison._evidence), pictures or DataUris()
    names = [cut(name, 60) for name in (comparison.baseline, *comparison.candidates)]
    title = title or f"{', '.join(names[1:])} against {names[0]} on {cut(comparison.suite, 60)}"
    parts = [Part(comparison, number, evidence) for number in range(len(comparison.candidates))]
    body = joined(
        tag("h1", title),
        *(each.verdict() for each in parts),
        warning_list(comparison),
        *(piece for each in parts for piece in each.sections(pictures, samples)),
        *footing(comparison),
    )
    return f"<!doctype html>\n{_document(title, body)}\n"


def is_outlined(comparison: Compared) -> bool:
    """Whether what has both a box and pixels is drawn by the outlines of these: see `card`."""
    return comparison.task in OUTLINED


def _document(title: str, body: Markup) -> Markup:
    style = style_sheet()
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return tag("html", head, tag("body", tag("main", body)), lang="en")


def warning_list(comparison: Compared) -> Markup | None:
    """What should be known before the numbers are believed; None = nothing."""
    if not comparison.warnings:
        return None
    told = tag("ul", *(tag("li", each) for each in comparison.warnings), class_="warnings")
    return tag("section", told, aria_label="warnings")


def footing(comparison: Compared) -> Iterator[Markup]:
    """What was compared, and how."""
    yield tag("h2", "What was compared, and how")
    yield coverage_table(comparison)
    yield tag("ul", *(tag("li", each) for each in how(comparison)), class_="note")
    if not can_render():
        yield tag("p", "Plots are left out: they need vl-convert. Install it by ", tag("code", INSTALL), class_="note")


class Part:
    """What is told of one candidate.

    Args:
        comparison: all of it.
        number: of the candidate.
        behind: what lies behind it, which is not asked for before it is needed, and is the same at each call; None =
            what this part alone reads.
        draw: what stands for plots; None = they are drawn at once.
    """

    def __init__(
        self,
        comparison: Compared,
        number: int,
        behind: Callable[[], Evidence] | None = None,
        draw: Draw | None = None,
    ) -> None:
        self._comparison = comparison
        self._behind = behind or cache(comparison._evidence)
        self._number = number
        self._draw = draw
        self._name = comparison.candidates[number]
        self._rows = [row for row in comparison.rows if row.candidate == self._name]
        self._first = self._rows[0]
        self._reasons: list[str] = []

    @cached_property
    def _confusion(self) -> Confusion | None:
        return self._behind().confusion(self._number)

    def plots(self) -> dict[str, Sizes]:
        """All plots by name."""
        return {
            **self._forests(),
            **self._confusion_plots(),
            **{name: Sizes(each) for name, each in self._curves().items()},
        }

    def verdict(self) -> Markup:
        """One sentence, and what it leaves open."""
        row = self._first
        told = []
        if row.verdict == "inconclusive" and row.least_detectable is not None:
            told.append(power(row))
        if row.p is not None and row.verdict != "equal":
            told.append(f"p = {p_text(row.p)}, adjusted {p_text(row.p_adjusted)}; {amount(row.n, 'sample')} paired.")
        sign = tag("span", SIGNS[row.verdict], class_="sign", aria_hidden="true")
        note = tag("span", " ".join(told), class_="note") if told else None
        return tag(
            "p", sign, isolated(f"{sentence(self._comparison, self._name)}.", 2000), note,
            class_=f"verdict-box {row.verdict}",
        )  # fmt: skip

    def sections(self, pictures: DataUris, samples: int) -> Iterator[Markup]:
        """All that comes below the verdict."""
        several = len(self._comparison.candidates) > 1
        yield tag("h2", isolated(f"Metrics: {self._name}" if several else "Metrics"))
        yield self.metrics()
        yield from self.classes()
        for name, _ in self._parts():
            yield from self.breakdown(f"by {name}")
        yield from self.confusions()
        yield from self.curves()
        if samples:
            yield from self._samples(pictures, samples)

    # --- metrics, classes, test cases, slices -------------------------------------------------------------------------

    def metrics(self) -> Markup:
        """All metrics over the whole suite."""
        whole = [row for row in self._rows if row.test_case is row.by is row.label is None]
        return metric_table(whole, self._comparison)

    def cases(self) -> Markup | None:
        """Metrics in test cases, a column each; None if the suite has but one test case, or one metric alone."""
        rows = [row for row in self._rows if row.by is row.label is None]
        return matrix(rows, self._comparison)

    @property
    def has_classes(self) -> bool:
        """Whether anything is told of single classes."""
        return any(row.label is not None for row in self._rows)

    def classes(self) -> Iterator[Markup]:
        """Metrics of single classes, folded."""
        every = [row for row in self._rows if row.label is not None]
        # An evaluator may say something of classes in test cases, too, and even there alone.
        of_all = {row.metric for row in every if row.test_case is row.by is None}
        rows = [row for row in every if row.test_case is row.by is None or row.metric not in of_all]
        if rows:
            yield tag("h2", "Classes")
        for number, metric in enumerate(dict.fromkeys(row.metric for row in rows)):
            own = [row for row in rows if row.metric == metric]
            names = [f"{row.label}, {row.test_case}" if row.test_case else row.label or "" for row in own]
            table = part_table("class", names, own, self._comparison)
            head = tag("summary", tag("strong", readable(metric)), f" · {len({row.label for row in own}):,} classes")
            yield tag("details", head, table, open="" if number == 0 and len(own) <= 30 else None)

    def _parts(self) -> Iterator[tuple[str, list[MetricRow]]]:
        """The first metric in each breakdown; a suite of one test case has none of test cases."""
        rows = [row for row in self._rows if row.metric == self._first.metric and row.label is None]
        rows = [row for row in rows if row.test_case is not None or row.by is not None]
        for name, group in groupby(rows, key=breakdown_name):
            own = list(group)
            if len(own) > 1 or own[0].by is not None:
                yield name, own

    def _forests(self) -> dict[str, Sizes]:
        found = {f"by {name}": self._forest(rows) for name, rows in self._parts()}
        return {name: sizes for name, sizes in found.items() if sizes is not None}

    def _forest(self, rows: Sequence[MetricRow]) -> Sizes | None:
        sizes = [forest_plot(rows, self._first, self._comparison.baseline, width=each) for each in (WIDE, NARROW)]
        return None if sizes[0] is None else Sizes(*(each for each in sizes if each is not None))

    def slices(self) -> dict[str, int]:
        """Names of breakdowns by slices, such as `by metadata.weather`, and how many slices each has."""
        return {f"by {name}": len(rows) for name, rows in self._parts() if rows[0].by is not None}

    def breakdown(self, name: str) -> Iterator[Markup]:
        """The first metric in test cases, or in slices: plot and table; nothing if there is no such breakdown."""
        for each, rows in self._parts():
            if name == f"by {each}":
                metric = named(self._first.metric, self._comparison)
                yield tag("h2", f"{metric[0].upper()}{metric[1:]} by ", isolated(each))
                yield self.forest(name)
                yield part_table(each, [part_name(row) for row in rows], rows, self._comparison)

    def forest(self, name: str) -> Markup:
        """The plot of a breakdown, such as `by test case`; nothing if there is none."""
        for number, (each, rows) in enumerate(self._parts()):
            if name == f"by {each}":
                return self._figure(f"by{number}", self._forest(rows), f"differences by {each}", name)
        return joined("")

    # --- confusions, curves -------------------------------------------------------------------------------------------

    def _confusion_plots(self) -> dict[str, Sizes]:
        if self._confusion is None:
            return {}
        names = self._comparison.baseline, self._name
        sizes = [confusion_plot(self._confusion, *names, width=each) for each in (WIDE, NARROW)]
        return {"confusion": Sizes(*(each for each in sizes if each is not None))} if sizes[0] is not None else {}

    def confusions(self) -> Iterator[Markup]:
        """Which classes were taken for which."""
        if self._confusion is None:
            return
        yield tag("h2", "Confusions")
        table = confusion_table(self._confusion)
        if table is None:
            yield tag("p", "Both models confuse the same classes, equally often.")
            return
        yield self._figure(
            "confusion", self._confusion_plots().get("confusion"), "difference of the confusion matrices"
        )
        yield table

    def _curves(self) -> dict[str, Spec]:
        similarities = self._behind().similarities(self._number)
        if similarities is not None:
            drawn = det_plot(similarities, self._comparison.baseline, self._name)
            return {} if drawn is None else {"det": drawn}
        errors = self._behind().errors(self._number, most=MOST_ERRORS)
        if errors is not None:
            drawn = errors_plot(errors, self._comparison.baseline, self._name)
            return {} if drawn is None else {"errors": drawn}
        scored = self._behind().scored(self._number)
        if scored is None:
            return {}
        found = curves_of(scored, self._comparison.baseline, self._name)
        self._reasons = found.reasons
        return found.plots

    def curves(self) -> Iterator[Markup]:
        """Curves over scores, or errors."""
        if not can_render():
            return
        drawn = self._curves()
        if drawn or self._reasons:
            yield tag("h2", "Errors" if "errors" in drawn else "Scores")
        if drawn:
            figures = [self._figure(name, Sizes(spec), name.replace("_", " ")) for name, spec in drawn.items()]
            yield tag("div", *figures, class_="curves")
        yield from (tag("p", f"{each[0].upper()}{each[1:]}.", class_="note") for each in self._reasons)

    def _figure(self, id: str, sizes: Sizes | None, label: str, name: str | None = None) -> Markup:
        """A plot, or what stands for it.

        Args:
            id: of the figure, for what in it needs one.
            sizes: the plot.
            label: in words.
            name: in `plots`, where it is not the id.
        """
        if sizes is None or not can_render():
            return joined("")
        if self._draw is not None:
            return self._draw(name or id, label)
        prefix = f"p{self._number}-{id}"
        if sizes.narrow is None:
            return tag("figure", rendered(sizes.wide, prefix), role="img", aria_label=label)
        wide = tag("div", rendered(sizes.wide, prefix), class_="wide")
        narrow = tag("div", rendered(sizes.narrow, f"{prefix}-narrow"), class_="narrow")
        return tag("figure", wide, narrow, role="img", aria_label=label)

    # --- samples ------------------------------------------------------------------------------------------------------

    def _samples(self, pictures: DataUris, most: int) -> Iterator[Markup]:
        listed = partial(sample_list, source=pictures, outlined=is_outlined(self._comparison))
        if self._first.fixed is not None:
            lists = [
                listed(title, told, self._behind().examples(self._number, outcome, most), is_open=is_open)
                for outcome, title, told, is_open in OUTCOMES
            ]
        else:
            grown = self._behind().grown(self._number, most)
            if grown is None:
                return
            lists = [listed(*GROWN, grown, is_open=True, which="the worst first")]
        yield tag("h2", "Samples")
        yield from self._notes(pictures, lists)
        yield from lists

    def _notes(self, pictures: DataUris, lists: Sequence[Markup]) -> Iterator[Markup]:
        """What has to be known of the lists, now that they are made."""
        yield from keys(lists)
        if pictures.lacks_pillow:
            yield tag(
                "p", "Pictures are left out: they need Pillow. Install it by ", tag("code", INSTALL), class_="note"
            )
        if pictures.is_full:
            yield tag("p", "Some pictures are left out: the page would be too large.", class_="note")
