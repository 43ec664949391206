"""Rules that a candidate must keep, and every reason why it does not.

A gate fails closed: a value that cannot be measured, an interval that cannot be given and too few samples are reasons
to fail. All rules must hold at once, so none of them is adjusted for how many there are: to pass, a candidate would
have to be lucky in each (an intersection-union test). That no metric may have regressed in critical parts is the
other way round: each of them is a chance to fail by luck. So the p-values of all metrics in all critical parts are
adjusted together, as `adjust` of the comparison says, and a candidate that is as good fails by any of them with a
chance below 1 - confidence. A single row may be told as "regressed" in the table and be no reason here. A metric that
was named, seems to be worse and has no p-value fails, too: whether that is luck cannot be told. Of those that are told
because nobody named any, this is a note: some of them have a p-value only by bootstrap.

Source:
    Non-inferiority by the interval's lower end: G. Piaggio et al., JAMA 308 (2012) 2594 (CONSORT), figure 1; ICH E9
    (1998), 3.3.2. Intersection-union tests: R. Berger, Technometrics 24 (1982) 295.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil, isfinite
from typing import TYPE_CHECKING, NamedTuple, cast

from localreg.canonical import JsonObject
from localreg.compare.rows import MetricRow
from localreg.compare.telling import json_text, number, signed
from localreg.compare.verdicts import regressed, untold
from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import amount, check_flag, did_you_mean, shown_value
from localreg.query.text import plain

if TYPE_CHECKING:
    from localreg.compare.compared import Compared, Side

__all__ = ["Gate", "GateResult", "check_critical", "check_rules", "gated", "refuse_undirected", "worse"]

ROUNDING = 1e-12
"""Limits are met within this share of them: 0.90 - 0.91 is a little below -0.01 in binary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is asked of one metric; whatever is None is not asked.

    "Worse" is lower, or higher for metrics of which less is more (errors, losses).

    Attributes:
        min_value: the candidate's value must not be below.
        max_value: the candidate's value must not be above.
        max_drop: the candidate's value must not be worse than the baseline's by more than this, as observed; 0 or more.
            Luck decides about small drops: `margin` asks for proof.
        margin: the candidate must be shown not to be worse by this or more: the interval of the difference must end
            before it (non-inferiority). Too few samples fail. 0 asks for proof that it is better.

    Raises:
        InvalidInputError: nothing is asked; a limit that is no finite number, or a negative drop or margin.
    """

    min_value: float | None = None
    max_value: float | None = None
    max_drop: float | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in said.items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise InvalidInputError(f"{name} is {shown_value(value)}; it must be a finite number")
            if name in ("max_drop", "margin") and value < 0:
                raise InvalidInputError(f"{name} is {value}; say how much worse it may be, as a number of 0 or more")
        if all(value is None for value in said.values()):
            raise InvalidInputError(f"a Gate asks for nothing; give at least one of {', '.join(said)}")
        if self.min_value is not None and self.max_value is not None and self.min_value > self.max_value:
            raise InvalidInputError(f"min_value {self.min_value} is above max_value {self.max_value}; none can pass")


@dataclass(frozen=True)
class GateResult:
    """Whether the candidates pass. True in conditions if they do.

    Attributes:
        baseline: `name@version`.
        candidates: those that were looked at.
        suite: name of the test suite.
        suite_version: its version.
        reasons: why they do not pass; every one.
        notes: what was asked and could not be looked at where it was asked, and why that is no reason to fail.
    """

    baseline: str
    candidates: tuple[str, ...]
    suite: str
    suite_version: int
    reasons: list[str]
    notes: list[str]

    @property
    def passed(self) -> bool:
        """There is no reason to fail."""
        return not self.reasons

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        names = ", ".join(self.candidates)
        verb = ("passes", "fails") if len(self.candidates) == 1 else ("pass", "fail")
        told = f"{names} {verb[not self.passed]} the gate against {self.baseline} on {self.suite!r}"
        lines = [f"{told}:" if self.reasons else told, *(f"  {each}" for each in self.reasons)]
        return "\n".join([*lines, *(f"note: {each}" for each in self.notes)])

    def to_dict(self) -> JsonObject:
        """Its attributes."""
        return cast(JsonObject, plain({"passed": self.passed, **asdict(self)}))

    def to_json(self) -> str:
        """Its attributes as JSON text; the same for the same result."""
        return json_text(self.to_dict())


def gated(
    comparison: Compared,
    rules: Mapping[str, Gate],
    *,
    critical: Sequence[str] = (),
    candidate: str | None = None,
    require_improvement: bool = False,
) -> GateResult:
    """Hold a comparison against rules; see `Comparison.gate`."""
    check_rules(rules)
    names = check_critical(critical)
    if not (rules or names or check_flag(require_improvement, what="require_improvement")):
        raise InvalidInputError(
            "the gate asks for nothing; give the rule of a metric, critical parts, or require an improvement"
        )
    chosen = comparison.sides[1:] if candidate is None else (comparison.side(candidate),)
    _refuse_unknown(comparison.rows, rules)
    _refuse_drops(comparison.undirected, rules)
    if names and not rules:
        refuse_undirected(comparison.rows, comparison.undirected)
    parts = {name: _places(comparison.rows, name) for name in names}
    reasons: list[str] = []
    notes: list[str] = []
    for side in chosen:
        rows = [row for row in comparison.rows if row.candidate == side.name]
        looked = _Looked(rows, rules, comparison)
        found = list(looked.reasons(parts))
        if require_improvement and rows[0].verdict != "improved":
            found.append(f"{_named(rows[0])}: {_not_improved(rows[0])}")
        reasons += found if len(chosen) == 1 else [f"{side.name}: {reason}" for reason in found]
        notes += [note for note in looked.notes(parts) if note not in notes]
        notes += [] if comparison.strict else _left_out(side)
    chosen_names = tuple(side.name for side in chosen)
    return GateResult(comparison.baseline, chosen_names, comparison.suite, comparison.suite_version, reasons, notes)


def check_rules(rules: Mapping[str, Gate]) -> None:
    """Each must be a gate."""
    for name, rule in rules.items():
        if not isinstance(rule, Gate):
            raise InvalidInputError(f"the rule of {name!r} is {shown_value(rule)}; write Gate(min_value=…, …)")


def check_critical(critical: object) -> list[str]:
    """Names, each once."""
    if isinstance(critical, str) or not isinstance(critical, Collection):
        raise InvalidInputError(f"critical is {shown_value(critical)}; it must be a list of test cases or slices")
    for each in critical:
        if not isinstance(each, str):
            raise InvalidInputError(f"critical holds {shown_value(each)}; it must be a list of names")
    return list(dict.fromkeys(critical))


def _refuse_unknown(rows: Sequence[MetricRow], rules: Mapping[str, Gate]) -> None:
    there = list(dict.fromkeys(row.metric for row in rows))
    for name in rules:
        if name not in there:
            hint = did_you_mean(name, there) or f"; those that were: {', '.join(there)}"
            raise InvalidInputError(f"metric {name!r} was not compared{hint}")


def _refuse_drops(undirected: Collection[str], rules: Mapping[str, Gate]) -> None:
    for name, rule in rules.items():
        if name in undirected and (rule.max_drop is not None or rule.margin is not None):
            raise InvalidInputError(
                f"neither more nor less of {name!r} is better, as far as was said, so that it cannot drop; give it "
                "min_value and max_value, or say which with better= when you compare"
            )


def refuse_undirected(rows: Sequence[MetricRow], undirected: Collection[str]) -> None:
    """Of some metric more or less must be better, or nothing can become worse."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    if metrics and all(name in undirected for name in metrics):
        raise InvalidInputError(
            f"neither more nor less of {', '.join(map(repr, metrics))} is better, as far as was said, so that nothing "
            "can become worse; say which with better= when you compare, or name other metrics"
        )


class Worse(NamedTuple):
    """What is worse, or may be."""

    reasons: dict[MetricRow, str]
    """Rows in which the candidate is worse, or cannot be told not to be, each with what to say of it."""
    notes: list[str]


def worse(comparison: Compared, rows: Sequence[MetricRow]) -> Worse:
    """Rows of one candidate in which it is worse, where luck had a chance in each of them.

    Args:
        comparison: that they are of.
        rows: where it must not be.
    """
    it = comparison
    if not rows:
        return Worse({}, [])
    found = regressed(
        rows,
        lower_is_better=it.lower_is_better,
        undirected=it.undirected,
        confidence=it.confidence,
        adjust=it.adjust,
    )
    reasons = {row: f"{_named(row)}: regressed, {_difference(row)}" for row in found}
    doubtful = untold(rows, lower_is_better=it.lower_is_better, undirected=it.undirected)
    question = it._question
    if question is None or question.asked.metrics is not None:
        reasons |= {row: f"{_named(row)}: {_untold(row)}" for row in doubtful}
        return Worse(reasons, [])
    notes = [
        f"{name} seems worse somewhere and has no p-value there; that is a reason to fail only if metrics= names it"
        for name in dict.fromkeys(row.metric for row in doubtful)
    ]
    return Worse(reasons, notes)


def _untold(row: MetricRow) -> str:
    """Why it is not known whether a row is worse."""
    seen = "no difference" if row.difference is None else _difference(row)
    return f"whether it regressed cannot be told: {seen}; {row.reason or 'there is no p-value of it'}"


def _left_out(side: Side) -> list[str]:
    """A candidate that fails on what is hard for it would pass by that."""
    gaps = side.coverage.gaps
    if not gaps:
        return []
    left_out = f"{amount(gaps, 'sample')} of the suite without an inference of {side.name} left out"
    return [f"{left_out}; strict counts that as wrong"]


Place = tuple[str | None, str | None, str | None]
"""Test case, expression and slice of a row."""

WHOLE: Place = (None, None, None)


def _place(row: MetricRow) -> Place:
    return row.test_case, row.by, row.slice


def _places(rows: Sequence[MetricRow], name: str) -> list[Place]:
    """The test cases and slices that a name means: all of that name, or `EXPRESSION=VALUE`."""
    there = dict.fromkeys(place for place in map(_place, rows) if place != WHOLE)
    called = {place: place[0] if place[1] is None else place[2] for place in there}
    found = [
        place for place, own in called.items() if own == name or (place[1] is not None and f"{place[1]}={own}" == name)
    ]
    if not found:
        names = list(dict.fromkeys(str(own) for own in called.values()))
        there_are = f"; there are {', '.join(map(repr, names[:10])) or 'none'}, and slices only if by= made some"
        raise NotFoundError(f"no test case or slice {name!r} was compared{did_you_mean(name, names) or there_are}")
    return found


class _Looked:
    """One candidate's rows under the rules.

    Args:
        rows: the candidate's.
        rules: by metric.
        comparison: that they are of.
    """

    def __init__(self, rows: Sequence[MetricRow], rules: Mapping[str, Gate], comparison: Compared) -> None:
        self._rules = rules
        self._comparison = comparison
        self._lower_is_better = comparison.lower_is_better
        self._rows: dict[Place, list[MetricRow]] = {}
        for row in rows:
            self._rows.setdefault(_place(row), []).append(row)

    def reasons(self, parts: Mapping[str, Sequence[Place]]) -> Iterator[str]:
        """Why the candidate fails: on the whole suite first, then in each critical part."""
        yield from self._broken_rules(WHOLE)
        worse = self._worse(parts).reasons
        for name, places in parts.items():
            for place in places:
                rows = self._rows.get(place, [])
                if not any(row.n for row in rows):
                    yield f"critical {name!r}: no samples were compared there"
                    continue
                yield from (f"critical {worse[row]}" for row in rows if row in worse)
                yield from (f"critical {reason}" for reason in self._broken_rules(place))

    def _worse(self, parts: Mapping[str, Sequence[Place]]) -> Worse:
        """What is worse in critical parts, of all classes together."""
        places = dict.fromkeys(place for own in parts.values() for place in own)  # a slice may be named twice
        rows = [row for place in places for row in self._rows.get(place, ()) if row.label is None and row.n]
        return worse(self._comparison, rows)

    def notes(self, parts: Mapping[str, Sequence[Place]]) -> Iterator[str]:
        """Rules that cannot be looked at in critical parts."""
        for name in self._rules:
            if any(
                name not in {row.metric for row in self._rows.get(each, ())} for own in parts.values() for each in own
            ):
                yield f"{name} is told for the whole suite only; its rule does not reach into critical parts"
        yield from self._worse(parts).notes

    def _broken_rules(self, place: Place) -> Iterator[str]:
        for name, rule in self._rules.items():
            for row in self._rows.get(place, ()):
                if row.metric == name:
                    sign = -1 if name in self._lower_is_better else 1
                    yield from (f"{_named(row)}: {reason}" for reason in _broken(rule, row, sign))


def _broken(rule: Gate, row: MetricRow, sign: int) -> Iterator[str]:
    """What of a rule a row breaks. `sign` is -1 where less is more."""
    if rule.min_value is not None or rule.max_value is not None:
        if row.b is None:
            yield f"no value to hold against a limit: {_why(row)}"
        elif row.a is not None and row.difference is None:  # what it left out may be what it gets wrong
            yield f"whether {number(row.b)} is within the limit cannot be told: {_why(row)}"
        elif rule.min_value is not None and row.b < rule.min_value - _tolerance(rule.min_value):
            yield f"{number(row.b)} is below min_value {rule.min_value:g}"
        elif rule.max_value is not None and row.b > rule.max_value + _tolerance(rule.max_value):
            yield f"{number(row.b)} is above max_value {rule.max_value:g}"
    if rule.max_drop is not None:
        if row.difference is None:
            yield f"no difference to hold against max_drop: {_why(row)}"
        elif sign * row.difference < -rule.max_drop - _tolerance(rule.max_drop):
            yield f"the difference {signed(row.difference)} is worse than max_drop {rule.max_drop:g} allows"
    if rule.margin is not None:
        if row.difference is None or row.low is None or row.high is None:
            yield f"no interval to hold against margin: {_why(row)}"
        else:
            low = row.low if sign > 0 else -row.high
            if not low > -rule.margin:
                yield _inferior(rule.margin, row, sign * row.difference, low)


def _inferior(margin: float, row: MetricRow, gain: float, low: float) -> str:
    """Why it is not shown that a candidate is not worse by a margin.

    Args:
        margin: how much worse it must not be.
        row: with its interval.
        gain: by how much the candidate is better.
        low: the lower end of the gain's interval.
    """
    told = f"not shown to be worse by less than margin {margin:g}: {_difference(row)}"
    if gain <= -margin:
        return f"{told}; what was observed is beyond the margin already"
    least = "" if row.least_detectable is None else f" (least detectable difference {number(row.least_detectable)})"
    needed = _needed(row.n, gain, low, margin)
    of_these = f"with {amount(row.n, 'sample')}{least} that cannot be told"
    return f"{told}; {of_these}, and would take about {needed:,} of the same kind"


def _needed(n: int, gain: float, low: float, margin: float) -> int:
    """With how many samples the interval would end at the margin, if its width goes with 1 / √n and the rest stays."""
    needed = n * ((gain - low) / (gain + margin)) ** 2
    step = int(10 ** max(0, len(str(int(needed))) - 2))  # two digits are more than can be known
    return max(n + 1, ceil(needed / step - 1e-9) * step)


def _tolerance(limit: float) -> float:
    return ROUNDING * max(1.0, abs(limit))


def _named(row: MetricRow) -> str:
    """What a row is of, in words."""
    metric = row.metric if row.label is None else f"{row.metric} of {row.label!r}"
    if row.by is not None:
        return f"{metric} where {row.by} is {row.slice!r}"
    return metric if row.test_case is None else f"{metric} in test case {row.test_case!r}"


def _difference(row: MetricRow) -> str:
    interval = "" if row.low is None or row.high is None else f" ({signed(row.low)} to {signed(row.high)})"
    return f"difference {signed(row.difference)}{interval}"


def _why(row: MetricRow) -> str:
    return row.reason or ("no samples were compared" if not row.n else "it is undefined here")


def _not_improved(row: MetricRow) -> str:
    if row.difference is None:
        return f"no improvement: {_why(row)}"
    p = "" if row.p_adjusted is None else f", p = {row.p_adjusted:.3g}"
    return f"no improvement, {row.verdict}: {_difference(row)}{p}"
