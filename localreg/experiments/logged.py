"""What was logged to an experiment, as others look at it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from localreg.errors import InvalidInputError, NotFoundError
from localreg.experiments.points import tensor_of
from localreg.experiments.series import points_at
from localreg.handles.handle import Handle
from localreg.names import check_flag, check_text, did_you_mean, shown_value
from localreg.records.experiments import ExperimentRecord

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.query import Result

__all__ = ["HasPoints", "Point"]


class Point(NamedTuple):
    """One value of a series.

    Attributes:
        key: name of the series.
        step: None = none was given.
        wallclock: UTC; None = none was given.
        value: a float, a numpy array, bytes or a text.
    """

    key: str
    step: int | None
    wallclock: datetime | None
    value: Any


class HasPoints(Handle[ExperimentRecord]):
    """An experiment, of which there are points."""

    def points(self, key: str | None = None, *, live: bool = True) -> Result:
        """The points: `key`, `step`, `wallclock`, `value`, `text`, `bytes`, `tensor`; by key, step, wall clock, call.

        Args:
            key: of one series; `train/` for all that begin so; None = all.
            live: also those that no commit names yet, of running processes and of killed ones.
        """
        from localreg.query import Result

        check_flag(live, what="live")
        _check_key(key)
        return Result(lambda: self._points(key, live).drop_columns(["sequence"]))

    def _points(self, key: str | None, live: bool) -> pa.Table:
        import pyarrow.compute as pc

        found = points_at(self._session, self._session.state(), self._id, live=live and not self._session.is_pinned)
        if key is not None:
            within = pc.starts_with(found["key"], key) if key.endswith("/") else pc.equal(found["key"], key)
            found = found.filter(within)
        return found

    def keys(self, *, live: bool = True) -> list[str]:
        """The names of all series, sorted."""
        check_flag(live, what="live")
        return sorted(set(self._points(None, live)["key"].to_pylist()))

    def latest(self, key: str) -> Point:
        """The last point of a series: of the highest step, else of the latest wall clock.

        Raises:
            NotFoundError: nothing was logged under that name.
        """
        _check_key(key, required=True)
        return _point(self._series(key), -1)

    def best(self, key: str, *, mode: Literal["min", "max"]) -> Point:
        """The point with the lowest or highest number, the first of equal ones; NaN is never the best.

        Raises:
            NotFoundError: no number was logged under that name.
        """
        import pyarrow.compute as pc

        if mode not in ("min", "max"):
            raise InvalidInputError(f"mode is {shown_value(mode)}; write 'min' or 'max'")
        _check_key(key, required=True)
        series = self._series(key)
        numbers = series.filter(pc.fill_null(pc.invert(pc.is_nan(series["value"])), False))
        if not len(numbers):
            raise NotFoundError(f"no number was logged as {key!r} in {self!r}")
        best = getattr(pc, mode)(numbers["value"])
        return _point(numbers, pc.index(numbers["value"], best).as_py())

    def _series(self, key: str) -> pa.Table:
        series = self._points(key, live=True)
        if not len(series):
            raise NotFoundError(f"nothing was logged as {key!r} in {self!r}{did_you_mean(key, self.keys())}")
        return series

    def summary(self, *, live: bool = True) -> Result:
        """Each series of numbers: `key`, `points`, `last_step`, `last`, `min`, `max`, `mean`; NaN is left out of these.

        Series of anything else have nulls there.
        """
        from localreg.query import Result

        check_flag(live, what="live")
        return Result(lambda: _summary(self._points(None, live)))


def _check_key(key: object, *, required: bool = False) -> None:
    if key is not None or required:
        check_text(key, what="key")


def _point(series: pa.Table, place: int) -> Point:
    row = series.slice(place % len(series), 1).to_pylist()[0]
    tensor = row["tensor"]
    values = (row["value"], row["text"], row["bytes"], None if tensor is None else tensor_of(tensor))
    value = next((each for each in values if each is not None), None)
    return Point(row["key"], row["step"], row["wallclock"], value)


def _summary(points: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.if_else(pc.fill_null(pc.is_nan(points["value"]), False), None, points["value"])
    table = points.select(["key", "step", "value"]).append_column("number", numbers)
    found = table.group_by("key", use_threads=False).aggregate(
        [([], "count_all"), ("step", "last"), ("value", "last"), *(("number", each) for each in ("min", "max", "mean"))]
    )
    names = {"key": "key", "count_all": "points", "step_last": "last_step", "value_last": "last"}
    names |= {f"number_{each}": each for each in ("min", "max", "mean")}
    return pa.table({names[name]: found[name] for name in names})
