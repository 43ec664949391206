"""The documented tables: the same names and columns in `sql`, in `where`, and for outside tools.

Each is a view over relations that the engine makes of a state in a schema of their own, so that `SHOW TABLES` lists the
documented ones alone: `records` (every record, its JSON and where it comes from), `log` (the audit log) and the
parts (bulk files and where their rows belong).
"""

from __future__ import annotations

from dataclasses import dataclass

from localreg.query.lineage import ANCESTORS, LINEAGE
from localreg.query.views import (
    ARTIFACTS,
    AUDIT_EVENTS,
    CHECKPOINTS,
    COMPARISONS,
    DATASETS,
    DEFINITIONS,
    EXPERIMENTS,
    GRANTS,
    MODEL_METRICS,
    MODEL_VERSIONS,
    MODELS,
    PENDING_ACTIONS,
    POLICIES,
    SIGNERS,
    TEST_CASES,
    TEST_RUNS,
    TEST_SUITES,
    WORKFLOWS,
)

__all__ = ["INTERNAL", "TABLES", "TEXT", "TIME", "WHOLE", "Table"]

INTERNAL = "localreg_internal"
"""The schema of what is no documented table; the SQL below names it in full."""

TEXT = "VARCHAR"
TIME = "TIMESTAMP WITH TIME ZONE"
WHOLE = "BIGINT"


@dataclass(frozen=True, slots=True)
class Table:
    """One documented table.

    Attributes:
        columns: name → DuckDB type, in order.
        sql: the SELECT behind the view. It has more columns: `_order`, the order of a listing when nothing is said;
            if something is searched, `_record`, JSON that holds all of the searched texts, or NULL.
        searched: the columns in which `search` looks.
        is_own: each of them is the field of `_record` of that name.
        has_ids: `id` tells each row from the others.
    """

    columns: dict[str, str]
    sql: str
    searched: tuple[str, ...] = ()
    is_own: bool = True
    has_ids: bool = True

    def select(self, schema: str) -> str:
        """The SELECT over the relations in another schema."""
        return self.sql.replace(f"{INTERNAL}.", f"{schema}.")

    def among(self, ids: str) -> str:
        """The same SELECT of the records in a relation of ids alone; the ones that these refer to are still found."""
        return self.sql.replace(
            "FROM localreg_internal.records r", f"FROM (FROM localreg_internal.records SEMI JOIN {ids} USING (id)) r", 1
        )


_MADE_COLUMNS = {"created_at": TIME, "created_by": TEXT, "updated_at": TIME}

TABLES: dict[str, Table] = {
    "models": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "description": TEXT,
            "owner": TEXT,
            "task": TEXT,
            "tags": "VARCHAR[]",
            "metadata": "JSON",
            "workflow": TEXT,
            "latest_version": TEXT,
            "aliases": "VARCHAR[]",
            "archived": "BOOLEAN",
            **_MADE_COLUMNS,
        },
        MODELS,
        searched=("name", "description", "tags", "metadata"),
    ),
    "model_versions": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "model": TEXT,
            "version": TEXT,
            "description": TEXT,
            "metadata": "JSON",
            "tags": "VARCHAR[]",
            "aliases": "VARCHAR[]",
            "metrics": "JSON",
            "determinism": "JSON",
            **_MADE_COLUMNS,
        },
        MODEL_VERSIONS,
        searched=("model", "version", "description", "tags", "metadata"),
        is_own=False,
    ),
    "model_metrics": Table(
        {
            "namespace": TEXT,
            "model": TEXT,
            "version": TEXT,
            "metric": TEXT,
            "value": "DOUBLE",
            "dataset": TEXT,
            "test_suite": TEXT,
            "updated_at": TIME,
        },
        MODEL_METRICS,
        has_ids=False,
    ),
    "definitions": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "model": TEXT,
            "version": TEXT,
            "content": TEXT,
            "repository": "JSON",
            "code": "JSON",
            "files": "JSON",
            "runtime": "JSON",
            **_MADE_COLUMNS,
        },
        DEFINITIONS,
        searched=("name", "files", "repository", "runtime"),
    ),
    "workflows": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "test_sample": "JSON",
            "ground_truth": "JSON",
            "inference": "JSON",
            **_MADE_COLUMNS,
        },
        WORKFLOWS,
        searched=("name",),
    ),
    "test_cases": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "workflow": TEXT,
            "version": WHOLE,
            "description": TEXT,
            "samples": WHOLE,
            "archived": "BOOLEAN",
            **_MADE_COLUMNS,
        },
        TEST_CASES,
        searched=("name", "description"),
    ),
    "test_suites": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "workflow": TEXT,
            "version": WHOLE,
            "description": TEXT,
            "tags": "VARCHAR[]",
            "test_cases": "VARCHAR[]",
            "archived": "BOOLEAN",
            **_MADE_COLUMNS,
        },
        TEST_SUITES,
        searched=("name", "description", "tags"),
    ),
    "test_runs": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "model": TEXT,
            "version": TEXT,
            "test_suite": TEXT,
            "test_suite_version": WHOLE,
            "evaluator": TEXT,
            "fingerprint": "JSON",
            **_MADE_COLUMNS,
        },
        TEST_RUNS,
        searched=("model", "version", "test_suite", "evaluator", "fingerprint"),
        is_own=False,
    ),
    "comparisons": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "test_suite": TEXT,
            "test_suite_version": WHOLE,
            "baseline": TEXT,
            "candidates": "VARCHAR[]",
            "samples": WHOLE,
            "verdict": TEXT,
            "difference": "DOUBLE",
            "p": "DOUBLE",
            "commit": WHOLE,
            **_MADE_COLUMNS,
        },
        COMPARISONS,
        searched=("name",),
    ),
    "grants": Table(
        {"id": TEXT, "namespace": TEXT, "principal": TEXT, "role": TEXT, **_MADE_COLUMNS},
        GRANTS,
        searched=("principal", "role"),
        is_own=False,
    ),
    "signers": Table(
        {"id": TEXT, "namespace": TEXT, "name": TEXT, "fingerprint": TEXT, "key": TEXT, **_MADE_COLUMNS},
        SIGNERS,
        searched=("name", "key"),
    ),
    "checkpoints": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "experiment": TEXT,
            "name": TEXT,
            "step": WHOLE,
            "epoch": WHOLE,
            "metrics": "JSON",
            "metadata": "JSON",
            "versions": "VARCHAR[]",
            **_MADE_COLUMNS,
        },
        CHECKPOINTS,
        searched=("name", "metadata"),
    ),
    "artifacts": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "owner_kind": TEXT,
            "owner": TEXT,
            "owner_id": TEXT,
            "media_type": TEXT,
            "sha256": TEXT,
            "bytes": WHOLE,
            "files": WHOLE,
            "folder": "BOOLEAN",
            "uri": TEXT,
            "etag": TEXT,
            "metadata": "JSON",
            **_MADE_COLUMNS,
        },
        ARTIFACTS,
        searched=("name", "uri", "metadata"),
    ),
    "datasets": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "role": TEXT,
            "owner_kind": TEXT,
            "owner": TEXT,
            "owner_id": TEXT,
            "artifact": TEXT,
            "artifact_id": TEXT,
            "sha256": TEXT,
            "uri": TEXT,
            "description": TEXT,
            "metadata": "JSON",
            **_MADE_COLUMNS,
        },
        DATASETS,
        searched=("name", "artifact", "uri", "description", "metadata"),
        is_own=False,
    ),
    "experiments": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "description": TEXT,
            "owner": TEXT,
            "framework": TEXT,
            "task": TEXT,
            "tags": "VARCHAR[]",
            "params": "JSON",
            "metadata": "JSON",
            "external_id": TEXT,
            "status": TEXT,
            "ended_at": TIME,
            "error": "JSON",
            "environment": "JSON",
            "archived": "BOOLEAN",
            **_MADE_COLUMNS,
        },
        EXPERIMENTS,
        searched=("name", "description", "tags", "params", "metadata"),
    ),
    "policies": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "kind": TEXT,
            "model": TEXT,
            "description": TEXT,
            "rule": "JSON",
            **_MADE_COLUMNS,
        },
        POLICIES,
        searched=("name", "description", "rule"),
    ),
    "pending_actions": Table(
        {
            "id": TEXT,
            "namespace": TEXT,
            "policy": TEXT,
            "run": TEXT,
            "event": TEXT,
            "subject_kind": TEXT,
            "subject": TEXT,
            "status": TEXT,
            "attempts": WHOLE,
            "error": TEXT,
            **_MADE_COLUMNS,
        },
        PENDING_ACTIONS,
        searched=("policy", "run", "event"),
    ),
    "lineage": Table(
        {
            "namespace": TEXT,
            "source_kind": TEXT,
            "source_id": TEXT,
            "source": TEXT,
            "relation": TEXT,
            "target_kind": TEXT,
            "target_id": TEXT,
            "target": TEXT,
        },
        LINEAGE,
        searched=("source", "target"),
        is_own=False,
        has_ids=False,
    ),
    "ancestors": Table(
        {
            "namespace": TEXT,
            "kind": TEXT,
            "id": TEXT,
            "name": TEXT,
            "ancestor_kind": TEXT,
            "ancestor_id": TEXT,
            "ancestor": TEXT,
            "depth": WHOLE,
        },
        ANCESTORS,
        searched=("name", "ancestor"),
        is_own=False,
        has_ids=False,
    ),
    "audit_events": Table(
        {
            "namespace": TEXT,
            "commit": WHOLE,
            "event": WHOLE,
            "time": TIME,
            "actor": TEXT,
            "host": TEXT,
            "message": TEXT,
            "action": TEXT,
            "kind": TEXT,
            "id": TEXT,
            "name": TEXT,
            "parent": TEXT,
            "parent_name": TEXT,
            "details": "JSON",
            "before": "JSON",
            "after": "JSON",
            "digest": TEXT,
            "redacted": "BOOLEAN",
        },
        AUDIT_EVENTS,
        searched=("name", "parent_name", "message", "actor", "host", "action", "kind", "details"),
        is_own=False,
        has_ids=False,
    ),
}
"""Tables of records and of the log, by name."""
