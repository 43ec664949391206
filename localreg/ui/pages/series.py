"""What was logged to experiments, read for plots: by one query of all that ended, and of each that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.ui.charts import Axis, Panel, panel
from localreg.ui.curves import Curve
from localreg.ui.pages.found import marks
from localreg.ui.view import View

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["Plots", "axis_of", "key_counts", "plots", "series_of"]

USUAL = 4
"""Metrics that are shown when the address names none."""
MOST = 24
"""Metrics that are shown at once."""
OF_MACHINE = "system/"
COLUMNS = ["key", "step", "wallclock", "value"]


class Logged(NamedTuple):
    """A series of numbers, in the order of its points.

    Attributes:
        step: float64 (n,), NaN = none was given.
        time: float64 (n,), seconds since 1970, NaN = none was given.
        value: float64 (n,).
    """

    step: np.ndarray
    time: np.ndarray
    value: np.ndarray


class Plots(NamedTuple):
    """What the page shows.

    Attributes:
        keys: all metrics that are numbers, with the number of experiments that have each.
        chosen: those that are shown.
        panels: a plot each.
        axis: how.
        beyond: how many chosen ones are not shown, since there are too many.
    """

    keys: Mapping[str, int]
    chosen: Sequence[str]
    panels: Sequence[Panel]
    axis: Axis
    beyond: int


def axis_of(view: View) -> Axis:
    """What the address says: `x`, `log`, `smooth`.

    Raises:
        InvalidInputError: it is none of what there is.
    """
    by, text = view.text("x") or "step", view.text("smooth") or "0"
    if by not in ("step", "time"):
        raise InvalidInputError(f"x is {by[:40]!r}; write step or time")
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight < 1:
        raise InvalidInputError(f"smooth is {text[:40]!r}; write a number from 0 to less than 1, such as 0.9")
    return Axis(by, bool(view.text("log")), weight)


def plots(view: View, experiments: Sequence[Mapping[str, Any]], *, values: str) -> Plots:
    """The plots that the address asks for.

    Args:
        view: who asks.
        experiments: rows of the table; the place of each says how its lines look.
        values: the address of the numbers of a plot, without its metric.
    """
    axis = axis_of(view)
    live = _live(view, experiments)
    keys = key_counts(view, experiments, live)
    asked = view.texts("key")
    chosen = asked or [key for key in keys if not key.startswith(OF_MACHINE)][:USUAL] or list(keys)[:USUAL]
    shown = chosen[:MOST]
    curves = {key: list(found) for key, found in _curves(view, experiments, shown, axis, live).items()}
    count = sum(map(len, curves.values()))
    panels = [
        panel(key, curves[key], axis, series=count, values=f"{values}{'&' if '?' in values else '?'}{_query(key)}")
        for key in shown
    ]
    return Plots(keys, chosen, panels, axis, len(chosen) - len(shown))


def series_of(view: View, experiments: Sequence[Mapping[str, Any]], key: str, axis: Axis) -> list[Curve]:
    """The lines of one plot."""
    return list(_curves(view, experiments, [key], axis, _live(view, experiments))[key])


def _query(key: str) -> str:
    from urllib.parse import urlencode

    return urlencode({"key": key})


def _live(view: View, experiments: Sequence[Mapping[str, Any]]) -> Mapping[str, pa.Table]:
    """The points of those that are not known to have ended, by name: no commit names them yet."""
    if view.moment is not None:
        return {}
    running = [each["name"] for each in experiments if each["status"] in ("running", "killed")]
    return {name: view.registry.get_experiment(name).points(live=True).arrow() for name in running}


def key_counts(
    view: View, experiments: Sequence[Mapping[str, Any]], live: Mapping[str, pa.Table] | None = None
) -> dict[str, int]:
    """The metrics that are numbers, by name, with the number of experiments that have each."""
    import pyarrow.compute as pc

    live = _live(view, experiments) if live is None else live
    counts: dict[str, int] = {}
    ended = [each["name"] for each in experiments if each["name"] not in live]
    if ended:
        query = f"""SELECT key, count(*) AS count FROM (
            SELECT DISTINCT experiment, key FROM metric_points
            WHERE value IS NOT NULL AND experiment IN ({marks(ended)})) GROUP BY key"""
        found = view.site.kept.get(view.registry, ("keys", *ended), lambda registry: registry.sql(query, ended).dicts())
        counts |= {each["key"]: each["count"] for each in found}
    for table in live.values():
        for key in pc.unique(table.filter(pc.is_valid(table["value"]))["key"]).to_pylist():
            counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))


def _curves(
    view: View,
    experiments: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    axis: Axis,
    live: Mapping[str, pa.Table],
) -> dict[str, Iterator[Curve]]:
    """The lines of each metric, in the order of the experiments."""
    logged = dict(_logged(view, experiments, keys, live))
    begun = {name: _begin([series for (own, _), series in logged.items() if own == name]) for name, _ in logged}

    def lines(key: str) -> Iterator[Curve]:
        for style, each in enumerate(experiments):
            series = logged.get((each["name"], key))
            if series is not None:
                x, y = _along(series, axis, begun[each["name"]])
                yield Curve(each["name"], style, x, y, view.link(f"/experiments/{each['id']}"))

    return {key: lines(key) for key in keys}


def _begin(series: Sequence[Logged]) -> float:
    """The first wall clock of an experiment, from which time is told."""
    import numpy as np

    known = [each.time[np.isfinite(each.time)] for each in series]
    return min((float(each.min()) for each in known if len(each)), default=0.0)


def _along(series: Logged, axis: Axis, begun: float) -> tuple[np.ndarray, np.ndarray]:
    """Both coordinates, points without the first left out; of none that has a step, the order of logging."""
    import numpy as np

    x = series.step if axis.by == "step" else series.time - begun
    known = np.isfinite(x)
    if axis.by == "step" and not known.any():
        return np.arange(len(series.value), dtype=np.float64), series.value
    x, y = x[known], series.value[known]
    if len(x) and (np.diff(x) < 0).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    return x, y


def _logged(
    view: View, experiments: Sequence[Mapping[str, Any]], keys: Sequence[str], live: Mapping[str, pa.Table]
) -> Iterator[tuple[tuple[str, str], Logged]]:
    """Series by name of the experiment and metric."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ended = [each["name"] for each in experiments if each["name"] not in live]
    if ended and keys:
        query = f"""SELECT experiment, key, step, wallclock, value FROM metric_points
            WHERE value IS NOT NULL AND experiment IN ({marks(ended)}) AND key IN ({marks(keys)})"""
        asked = [*ended, *keys]
        what = ("points", len(ended), *asked)
        yield from view.site.kept.get(
            view.registry, what, lambda registry: list(_parted(registry.sql(query, asked).arrow()))
        )
    for name, table in live.items():
        wanted = pc.and_(pc.is_valid(table["value"]), pc.is_in(table["key"], pa.array(list(keys), pa.string())))
        rows = table.filter(wanted).select(COLUMNS)
        yield from _parted(rows.append_column("experiment", pa.array([name] * len(rows), pa.string())))


def _parted(rows: pa.Table) -> Iterator[tuple[tuple[str, str], Logged]]:
    """Rows of several series, each by itself; within one they stay in order."""
    import numpy as np
    import pyarrow as pa

    if not len(rows):
        return
    names, keys = (rows[column].combine_chunks().dictionary_encode() for column in ("experiment", "key"))
    code = names.indices.to_numpy().astype(np.int64) * len(keys.dictionary) + keys.indices.to_numpy()
    step = _floats(rows["step"])
    time = _floats(rows["wallclock"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())) / 1e6
    value = _floats(rows["value"])
    if (np.diff(code) < 0).any():
        order = np.argsort(code, kind="stable")
        code, step, time, value = code[order], step[order], time[order], value[order]
    starts = [0, *(np.flatnonzero(np.diff(code)) + 1).tolist(), len(code)]
    for begin, end in pairwise(starts):
        name, key = divmod(int(code[begin]), len(keys.dictionary))
        own = Logged(step[begin:end], time[begin:end], value[begin:end])
        yield (names.dictionary[name].as_py(), keys.dictionary[key].as_py()), own


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """As float64, NaN for null."""
    import numpy as np

    return np.asarray(column.to_numpy(), np.float64)
