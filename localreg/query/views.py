"""The SELECTs behind the documented tables of records and of the log.

Each is over the relations that the engine makes of a state (`records`, `log`), here in the schema `localreg_internal`.
Beside the documented columns it has `_order`, and `_record` if something is searched; see `Table` in `tables.py`.
"""

from __future__ import annotations

__all__ = [
    "ARTIFACTS",
    "AUDIT_EVENTS",
    "CHECKPOINTS",
    "COMPARISONS",
    "DATASETS",
    "DEFINITIONS",
    "EXPERIMENTS",
    "GRANTS",
    "MODELS",
    "MODEL_METRICS",
    "MODEL_VERSIONS",
    "PENDING_ACTIONS",
    "POLICIES",
    "SIGNERS",
    "TEST_CASES",
    "TEST_RUNS",
    "TEST_SUITES",
    "WORKFLOWS",
]

_MADE = "r.created_at, r.created_by, r.updated_at, (r.created_commit, r.created_event) AS _order"
_ARCHIVED = "coalesce(CAST((r.record->'archived') AS BOOLEAN), false) AS archived"
_RECORD = """coalesce(
        CASE WHEN {0}.metadata IS NULL THEN CAST({0}.record AS VARCHAR)
        ELSE '{{"metadata":' || CAST({0}.metadata AS VARCHAR) || ',' || substr(CAST({0}.record AS VARCHAR), 2) END,
        CAST(json_object('name', {0}.name) AS VARCHAR)
    )"""
_OWN_RECORD = f"{_RECORD.format('r')} AS _record"

MODELS = f"""
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

MODEL_VERSIONS = f"""
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

DEFINITIONS = f"""
SELECT r.id, r.namespace, coalesce(m.name, r.name) AS name, m.name AS model, v.name AS version,
    (r.record->>'content') AS content,
    CASE WHEN (r.record->>'repository') IS NOT NULL THEN (r.record->'repository') END AS repository,
    CASE WHEN (r.record->>'code') IS NOT NULL THEN (r.record->'code') END AS code,
    (r.record->'files') AS files,
    CASE WHEN (r.record->>'runtime') IS NOT NULL THEN (r.record->'runtime') END AS runtime,
    {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records v ON v.kind = 'model_version' AND v.id = (r.record->>'version')
LEFT JOIN localreg_internal.records m ON m.kind = 'model' AND m.id = v.parent
WHERE r.kind = 'definition'
"""

MODEL_METRICS = """
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

WORKFLOWS = f"""
SELECT r.id, r.namespace, r.name, (r.record->'test_sample') AS test_sample, (r.record->'ground_truth') AS ground_truth,
    (r.record->'inference') AS inference, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r WHERE r.kind = 'workflow'
"""

TEST_CASES = f"""
SELECT r.id, r.namespace, r.name, w.name AS workflow, CAST((r.record->'version') AS BIGINT) AS version,
    (r.record->>'description') AS description, coalesce(CAST((v.record->'samples') AS BIGINT), 0) AS samples,
    {_ARCHIVED}, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records w ON w.kind = 'workflow' AND w.id = (r.record->>'workflow')
LEFT JOIN localreg_internal.records v
    ON v.kind = 'test_case_version' AND v.parent = r.id AND v.name = (r.record->>'version')
WHERE r.kind = 'test_case'
"""

TEST_SUITES = f"""
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

TEST_RUNS = f"""
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

COMPARISONS = f"""
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

GRANTS = f"""
SELECT r.id, r.namespace, r.name AS principal, (r.record->>'role') AS role, {_MADE}, {_RECORD.format("r")} AS _record
FROM localreg_internal.records r WHERE r.kind = 'grant'
"""

SIGNERS = f"""
SELECT r.id, r.namespace, r.name,
    'SHA256:' || rtrim(base64(unhex(sha256(from_base64(split_part((r.record->>'key'), ' ', 2))))), '=') AS fingerprint,
    (r.record->>'key') AS key, {_MADE}, {_RECORD.format("r")} AS _record
FROM localreg_internal.records r WHERE r.kind = 'signer'
"""

ARTIFACTS = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'owner_kind') AS owner_kind, {_OWNER},
    (r.record->>'media_type') AS media_type, (r.record->>'sha256') AS sha256,
    CAST((r.record->'bytes') AS BIGINT) AS bytes, CAST((r.record->'files') AS BIGINT) AS files,
    coalesce(CAST((r.record->'folder') AS BOOLEAN), false) AS folder, (r.record->>'uri') AS uri,
    (r.record->>'etag') AS etag, coalesce(r.metadata, '{{}}') AS metadata, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
{_OWNING}
WHERE r.kind = 'artifact'
"""

DATASETS = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'role') AS role, (r.record->>'owner_kind') AS owner_kind, {_OWNER},
    a.name AS artifact, (r.record->>'artifact') AS artifact_id, (r.record->>'sha256') AS sha256,
    coalesce((r.record->>'uri'), (a.record->>'uri')) AS uri, (r.record->>'description') AS description,
    coalesce(r.metadata, '{{}}') AS metadata, {_MADE}, {_RECORD.format("r")} || {_RECORD.format("a")} AS _record
FROM localreg_internal.records r
{_OWNING}
LEFT JOIN localreg_internal.records a ON a.kind = 'artifact' AND a.id = (r.record->>'artifact')
WHERE r.kind = 'dataset'
"""

CHECKPOINTS = f"""
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

EXPERIMENTS = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'description') AS description, (r.record->>'owner') AS owner,
    (r.record->>'framework') AS framework, (r.record->>'task') AS task,
    coalesce(CAST((r.record->'tags') AS VARCHAR[]), []) AS tags, (r.record->'params') AS params,
    coalesce(r.metadata, '{{}}') AS metadata, (r.record->>'external_id') AS external_id,
    (r.record->>'status') AS status, CAST((r.record->>'ended_at') AS TIMESTAMPTZ) AS ended_at,
    CASE WHEN (r.record->>'error') IS NOT NULL THEN (r.record->'error') END AS error,
    (r.record->'environment') AS environment, {_ARCHIVED}, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r WHERE r.kind = 'experiment'
"""

POLICIES = f"""
SELECT r.id, r.namespace, r.name, (r.record->>'rule_kind') AS kind, m.name AS model,
    (r.record->>'description') AS description, (r.record->'rule') AS rule, {_MADE}, {_OWN_RECORD}
FROM localreg_internal.records r
LEFT JOIN localreg_internal.records m ON m.kind = 'model' AND m.id = (r.record->>'model')
WHERE r.kind = 'policy'
"""

PENDING_ACTIONS = f"""
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

AUDIT_EVENTS = """
SELECT e.namespace, e.commit, e.event, CAST(e.time AS TIMESTAMPTZ) AS time, e.actor, e.host, e.message, e.action,
    e.kind, e.id, e.name, e.parent, p.name AS parent_name, CAST(e.details AS JSON) AS details,
    CAST(e.before AS JSON) AS before, CAST(e.after AS JSON) AS after, e.digest, e.redacted,
    (e.commit, e.event) AS _order, CAST(NULL AS VARCHAR) AS _record
FROM localreg_internal.log e LEFT JOIN localreg_internal.records p ON p.id = e.parent
"""
