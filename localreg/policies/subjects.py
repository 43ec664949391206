"""The versions and checkpoints that a pass of policies looks at, each read and judged once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localreg.log import Row, State
from localreg.policies.columns import CHECKPOINT_COLUMNS, VERSION_COLUMNS, CheckpointColumns, VersionColumns
from localreg.policies.conditions import Judgement, judged
from localreg.policies.stored import StoredPolicy
from localreg.policies.touched import Touched
from localreg.session import Session

__all__ = ["Subjects"]


class Subjects:
    """What one pass is about.

    Args:
        session: where files are read.
        state: with what was changed so far.
        touched: what to look at; None = everything.
    """

    def __init__(self, session: Session, state: State, touched: Touched | None) -> None:
        self.session = session
        self.state = state
        self._touched = touched
        self._columns: dict[str, VersionColumns] = {}

    def called(self, row: Row) -> str:
        """What people call a subject: `model@version`, `experiment: checkpoint`, else its name."""
        of = self.state.get({"model_version": "model", "checkpoint": "experiment"}.get(row.kind, ""), row.parent)
        if of is None:
            return row.name
        return f"{of.name}@{row.name}" if row.kind == "model_version" else f"{of.name}: {row.name}"

    def is_touched(self, row: Row) -> bool:
        """Whether the commit itself makes or changes it, or says something of it: its caller holds it."""
        touched = self._touched
        return touched is not None and (row.id in touched.versions or row.id in touched.checkpoints)

    # --- versions -----------------------------------------------------------------------------------------------------

    def models(self, policy: StoredPolicy) -> list[Row]:
        """Those of the models of a policy that something changed about."""
        if self._touched is None:
            return policy.models(self.state)
        versions = self.state.get_many({("model_version", id) for id in self._touched.versions})
        ids = sorted({*self._touched.models, *(row.parent for row in versions)})
        rows = (self.state.get("model", id) for id in ids if policy.counts_for(id))
        return [row for row in rows if row is not None]

    def versions(self, model: Row) -> list[Row]:
        """Versions of a model to look at, in order of creation."""
        rows = self.state.children("model_version", model.id)
        if self._touched is None or model.id in self._touched.models:
            return rows
        return [row for row in rows if row.id in self._touched.versions]

    def judge_versions(
        self, rows: Sequence[Row], conditions: Sequence[str], *, baseline: str | None = None
    ) -> list[list[Judgement]]:
        """Of each version whether each condition holds."""
        columns = [self._version_columns(row, baseline) for row in rows]
        return judged(conditions, columns, VERSION_COLUMNS, of="versions")

    def _version_columns(self, row: Row, baseline: str | None) -> VersionColumns:
        if baseline is not None:
            return VersionColumns(self.session, self.state, row, baseline=baseline)
        return self._columns.setdefault(row.id, VersionColumns(self.session, self.state, row))

    def metric(self, row: Row, name: str) -> float | None:
        """A number that was said of a version all together, or with a checkpoint."""
        columns = (
            self._version_columns(row, None) if row.kind == "model_version" else CheckpointColumns(self.state, row)
        )
        value = (columns["metrics"] or {}).get(name)
        return float(value) if isinstance(value, int | float) else None

    def judge(self, rows: Sequence[Row], conditions: Sequence[str]) -> list[list[Judgement]]:
        """Of each version, or of each checkpoint, whether each condition holds."""
        is_version = bool(rows) and rows[0].kind == "model_version"
        return (self.judge_versions if is_version else self.judge_checkpoints)(rows, conditions)

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def checkpoints(self) -> list[Row]:
        """Checkpoints to look at, in order of creation."""
        if self._touched is None:
            return _in_order(self.state.rows("checkpoint"))
        return _in_order(self.state.get_many({("checkpoint", id) for id in self._touched.checkpoints}))

    def experiments(self) -> list[Row]:
        """The experiments that have some of them."""
        ids = dict.fromkeys(row.parent for row in self.checkpoints())
        if self._touched is not None:
            ids |= dict.fromkeys(sorted(self._touched.experiments))
        return [row for row in (self.state.get("experiment", id) for id in ids) if row is not None]

    def judge_checkpoints(self, rows: Sequence[Row], conditions: Sequence[str]) -> list[list[Judgement]]:
        """Of each checkpoint whether each condition holds."""
        columns = [CheckpointColumns(self.state, row) for row in rows]
        return judged(conditions, columns, CHECKPOINT_COLUMNS, of="checkpoints")


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.created)
