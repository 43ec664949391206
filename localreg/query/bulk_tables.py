"""The documented tables of bulk rows: what stands in files, and the columns that say where it belongs."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.query.tables import TEXT, TIME, WHOLE

__all__ = ["BULK", "SAID", "SAMPLE_INDEX", "BulkTable"]


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
