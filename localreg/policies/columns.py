"""What conditions of policies speak of: one row for each version, or each checkpoint, made of a state.

The rows are made from records alone, a few at a time, for they are looked at within a commit. What stands in files,
results of evaluators and rows of comparisons, is read only if a condition asks for that column.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar, cast

from localreg.datasets.dataset import holding
from localreg.errors import LocalregError
from localreg.log import Row, State
from localreg.session import Session

__all__ = ["CHECKPOINT_COLUMNS", "VERSION_COLUMNS", "CheckpointColumns", "VersionColumns"]

FoundT = TypeVar("FoundT")
LOGGER = logging.getLogger("localreg")

TEXT, TEXTS, JSON, WHOLE, TIME = "VARCHAR", "VARCHAR[]", "JSON", "BIGINT", "TIMESTAMP WITH TIME ZONE"

VERSION_COLUMNS = {
    "model": TEXT,
    "version": TEXT,
    "description": TEXT,
    "owner": TEXT,
    "task": TEXT,
    "tags": TEXTS,
    "model_tags": TEXTS,
    "metadata": JSON,
    "aliases": TEXTS,
    "metrics": JSON,
    "dataset_metrics": JSON,
    "suite_metrics": JSON,
    "artifacts": TEXTS,
    "datasets": TEXTS,
    "test_suites": TEXTS,
    "checkpoint": JSON,
    "comparison": JSON,
    "determinism": JSON,
    "created_at": TIME,
}
"""Columns of conditions over versions, with their DuckDB types. See `VersionColumns`."""

CHECKPOINT_COLUMNS = {
    "experiment": TEXT,
    "checkpoint": TEXT,
    "step": WHOLE,
    "epoch": WHOLE,
    "metrics": JSON,
    "metadata": JSON,
    "params": JSON,
    "tags": TEXTS,
    "framework": TEXT,
    "task": TEXT,
    "artifacts": TEXTS,
    "created_at": TIME,
}
"""Columns of conditions over checkpoints, with their DuckDB types. See `CheckpointColumns`."""


class VersionColumns(Mapping[str, Any]):
    """One version as conditions see it; each column is made when it is asked for.

    `model`, `version`, `description`, `owner`, `task`, `aliases`, `determinism`, `created_at`: as in the table
    `model_versions`. `tags` are the version's own, `model_tags` the model's. `metadata` and `metrics`: the model's,
    overlaid by its own. `dataset_metrics['data set'].name`: what was said with `set_metrics(dataset=…)`.
    `suite_metrics['test suite'].name`: likewise, over what the newest evaluation said of the whole suite. `artifacts`,
    `datasets`: names, the model's too. `test_suites`: those that it was run on. `checkpoint`: `experiment`, `name`,
    `step`, `epoch`, `metrics`, `params` of what it was made of. `comparison`: of the newest saved comparison in which
    it is a candidate (of a gate: against the version that has the alias): `name`, `baseline`, `test_suite`, `verdict`,
    `difference`, `p`, `samples`, `regressed` and `improved` (names of metrics, with test cases and slices).

    Args:
        session: where files are read.
        state: as of which the records count.
        row: the version's.
        baseline: id of the version that comparisons must be with; None = any.
    """

    def __init__(self, session: Session, state: State, row: Row, *, baseline: str | None = None) -> None:
        self._session = session
        self._state = state
        self._row = row
        self._baseline = baseline
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = getattr(self, f"_{name}", None) if name in _OWN else self._plain(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(VERSION_COLUMNS)

    def __len__(self) -> int:
        return len(VERSION_COLUMNS)

    @cached_property
    def _model_row(self) -> Row:
        row = self._state.get("model", self._row.parent)
        assert row is not None, "a version goes with its model"
        return row

    @cached_property
    def _owners(self) -> tuple[str, str]:
        """The model first: what the version says is laid over it."""
        return self._row.parent, self._row.id

    def _plain(self, name: str) -> Any:
        match name:
            case "model":
                return self._model_row.name
            case "version":
                return self._row.name
            case "owner" | "task":
                return self._model_row.fields.get(name)
            case "model_tags":
                return self._model_row.fields.get("tags") or []
            case "metadata":
                return {**_object(self._model_row, "metadata"), **_object(self._row, "metadata")}
            case "created_at":
                return self._row.created_at
            case "tags":
                return self._row.fields.get("tags") or []
            case _:
                return self._row.fields.get(name)

    @property
    def _aliases(self) -> list[str]:
        rows = self._state.children("alias", self._row.parent)
        return sorted(row.name for row in rows if row.fields.get("version") == self._row.id)

    @cached_property
    def _holding(self) -> dict[str, str]:
        """Ids of its data sets by name: its own stands for one of its model that is called alike."""
        return {name: row.id for name, row in holding(self._state, self._row).items()}

    def _said(self, field: str | None) -> dict[str, dict[str, Any]]:
        """What was said with `set_metrics`, by the name of what it is of; under "" of nothing in particular."""
        found: dict[str, dict[str, Any]] = {}
        for owner in self._owners:
            for row in self._state.children("metrics", owner):
                of = {each: row.fields.get(each) for each in ("dataset", "test_suite")}
                if field is None and not any(of.values()):
                    found.setdefault("", {}).update(_object(row, "values"))
                elif field is not None and isinstance(of[field], str):
                    named = self._state.get(field, str(of[field]))
                    if named is not None and (field != "dataset" or self._holding.get(named.name) == named.id):
                        found.setdefault(named.name, {}).update(_object(row, "values"))
        return found

    @property
    def _metrics(self) -> dict[str, Any]:
        return self._said(None).get("", {})

    @property
    def _dataset_metrics(self) -> dict[str, dict[str, Any]]:
        return self._said("dataset")

    @property
    def _suite_metrics(self) -> dict[str, dict[str, Any]]:
        found = {name: dict(values) for name, values in self._evaluated()}
        for name, values in self._said("test_suite").items():
            found.setdefault(name, {}).update(values)
        return found

    def _evaluated(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """What evaluators said of whole suites, an earlier run before a later one."""
        for run in self._state.children("test_run", self._row.id):
            suite = self._suite_of(run)
            for evaluation in self._state.children("evaluation", run.id):
                values = _known(lambda: _values(self._session, self._state, evaluation)) or {}  # noqa: B023
                if suite is not None and values:
                    yield suite, values

    def _suite_of(self, run: Row) -> str | None:
        version = self._state.get("test_suite_version", str(run.fields.get("test_suite_version")))
        suite = None if version is None else self._state.get("test_suite", version.parent)
        return None if suite is None else suite.name

    @property
    def _test_suites(self) -> list[str]:
        suites = (self._suite_of(run) for run in self._state.children("test_run", self._row.id))
        return sorted({suite for suite in suites if suite is not None})

    @property
    def _artifacts(self) -> list[str]:
        return sorted({name for owner in self._owners for name in self._state.names("artifact", owner)})

    @property
    def _datasets(self) -> list[str]:
        return sorted(self._holding)

    @property
    def _checkpoint(self) -> dict[str, Any] | None:
        row = self._state.get("checkpoint", str(self._row.fields.get("checkpoint")))
        if row is None:
            return None
        of = CheckpointColumns(self._state, row)
        names = {"experiment": "experiment", "name": "checkpoint"}
        same = ("step", "epoch", "metrics", "params")
        return {name: of[column] for name, column in (names | {each: each for each in same}).items()}

    @property
    def _comparison(self) -> dict[str, Any] | None:
        from localreg.policies.comparisons import newest_comparison

        return _known(lambda: newest_comparison(self._session, self._state, self._row.id, baseline=self._baseline))


_OWN = {name for name in VERSION_COLUMNS if isinstance(getattr(VersionColumns, f"_{name}", None), property)}
"""Columns that are more than a field."""


class CheckpointColumns(Mapping[str, Any]):
    """One checkpoint as conditions see it.

    `experiment`, `params`, `tags`, `framework`, `task` are the experiment's; `checkpoint` is its name; `metrics` are
    those that were said with it; `artifacts` the names of what it holds.

    Args:
        state: as of which the records count.
        row: the checkpoint's.
    """

    def __init__(self, state: State, row: Row) -> None:
        self._state = state
        self._row = row

    def __getitem__(self, name: str) -> Any:
        if name not in CHECKPOINT_COLUMNS:
            raise KeyError(name)
        match name:
            case "checkpoint":
                return self._row.name
            case "created_at":
                return self._row.created_at
            case "artifacts":
                return sorted(self._state.names("artifact", self._row.id))
            case "experiment":
                return self._experiment.name
            case "params" | "tags" | "framework" | "task":
                return self._experiment.fields.get(name)
            case _:
                return self._row.fields.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(CHECKPOINT_COLUMNS)

    def __len__(self) -> int:
        return len(CHECKPOINT_COLUMNS)

    @cached_property
    def _experiment(self) -> Row:
        row = self._state.get("experiment", self._row.parent)
        assert row is not None, "a checkpoint goes with its experiment"
        return row


def _object(row: Row, field: str) -> dict[str, Any]:
    found = row.fields.get(field)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _known(read: Callable[[], FoundT]) -> FoundT | None:
    """What stands in files; None where they cannot be read: that must not keep a commit of something else."""
    try:
        return read()
    except LocalregError as error:
        LOGGER.warning("a policy cannot look at what it speaks of: %s", error)
        return None


def _values(session: Session, state: State, evaluation: Row) -> dict[str, float]:
    """Numbers that an evaluator said of the whole suite, by path, and by name where no class tells them apart."""
    from localreg.tables.parts import read_part
    from localreg.workflow.samples import files_of

    columns = ["test_case", "class", "metric", "path", "value"]
    return {
        row["path"] if row["class"] is not None else row["metric"]: row["value"]
        for pointer in files_of(state, evaluation.id, "metric_values")
        for row in read_part(session.store, pointer).select(columns).to_pylist()
        if row["test_case"] is None and row["value"] is not None and math.isfinite(row["value"])
    }
