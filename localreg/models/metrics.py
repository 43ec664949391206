"""Numbers that people say a model or a version is worth, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from localreg.canonical import JsonObject
from localreg.datasets import find_dataset
from localreg.errors import InvalidInputError, NotFoundError
from localreg.handles.handle import Handle, RecordT
from localreg.log import Row, State
from localreg.names import check_name, check_text, did_you_mean, shown_value
from localreg.records.models import MetricsRecord
from localreg.session import Changes

__all__ = ["HasMetrics", "checked_metrics"]

ALL = "metrics"
"""What the record of those that are on nothing in particular is called."""


class HasMetrics(Handle[RecordT]):
    """A model or a version, of which numbers are known."""

    def set_metrics(self, values: Mapping[str, float], *, dataset: str | None = None, suite: str | None = None) -> Self:
        """Say what it is worth: numbers by name, which replace those of the same names; one audited act.

        Args:
            values: numbers; one that is not finite is kept as "not a number".
            dataset: name of the data set that they were measured on.
            suite: name of the test suite that they were measured on. None of both = all together.

        Raises:
            InvalidInputError: one is no number, or both a data set and a suite are given.
            NotFoundError: it has no such data set, or there is no such suite.
        """
        added = checked_metrics(values)
        _check_subject(dataset, suite)

        def operation(changes: Changes) -> None:
            row = self._row(changes.draft)
            subject = _subject(changes.draft, row, dataset, suite)
            found = changes.draft.find(MetricsRecord.kind, subject.name, row.id)
            if found is not None:
                record = found.load(MetricsRecord)
                changed = record.replaced(values={**record.values, **added})
                changes.update(found, changed, action="set_metrics", details=subject.details)
                return
            record = MetricsRecord(
                id=changes.new_id(MetricsRecord.kind, f"{row.id} {subject.name}"),
                name=subject.name,
                owner=row.id,
                owner_kind=row.kind,
                dataset=subject.name if dataset is not None else None,
                test_suite=subject.name if suite is not None else None,
                values=added,
            )
            changes.create(record, action="set_metrics", details=subject.details)

        self._session.change(operation)
        return self

    def unset_metrics(self, *names: str, dataset: str | None = None, suite: str | None = None) -> Self:
        """Take numbers back, by name; absent ones are fine.

        Raises:
            NotFoundError: it has no such data set, or there is no such suite.
        """
        removed = {check_text(name, what="name of a metric") for name in names}
        _check_subject(dataset, suite)

        def operation(changes: Changes) -> None:
            row = self._row(changes.draft)
            subject = _subject(changes.draft, row, dataset, suite)
            found = changes.draft.find(MetricsRecord.kind, subject.name, row.id)
            if found is not None:
                record = found.load(MetricsRecord)
                left = {name: value for name, value in record.values.items() if name not in removed}
                changes.update(found, record.replaced(values=left), action="unset_metrics", details=subject.details)

        self._session.change(operation)
        return self

    def metrics(self, *, dataset: str | None = None, suite: str | None = None) -> dict[str, float | None]:
        """What was said with `set_metrics`, by name; None = not a number. A version's are laid over its model's.

        Raises:
            NotFoundError: it has no such data set, or there is no such suite.
        """
        state = self._session.state()
        row = self._row(state)
        _check_subject(dataset, suite)
        subject = _subject(state, row, dataset, suite)
        found = (state.find(MetricsRecord.kind, subject.name, owner) for owner in reversed(_owners(row)))
        return {
            name: value for each in found if each is not None for name, value in each.load(MetricsRecord).values.items()
        }


class _Subject(NamedTuple):
    """What metrics are of: the name of their record, and what the audit log says in clear."""

    name: str
    details: JsonObject | None


def checked_metrics(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Numbers by name, as they are stored: None stands for what is not finite.

    Raises:
        InvalidInputError: one is no number.
    """
    if not isinstance(metrics, Mapping):
        raise InvalidInputError(f"metrics are {shown_value(metrics)}; write names with numbers")
    found: dict[str, float | None] = {}
    for name, value in metrics.items():
        try:
            number = float(value)
        except Exception as error:  # whatever a library raises of what is no single number
            raise InvalidInputError(f"metric {shown_value(name)} is {shown_value(value)}; write a number") from error
        found[check_name(name, what="name of a metric")] = number if math.isfinite(number) else None
    return found


def _check_subject(dataset: str | None, suite: str | None) -> None:
    if dataset is not None and suite is not None:
        raise InvalidInputError("metrics are of a data set or of a test suite; give one of both")
    if dataset is not None:
        check_name(dataset, what="name of the data set")
    if suite is not None:
        check_name(suite, what="name of the test suite")


def _subject(state: State, row: Row, dataset: str | None, suite: str | None) -> _Subject:
    if suite is not None:
        found = state.find("test_suite", suite.strip())
        if found is None:
            raise NotFoundError(f"no test suite {suite!r}{did_you_mean(suite, state.names('test_suite'))}")
        return _Subject(found.id, {"test_suite": found.name})
    if dataset is not None:
        found = find_dataset(state, row, dataset)
        return _Subject(found.id, {"dataset": found.name})
    return _Subject(ALL, None)


def _owners(row: Row) -> list[str]:
    """Ids of those whose metrics and data sets count as its own, it first."""
    return [row.id, row.parent] if row.kind == "model_version" else [row.id]
