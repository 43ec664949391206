"""The documented tables: the same names and columns in `sql`, in `where`, and for outside tools.

Each is a view over relations that the engine makes of a state in a schema of their own, so that `SHOW TABLES` lists the
documented ones alone: `records` (every record, its JSON and where it comes from), `log` (the audit log) and the
parts (bulk files and where their rows belong).
"""

from __future__ import annotations

from dataclasses import dataclass

from localreg.query.lineage import ANCESTORS, LINEAGE

__all__ = ["BULK", "INTERNAL", "TABLES", "Table"]

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


_MADE = "r.created_at, r.created_by, r.updated_at, (r.created_commit, r.created_event) AS _order"
_ARCHIVED = "coalesce(CAST((r.record->'archived') AS BOOLEAN), false) AS archived"
_RECORD = """coalesce(
        CASE WHEN {0}.metadata IS NULL THEN CAST({0}.record AS VARCHAR)
        ELSE '{{"metadata":' || CAST({0}.metadata AS VARCHAR) || ',' || substr(CAST({0}.record AS VARCHAR), 2) END,
        CAST(json_object('name', {0}.name) AS VARCHAR)
    )"""
_OWN_RECORD = f"{_RECORD.format('r')} AS _record"
_MADE_COLUMNS = {"created_at": TIME, "created_by": TEXT, "updated_at": TIME}

_MODELS = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'description') AS description, (r.record->>'owner') AS owner,
    (r.record->>'task') AS task, coalesce(CAST((r.record->'tags') AS VARCHAR[]), []) AS tags,
    coalesce(r.metadata, '{{}}') AS metadata, w.name AS workflow, v.latest_version,
    coalesce(a.aliases, []) AS aliases, {_ARCHIVED}, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records w ON w.kind = 'workflow' AND w.id = (r.record->>'workflow')
LEFT JOIN (
    SELECT parent, arg_max(name, (created_commit, created_event)) AS latest_version
    FROM localreg_internal.records WHERE kind = 'model_version' GROUP BY parent
) v ON v.parent = r.id
LEFT JOIN (
    SELECT parent, list(name ORDER BY name) AS aliases
    FROM localreg_internal.records WHERE kind = 'alias' GROUP BY parent
) a ON a.parent = r.id
WHERE r.kind = 'model'
"""

_MODEL_VERSIONS = f"""
SELECT r.id, r.namespace, m.name AS model, r.name AS version, (r.record->>'description') AS description,
    to_json(map_concat(
        CAST(coalesce(m.metadata, '{{}}') AS MAP(VARCHAR, JSON)),
        CAST(coalesce(r.metadata, '{{}}') AS MAP(VARCHAR, JSON))
    )) AS metadata,
    coalesce(CAST((r.record->'tags') AS VARCHAR[]), []) AS tags, coalesce(a.aliases, []) AS aliases,
    to_json(map_concat(
        CAST(coalesce((mm.record->'values'), '{{}}') AS MAP(VARCHAR, JSON)),
        CAST(coalesce((mv.record->'values'), '{{}}') AS MAP(VARCHAR, JSON))
    )) AS metrics,
    CASE WHEN (r.record->>'determinism') IS NOT NULL THEN (r.record->'determinism') END AS determinism,
    {_MADE}, {_RECORD.format("r")} || {_RECORD.format("m")} AS _record
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records m ON m.kind = 'model' AND m.id = r.parent
LEFT JOIN localreg_internal.records mm ON mm.kind = 'metrics' AND mm.name = 'metrics' AND mm.parent = r.parent
LEFT JOIN localreg_internal.records mv ON mv.kind = 'metrics' AND mv.name = 'metrics' AND mv.parent = r.id
LEFT JOIN (
    SELECT (record->>'version') AS version, list(name ORDER BY name) AS aliases
    FROM localreg_internal.records WHERE kind = 'alias' GROUP BY ALL
) a ON a.version = r.id
WHERE r.kind = 'model_version'
"""

_MODEL_METRICS = """
SELECT r.namespace, m.name AS model, v.name AS version, r.metric,
    CAST((r.record->'values'->r.metric) AS DOUBLE) AS value,
    CASE WHEN (r.record->>'dataset') IS NOT NULL THEN coalesce(d.name, '(deleted)') END AS dataset,
    CASE WHEN (r.record->>'test_suite') IS NOT NULL THEN coalesce(s.name, '(deleted)') END AS test_suite,
    r.updated_at, (r.created_commit, r.created_event, r.metric) AS _order
FROM (
    SELECT *, unnest(json_keys(record, '$.values')) AS metric FROM localreg_internal.records WHERE kind = 'metrics'
) r
LEFT JOIN localreg_internal.records v ON v.kind = 'model_version' AND v.id = r.parent
LEFT JOIN localreg_internal.records m ON m.kind = 'model' AND m.id = coalesce(v.parent, r.parent)
LEFT JOIN localreg_internal.records d ON d.kind = 'dataset' AND d.id = (r.record->>'dataset')
LEFT JOIN localreg_internal.records s ON s.kind = 'test_suite' AND s.id = (r.record->>'test_suite')
"""

_WORKFLOWS = f"""
SELECT r.id, r.namespace, r.name, (r.record->'test_sample') AS test_sample, (r.record->'ground_truth') AS ground_truth,
    (r.record->'inference') AS inference, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r WHERE r.kind = 'workflow'
"""

_TEST_CASES = f"""
SELECT r.id, r.namespace, r.name, w.name AS workflow, CAST((r.record->'version') AS BIGINT) AS version,
    (r.record->>'description') AS description, coalesce(CAST((v.record->'samples') AS BIGINT), 0) AS samples,
    {_ARCHIVED}, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records w ON w.kind = 'workflow' AND w.id = (r.record->>'workflow')
LEFT JOIN localreg_internal.records v
    ON v.kind = 'test_case_version' AND v.parent = r.id AND v.name = (r.record->>'version')
WHERE r.kind = 'test_case'
"""

_TEST_SUITES = f"""
SELECT r.id, r.namespace, r.name, w.name AS workflow, CAST((r.record->'version') AS BIGINT) AS version,
    (r.record->>'description') AS description, coalesce(CAST((r.record->'tags') AS VARCHAR[]), []) AS tags,
    coalesce(list_transform(CAST((v.record->'test_cases') AS VARCHAR[]), lambda id: c.names[id]), []) AS test_cases,
    {_ARCHIVED}, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records w ON w.kind = 'workflow' AND w.id = (r.record->>'workflow')
LEFT JOIN localreg_internal.records v
    ON v.kind = 'test_suite_version' AND v.parent = r.id AND v.name = (r.record->>'version')
CROSS JOIN (
    SELECT map(list(cv.id), list(tc.name)) AS names
    FROM localreg_internal.records cv JOIN localreg_internal.records tc ON tc.kind = 'test_case' AND tc.id = cv.parent
    WHERE cv.kind = 'test_case_version'
) c
WHERE r.kind = 'test_suite'
"""

_TEST_RUNS = f"""
SELECT r.id, r.namespace, m.name AS model, v.name AS version, s.name AS test_suite,
    CAST(sv.name AS BIGINT) AS test_suite_version, (r.record->>'evaluator') AS evaluator,
    (r.record->'fingerprint') AS fingerprint, {_MADE}, CAST(NULL AS VARCHAR) AS _record
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records v ON v.kind = 'model_version' AND v.id = r.parent
LEFT JOIN localreg_internal.records m ON m.kind = 'model' AND m.id = v.parent
LEFT JOIN localreg_internal.records sv ON sv.kind = 'test_suite_version' AND sv.id = (r.record->>'test_suite_version')
LEFT JOIN localreg_internal.records s ON s.kind = 'test_suite' AND s.id = sv.parent
WHERE r.kind = 'test_run'
"""

_COMPARISONS = f"""
SELECT r.id, r.namespace, r.name, (r.record->'content'->>'suite') AS test_suite,
    CAST((r.record->'content'->'suite_version') AS BIGINT) AS test_suite_version,
    (r.record->'content'->>'baseline') AS baseline,
    coalesce(CAST((r.record->'content'->'candidates') AS VARCHAR[]), []) AS candidates,
    CAST((r.record->'content'->'n') AS BIGINT) AS samples, (r.record->'content'->>'verdict') AS verdict,
    CAST((r.record->'content'->>'difference') AS DOUBLE) AS difference,
    CAST((r.record->'content'->>'p') AS DOUBLE) AS p, CAST((r.record->'commit') AS BIGINT) AS commit,
    {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r WHERE r.kind = 'comparison'
"""

_OWNER = """CASE o.kind WHEN 'model_version' THEN m.name || '@' || o.name
        WHEN 'checkpoint' THEN m.name || ': ' || o.name ELSE o.name END AS owner, r.parent AS owner_id"""
_OWNING = """LEFT JOIN localreg_internal.records o ON o.kind = (r.record->>'owner_kind') AND o.id = r.parent
LEFT JOIN localreg_internal.records m ON m.kind IN ('model', 'experiment') AND m.id = o.parent"""

_GRANTS = f"""
SELECT r.id, r.namespace, r.name AS principal, (r.record->>'role') AS role, {_MADE}, {_RECORD.format("r")} AS _record
FROM localreg_internal.records r WHERE r.kind = 'grant'
"""

_ARTIFACTS = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'owner_kind') AS owner_kind, {_OWNER},
    (r.record->>'media_type') AS media_type, (r.record->>'sha256') AS sha256,
    CAST((r.record->'bytes') AS BIGINT) AS bytes, CAST((r.record->'files') AS BIGINT) AS files,
    coalesce(CAST((r.record->'folder') AS BOOLEAN), false) AS folder, (r.record->>'uri') AS uri,
    (r.record->>'etag') AS etag, coalesce(r.metadata, '{{}}') AS metadata, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
{_OWNING}
WHERE r.kind = 'artifact'
"""

_DATASETS = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'role') AS role, (r.record->>'owner_kind') AS owner_kind, {_OWNER},
    a.name AS artifact, (r.record->>'artifact') AS artifact_id, (r.record->>'sha256') AS sha256,
    coalesce((r.record->>'uri'), (a.record->>'uri')) AS uri, (r.record->>'description') AS description,
    coalesce(r.metadata, '{{}}') AS metadata, {_MADE}, {_RECORD.format("r")} || {_RECORD.format("a")} AS _record
FROM localreg_internal.records r
{_OWNING}
LEFT JOIN localreg_internal.records a ON a.kind = 'artifact' AND a.id = (r.record->>'artifact')
WHERE r.kind = 'dataset'
"""

_CHECKPOINTS = f"""
SELECT r.id, r.namespace, e.name AS experiment, r.name, CAST((r.record->'step') AS BIGINT) AS step,
    CAST((r.record->'epoch') AS BIGINT) AS epoch, (r.record->'metrics') AS metrics,
    coalesce(r.metadata, '{{}}') AS metadata, coalesce(v.versions, []) AS versions, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records e ON e.kind = 'experiment' AND e.id = r.parent
LEFT JOIN (
    SELECT (v.record->>'checkpoint') AS checkpoint,
        list(m.name || '@' || v.name ORDER BY v.created_commit, v.created_event) AS versions
    FROM localreg_internal.records v JOIN localreg_internal.records m ON m.kind = 'model' AND m.id = v.parent
    WHERE v.kind = 'model_version' AND (v.record->>'checkpoint') IS NOT NULL GROUP BY ALL
) v ON v.checkpoint = r.id
WHERE r.kind = 'checkpoint'
"""

_EXPERIMENTS = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'description') AS description, (r.record->>'owner') AS owner,
    (r.record->>'framework') AS framework, (r.record->>'task') AS task,
    coalesce(CAST((r.record->'tags') AS VARCHAR[]), []) AS tags, (r.record->'params') AS params,
    coalesce(r.metadata, '{{}}') AS metadata, (r.record->>'external_id') AS external_id,
    (r.record->>'status') AS status, CAST((r.record->>'ended_at') AS TIMESTAMPTZ) AS ended_at,
    CASE WHEN (r.record->>'error') IS NOT NULL THEN (r.record->'error') END AS error,
    (r.record->'environment') AS environment, {_ARCHIVED}, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r WHERE r.kind = 'experiment'
"""

_POLICIES = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'rule_kind') AS kind, m.name AS model,
    (r.record->>'description') AS description, (r.record->'rule') AS rule, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records m ON m.kind = 'model' AND m.id = (r.record->>'model')
WHERE r.kind = 'policy'
"""

_PENDING_ACTIONS = f"""
SELECT r.id, r.namespace, (r.record->>'policy') AS policy, (r.record->>'run') AS run, (r.record->>'event') AS event,
    (r.record->>'subject_kind') AS subject_kind,
    CASE s.kind WHEN 'model_version' THEN o.name || '@' || s.name WHEN 'checkpoint' THEN o.name || ': ' || s.name
        ELSE s.name END AS subject,
    (r.record->>'status') AS status, CAST((r.record->'attempts') AS BIGINT) AS attempts,
    (r.record->>'error') AS error, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records s ON s.kind = (r.record->>'subject_kind') AND s.id = (r.record->>'subject')
LEFT JOIN localreg_internal.records o ON o.kind IN ('model', 'experiment') AND o.id = s.parent
WHERE r.kind = 'pending_action'
"""

_AUDIT_EVENTS = """
SELECT e.namespace, e.commit, e.event, CAST(e.time AS TIMESTAMPTZ) AS time, e.actor, e.host, e.message, e.action,
    e.kind, e.id, e.name, e.parent, p.name AS parent_name, CAST(e.details AS JSON) AS details,
    CAST(e.before AS JSON) AS before, CAST(e.after AS JSON) AS after, e.digest, (e.commit, e.event) AS _order
FROM localreg_internal.log e LEFT JOIN localreg_internal.records p ON p.id = e.parent
"""

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
        _MODELS,
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
        _MODEL_VERSIONS,
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
        _MODEL_METRICS,
        has_ids=False,
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
        _WORKFLOWS,
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
        _TEST_CASES,
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
        _TEST_SUITES,
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
        _TEST_RUNS,
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
        _COMPARISONS,
        searched=("name",),
    ),
    "grants": Table(
        {"id": TEXT, "namespace": TEXT, "principal": TEXT, "role": TEXT, **_MADE_COLUMNS},
        _GRANTS,
        searched=("principal", "role"),
        is_own=False,
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
        _CHECKPOINTS,
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
        _ARTIFACTS,
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
        _DATASETS,
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
        _EXPERIMENTS,
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
        _POLICIES,
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
        _PENDING_ACTIONS,
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
        },
        _AUDIT_EVENTS,
        has_ids=False,
    ),
}
"""Tables of records and of the log, by name."""


@dataclass(frozen=True, slots=True)
class BulkTable:
    """A table of bulk rows: one view over all workflows, and one with typed columns in each workflow's schema.

    Attributes:
        owners: kinds of the records that the parts belong to.
        typed: the struct column that holds the typed values, with fields of the workflow's type; None = there is none.
        columns: the columns before it, name → type and SQL over `d` (the rows), `p` (the part they stand in) and, of
            test samples, `s` (what was said of them after they came).
        beside: the columns after it.
        optional: columns that a part may lack: what stands for them.
        key: SQL over `d` and `p` of what a row is about: of those of one model version with the same key, the last
            counts.
        order: columns by which a listing is sorted when nothing is said; "" = there is no listing.
    """

    owners: tuple[str, ...]
    typed: str | None
    columns: dict[str, tuple[str, str]]
    beside: dict[str, tuple[str, str]]
    optional: dict[str, str]
    key: str = ""
    order: str = ""


SAMPLE_INDEX = (
    "CASE WHEN d.sample_idx >= p.staged_first THEN d.sample_idx - p.staged_first + p.first ELSE d.sample_idx END"
)
"""The `sample_idx` of a row `d` of a part `p`, which may have been written before others came in between."""

SAID = "sample_metadata"
"""The bulk table, not documented, of what was said of test samples after they came."""

_SAID = {"metadata": "CAST(NULL AS VARCHAR)", "extra": "CAST(NULL AS VARCHAR)"}
_JSON = {"metadata": ("JSON", "CAST(d.metadata AS JSON)"), "extra": ("JSON", "CAST(d.extra AS JSON)")}
_LATER = "CASE WHEN s.idx IS NULL THEN d.{0} ELSE s.{0} END"
_OF_EVALUATION = {
    "namespace": (TEXT, "p.namespace"),
    "workflow": (TEXT, "p.workflow"),
    "model": (TEXT, "p.model"),
    "model_version": (TEXT, "p.model_version"),
    "test_suite": (TEXT, "p.test_suite"),
    "test_suite_version": (WHOLE, "p.test_suite_version"),
    "evaluator": (TEXT, "p.evaluator"),
    "configuration": (TEXT, "p.configuration"),
    "test_run": (TEXT, "p.test_run"),
    "test_case": (TEXT, "p.test_cases[d.test_case + 1]"),
}
_ERROR = "STRUCT(type VARCHAR, message VARCHAR, traceback VARCHAR)"
_FILES = "MAP(VARCHAR, STRUCT(sha256 VARCHAR, bytes BIGINT, modified_ns BIGINT))"

BULK: dict[str, BulkTable] = {
    "test_samples": BulkTable(
        ("workflow",),
        "sample",
        {
            "namespace": (TEXT, "p.namespace"),
            "workflow": (TEXT, "p.workflow"),
            "sample_idx": (WHOLE, "p.first + d.file_row_number"),
            "metadata": ("JSON", f"CAST({_LATER.format('metadata')} AS JSON)"),
        },
        {"extra": ("JSON", f"CAST({_LATER.format('extra')} AS JSON)")},
        _SAID,
    ),
    "ground_truths": BulkTable(
        ("test_case_version",),
        "ground_truth",
        {
            "namespace": (TEXT, "p.namespace"),
            "workflow": (TEXT, "p.workflow"),
            "test_case": (TEXT, "p.test_case"),
            "version": (WHOLE, "p.version"),
            "sample_idx": (WHOLE, SAMPLE_INDEX),
        },
        _JSON,
        _SAID,
    ),
    "inferences": BulkTable(
        ("test_run", "model_version"),
        "inference",
        {
            "namespace": (TEXT, "p.namespace"),
            "workflow": (TEXT, "p.workflow"),
            "model": (TEXT, "p.model"),
            "model_version": (TEXT, "p.model_version"),
            "test_run": (TEXT, "p.test_run"),
            "sample_idx": (WHOLE, SAMPLE_INDEX),
            "status": (TEXT, "d.status"),
        },
        {**_JSON, "error": (_ERROR, "d.error"), "files": (_FILES, "d.files")},
        {**_SAID, "error": f"CAST(NULL AS {_ERROR})", "files": f"CAST(NULL AS {_FILES})"},
        key=SAMPLE_INDEX,
    ),
    "embeddings": BulkTable(
        ("test_run",),
        None,
        {
            "namespace": (TEXT, "p.namespace"),
            "model": (TEXT, "p.model"),
            "model_version": (TEXT, "p.model_version"),
            "locator": (TEXT, "d.locator"),
            "embedding": ("FLOAT[]", "CAST(d.embedding AS FLOAT[])"),
            "failed": ("BOOLEAN", "d.embedding IS NULL"),
        },
        {},
        {},
        key="d.locator",
    ),
    "metric_values": BulkTable(
        ("evaluation",),
        None,
        {
            **_OF_EVALUATION,
            "class": (TEXT, "d.class"),
            "metric": (TEXT, "d.metric"),
            "value": ("DOUBLE", "d.value"),
            "text": (TEXT, "d.text"),
            "path": (TEXT, "d.path"),
        },
        {},
        {},
    ),
    "sample_metrics": BulkTable(
        ("evaluation",),
        None,
        {
            **_OF_EVALUATION,
            "sample_idx": (WHOLE, SAMPLE_INDEX),
            "metrics": ("JSON", "CASE WHEN p.has_fields THEN to_json(d.metrics) ELSE CAST('{}' AS JSON) END"),
            "extra": ("JSON", "CAST(d.extra AS JSON)"),
        },
        {},
        {"extra": "CAST(NULL AS VARCHAR)"},
    ),
    "metric_points": BulkTable(
        ("experiment",),
        None,
        {
            "namespace": (TEXT, "p.namespace"),
            "experiment": (TEXT, "p.experiment"),
            "key": (TEXT, "d.key"),
            "step": (WHOLE, "d.step"),
            "wallclock": (TIME, "d.wallclock"),
            "value": ("DOUBLE", "d.value"),
            "text": (TEXT, "d.text"),
            "bytes": ("BLOB", "d.bytes"),
            "tensor": ('STRUCT(dtype VARCHAR, shape BIGINT[], "data" BLOB)', "d.tensor"),
        },
        {},
        {},
    ),
    "events": BulkTable(
        ("model", "model_version", "experiment", "checkpoint"),
        None,
        {
            "namespace": (TEXT, "p.namespace"),
            "owner_kind": (TEXT, "p.owner_kind"),
            "owner": (TEXT, "p.owner_name"),
            "owner_id": (TEXT, "p.owner"),
            "name": (TEXT, "d.name"),
            "source": (TEXT, "d.source"),
            "wallclock": (TIME, "d.wallclock"),
            "metadata": ("JSON", "CAST(coalesce(d.metadata, '{}') AS JSON)"),
            "commit": (WHOLE, "coalesce(d.commit, p.commit)"),
            "sequence": (WHOLE, "d.sequence"),
        },
        {},
        {"commit": "CAST(NULL AS BIGINT)"},
        order="wallclock, commit, sequence",
    ),
    "plots": BulkTable(
        ("evaluation",),
        None,
        {**_OF_EVALUATION, "name": (TEXT, "d.name"), "plot": ("JSON", "CAST(d.plot AS JSON)")},
        {},
        {},
    ),
}
"""Tables of bulk rows, by name: the same as the `table` of a file pointer.

The schema of a workflow is called as it is. DuckDB does not tell upper from lower case and keeps some names, such as
`main`, for itself: there the workflow that was made later, or one of such a name, is found under `"name (2)"`.
A field that is called like a column above is `inference_status` instead of `status`, and likewise. Vectors of the root
stand in the typed views alone; JSON leaves them out.
"""
