"""The experiments: a table with parameters and last metrics, many curves at once, parameters side by side."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from starlette.responses import JSONResponse, Response

from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import check_id
from localreg.ui.charts import markers, swatch, told
from localreg.ui.curves import smoothed, thinned
from localreg.ui.pages.found import marks, registry_of
from localreg.ui.pages.listing import Listing
from localreg.ui.pages.series import axis_of, plots, series_of
from localreg.ui.view import View

__all__ = ["curves", "duration", "listing", "params", "status_of", "values"]

USUAL = ("name", "status", "owner", "framework", "tags")
OFFERED = ("name", "status", "owner", "framework", "task", "tags", "description", "external_id", "created_by")
LAST = ("created_at", "duration")
FACETS = ("status", "tags", "owner", "framework")
TITLES = {"created_at": "started", "ended_at": "ended", "created_by": "by", "external_id": "elsewhere"}
METRIC = "metric."
"""Before the name of a metric, in `column`: its last value is shown."""
MOST_PARAMS = 3
"""Columns of parameters when the address names none."""
MOST = 100
"""Experiments that are shown together."""
FINE, COARSE = 560, 200
"""Columns of the screen of which values are sent to who points at a plot: of few lines, of many."""


def status_of(view: View, row: Mapping[str, Any]) -> str:
    """What becomes of it: one whose processes are gone was killed, which no record says yet."""
    if row["status"] != "running" or view.moment is not None:
        return str(row["status"])
    return registry_of(view, row).get_experiment(row["name"]).status


def duration(row: Mapping[str, Any]) -> str:
    """How long it took; "" = it has not ended."""
    begun, ended = row["created_at"], row["ended_at"]
    if not isinstance(ended, datetime) or not isinstance(begun, datetime):
        return ""
    seconds = max(0.0, (ended - begun) / timedelta(seconds=1))
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    while parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2])


def listing(view: View) -> Response:
    """`/experiments`."""
    table = Listing(view, "experiments", facets=FACETS, lists=("tags",), titles=TITLES, objects=("params", "metadata"))
    found = table.found("-created_at")
    rows = [{**row, "status": status_of(view, row), "duration": duration(row)} for row in found.rows]
    known = _scalars(rows)
    chosen = view.texts("column") or [*USUAL, *_telling(rows, known)]
    metrics = [each.removeprefix(METRIC) for each in chosen if each.startswith(METRIC)]
    last = _last_values(view, rows, metrics)
    columns = [*(each for each in chosen if not each.startswith(METRIC)), *LAST]
    return view.page(
        "experiments.html",
        title="Experiments",
        section="Experiments",
        rows=[
            {
                **row,
                "cells": table.cells(row, columns),
                "last": [last.get((row["namespace"], row["name"], key)) for key in metrics],
            }
            for row in rows
        ],
        metrics=metrics,
        offered=[*OFFERED, *(f"params.{key}" for key in known)],
        chosen=chosen,
        **table.told(found, columns, "-created_at"),
        archived=0 if found.total or table.is_asked else _archived(view),
        told=told,
    )


def _archived(view: View) -> int:
    """How many experiments are archived."""
    return view.everything.page("experiments", limit=1, archived=True).total


def _scalars(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Parameters that fit a column, by how many of the experiments have them."""
    counts = Counter(
        key
        for row in rows
        for key, value in (row["params"] or {}).items()
        if not isinstance(value, dict | list) and _is_word(key)
    )
    return [key for key, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]


def _is_word(key: str) -> bool:
    """Whether it can stand in an expression as it is."""
    return key.isidentifier() and key.isascii()


def _telling(rows: Sequence[Mapping[str, Any]], known: Sequence[str]) -> list[str]:
    """The first parameters by which these experiments differ, else the first there are."""
    differing = [key for key in known if len({json.dumps((row["params"] or {}).get(key)) for row in rows}) > 1]
    return [f"params.{key}" for key in (differing or known)[:MOST_PARAMS]]


def _last_values(
    view: View, rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]
) -> Mapping[tuple[str, str, str], float]:
    """The last committed value of each metric, by namespace and name of the experiment."""
    if not metrics or not rows:
        return {}
    names = [row["name"] for row in rows]
    query = f"""SELECT namespace, experiment, key, last(value ORDER BY step NULLS FIRST, wallclock NULLS FIRST) AS value
        FROM metric_points WHERE value IS NOT NULL AND experiment IN ({marks(names)}) AND key IN ({marks(metrics)})
        GROUP BY namespace, experiment, key"""
    found = view.everything.sql(query, [*names, *metrics])
    return {(each["namespace"], each["experiment"], each["key"]): each["value"] for each in found}


# --- many at once ----------------------------------------------------------------------------------------------------


def curves(view: View) -> Response:
    """`/experiments/curves?experiment=ID&experiment=ID`."""
    rows = _chosen(view, "id, name, status")
    shown = plots(view, rows, values=view.here(key=None, done=None).replace("/curves", "/values", 1)) if rows else None
    return view.page(
        "curves.html",
        title="Curves",
        section="Experiments",
        rows=[{**row, "status": status_of(view, row), "style": style} for style, row in enumerate(rows)],
        shown=shown,
        told=told,
        swatch=swatch,
        markers=markers,
        compared=view.link("/experiments/params", experiment=[row["id"] for row in rows]),
    )


def values(view: View) -> Response:
    """`/experiments/values?experiment=ID&key=…`: the numbers behind the lines of one plot, as JSON."""
    rows, key = _chosen(view, "id, name, status"), view.text("key")
    if key is None:
        raise InvalidInputError("key is missing; name the metric whose values are wanted")
    axis = axis_of(view)
    lines = series_of(view, rows, key, axis)
    columns = FINE if len(lines) <= 8 else COARSE
    series = []
    for line in lines:
        y = smoothed(line.y, axis.weight)
        kept = thinned(line.x, y, float(line.x[0]), float(line.x[-1]), columns) if len(line.x) else None
        if kept is not None and len(kept.x):
            points = {"x": _short(kept.x), "y": _short(kept.y)}
            series.append({"name": line.name, "style": line.style, **points})
    return JSONResponse({"key": key, "series": series})


def _short(numbers: Any) -> list[float]:
    """Numbers with the digits that people read."""
    return [float(f"{each:.6g}") if math.isfinite(each) else 0.0 for each in numbers.tolist()]


def _chosen(view: View, columns: str) -> list[Mapping[str, Any]]:
    """The rows of the experiments in the address (`experiment`, but for `without`), in its order.

    Args:
        view: who asks.
        columns: of the table.

    Raises:
        NotFoundError: none of them is there.
        InvalidInputError: an id is none, or there are too many.
    """
    without = view.texts("without")
    ids = [check_id(each, what="experiment id") for each in view.texts("experiment") if each not in without]
    if len(ids) > MOST:
        raise InvalidInputError(f"{len(ids)} experiments are too many for one page; choose at most {MOST}")
    if not ids:
        return []
    query = f"SELECT {columns} FROM experiments WHERE id IN ({marks(ids)})"
    found = {row["id"]: row for row in view.registry.sql(query, ids)}
    if not found:
        raise NotFoundError(f"none of these {len(ids)} experiments is in namespace {view.namespace!r}")
    return [found[each] for each in ids if each in found]


class Difference(NamedTuple):
    """A parameter, or a fact of the environment, of several experiments."""

    path: str
    values: list[Any]
    """None = it has none."""
    differs: bool


def params(view: View) -> Response:
    """`/experiments/params?experiment=ID&experiment=ID`: side by side, what differs alone unless `all` is said."""
    rows = _chosen(view, "id, name, params, environment, metadata")
    groups = {
        name: list(_differences([row[column] or {} for row in rows]))
        for name, column in (("Parameters", "params"), ("Environment", "environment"), ("Metadata", "metadata"))
    }
    everything = bool(view.text("all"))
    return view.page(
        "experiment_params.html",
        title="Parameters",
        section="Experiments",
        rows=rows,
        groups={name: [each for each in found if each.differs or everything] for name, found in groups.items()},
        equal=sum(not each.differs for found in groups.values() for each in found),
        everything=everything,
        curves=view.link("/experiments/curves", experiment=[row["id"] for row in rows]),
    )


def _differences(objects: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    leaves = [dict(_leaves(each, "")) for each in objects]
    for path in sorted(set().union(*leaves)) if leaves else []:
        found = [each.get(path) for each in leaves]
        yield Difference(path, found, len({json.dumps(each, sort_keys=True) for each in found}) > 1)


def _leaves(value: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    """What stands at the ends of paths; lists are one value."""
    for key, each in value.items():
        if isinstance(each, Mapping) and each:
            yield from _leaves(each, f"{before}{key}.")
        else:
            yield f"{before}{key}", each
