"""What came of what: the SQL behind the tables `lineage` and `ancestors`, and behind the lineage of one thing.

An edge leads from what was there before to what was made of it. So far no edge can close a ring; the recursions would
bear it all the same: whatever is found, is found once, by the shortest way.
"""

from __future__ import annotations

__all__ = ["ANCESTORS", "AROUND", "LINEAGE", "closure", "reached"]

_ROLE = "CASE (d.record->>'role') WHEN 'train' THEN 'trains' ELSE 'evaluates' END"

_EDGES = f"""
    SELECT 'artifact' AS source_kind, (d.record->>'artifact') AS source_id, 'holds' AS relation,
        'dataset' AS target_kind, d.id AS target_id
    FROM localreg_internal.records d WHERE d.kind = 'dataset' AND (d.record->>'artifact') IS NOT NULL
    UNION ALL
    SELECT 'dataset', d.id, {_ROLE}, (d.record->>'owner_kind'), d.parent
    FROM localreg_internal.records d
    WHERE d.kind = 'dataset' AND (d.record->>'owner_kind') IN ('experiment', 'model_version')
    UNION ALL
    SELECT 'dataset', d.id, {_ROLE}, 'model_version', v.id
    FROM localreg_internal.records d
    JOIN localreg_internal.records v ON v.kind = 'model_version' AND v.parent = d.parent
    ANTI JOIN (SELECT parent, name FROM localreg_internal.records WHERE kind = 'dataset') own
        ON own.parent = v.id AND own.name = d.name
    WHERE d.kind = 'dataset' AND (d.record->>'owner_kind') = 'model'
    UNION ALL
    SELECT 'experiment', c.parent, 'saves', 'checkpoint', c.id
    FROM localreg_internal.records c WHERE c.kind = 'checkpoint'
    UNION ALL
    SELECT 'checkpoint', (v.record->>'checkpoint'), 'becomes', 'model_version', v.id
    FROM localreg_internal.records v WHERE v.kind = 'model_version' AND (v.record->>'checkpoint') IS NOT NULL
    UNION ALL
    SELECT 'model_version', t.parent, 'takes', 'test_run', t.id
    FROM localreg_internal.records t WHERE t.kind = 'test_run'
    UNION ALL
    SELECT 'test_suite_version', (t.record->>'test_suite_version'), 'asks', 'test_run', t.id
    FROM localreg_internal.records t WHERE t.kind = 'test_run'
    UNION ALL
    SELECT (a.record->>'owner_kind'), a.parent, 'keeps', 'artifact', a.id
    FROM localreg_internal.records a
    ANTI JOIN (
        SELECT (record->>'artifact') AS id FROM localreg_internal.records WHERE kind = 'dataset'
    ) held ON held.id = a.id
    WHERE a.kind = 'artifact' AND (a.record->>'owner_kind') IN ('experiment', 'checkpoint', 'model_version')
"""
"""The edges, by id. A model's data set leads to each version that has none of its own of that name.

Who keeps an artifact that is the content of a data set only keeps it: the data did not come of that.
"""

_THINGS = """
    SELECT r.kind, r.id, r.namespace,
        CASE WHEN r.kind IN ('model_version', 'test_suite_version') THEN w.name || '@' || r.name
            WHEN r.kind = 'checkpoint' THEN w.name || ': ' || r.name ELSE r.name END AS name,
        (r.created_commit, r.created_event) AS made
    FROM localreg_internal.records r
    LEFT JOIN localreg_internal.records w ON w.kind IN ('model', 'test_suite', 'experiment') AND w.id = r.parent
    WHERE r.kind IN (
        'artifact', 'dataset', 'experiment', 'checkpoint', 'model_version', 'test_suite_version', 'test_run'
    )
"""
"""What edges join, with what it is called and when it was made."""

LINEAGE = f"""
SELECT t.namespace, e.source_kind, e.source_id, s.name AS source, e.relation, e.target_kind, e.target_id,
    t.name AS target, (t.made, s.made) AS _order, CAST(NULL AS VARCHAR) AS _record
FROM ({_EDGES}) e
JOIN ({_THINGS}) s ON s.kind = e.source_kind AND s.id = e.source_id
JOIN ({_THINGS}) t ON t.kind = e.target_kind AND t.id = e.target_id
"""
"""The edges, with names. What they lead to decides their order, as it was made."""


def closure(edges: str) -> str:
    """Common tables: `edges`, as given (`source_id`, `target_id`), and `closure` (`id`, `ancestor_id`, `depth`)."""
    return f"""edges AS MATERIALIZED ({edges}),
closure(id, ancestor_id, depth) USING KEY (id, ancestor_id) AS (
    SELECT target_id, source_id, CAST(1 AS BIGINT) FROM edges
    UNION
    SELECT c.id, e.source_id, c.depth + 1 FROM closure c JOIN edges e ON e.target_id = c.ancestor_id
    WHERE NOT EXISTS (SELECT 1 FROM recurring.closure f WHERE f.id = c.id AND f.ancestor_id = e.source_id)
)"""


def reached(edges: str) -> str:
    """Common tables: `edges`, as given, and `reached`, which lead to a thing or from it.

    Parameters: its id, twice. `depth` tells how many steps it is there: below zero towards what it comes from.
    """

    def walk(name: str, here: str, there: str, sign: str) -> str:
        return f"""{name}(id, depth) USING KEY (id) AS (
    SELECT CAST(? AS VARCHAR), CAST(0 AS BIGINT)
    UNION
    SELECT e.{there}, w.depth {sign} 1 FROM {name} w JOIN edges e ON e.{here} = w.id
    WHERE NOT EXISTS (SELECT 1 FROM recurring.{name} f WHERE f.id = e.{there})
)"""

    return f"""edges AS MATERIALIZED ({edges}),
{walk("up", "target_id", "source_id", "-")},
{walk("down", "source_id", "target_id", "+")},
reached AS (
    SELECT DISTINCT ON (source_id, relation, target_id) * FROM (
        SELECT e.*, w.depth - 1 AS depth FROM edges e JOIN up w ON w.id = e.target_id
        UNION ALL
        SELECT e.*, w.depth + 1 AS depth FROM edges e JOIN down w ON w.id = e.source_id
    ) ORDER BY abs(depth), depth
)"""


ANCESTORS = f"""
SELECT t.namespace, t.kind, t.id, t.name, s.kind AS ancestor_kind, s.id AS ancestor_id, s.name AS ancestor, c.depth,
    (t.made, c.depth, s.made) AS _order, CAST(NULL AS VARCHAR) AS _record
FROM (WITH RECURSIVE {closure(_EDGES)} FROM closure) c
JOIN ({_THINGS}) s ON s.id = c.ancestor_id
JOIN ({_THINGS}) t ON t.id = c.id
"""
"""Each thing with each that it comes from, however far."""

AROUND = f"""
WITH RECURSIVE {reached(_EDGES)}
SELECT e.depth, e.source_kind, e.source_id, s.name AS source, e.relation, e.target_kind, e.target_id, t.name AS target,
    t.namespace
FROM reached e
JOIN ({_THINGS}) s ON s.kind = e.source_kind AND s.id = e.source_id
JOIN ({_THINGS}) t ON t.kind = e.target_kind AND t.id = e.target_id
ORDER BY e.depth, t.made, s.made
"""
"""The edges that lead to one thing or from it, from the data to the test runs. Parameters: its id, twice."""
