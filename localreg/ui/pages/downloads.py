"""A comparison as files: the report, and tables of metrics and of samples."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, cast

from starlette.responses import Response, StreamingResponse

from localreg.compare import Comparison, Outcome
from localreg.compare.report import page
from localreg.compare.report.pictures import DataUris
from localreg.errors import NotFoundError
from localreg.names import shown_value
from localreg.query import Result
from localreg.query.text import cell, plain
from localreg.ui.pages.compare import candidate_of
from localreg.ui.pictures import may_show
from localreg.ui.question import Question
from localreg.ui.view import View

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["download"]

LISTED = 50
"""Samples of each outcome in the report."""
KINDS = ("html", "metrics.csv", "metrics.parquet", "samples.csv", "samples.parquet")


def download(view: View) -> Response:
    """`/compare/download`: what is in `what`, one of `KINDS`; of samples those of `outcome` and `where`."""
    what = view.text("what") or ""
    if what not in KINDS:
        raise NotFoundError(f"what is {shown_value(what)}; there are {', '.join(KINDS)}")
    with Question.of(view).answered(view) as found:
        candidate = found.candidates[candidate_of(view, found)]
        if what == "html":
            pictures = DataUris(may_read=lambda locator: may_show(view.site, locator))
            told = page(found, title=None, samples=LISTED, pictures=pictures)
            return _sent(told.encode(), "text/html; charset=utf-8", f"{_slug(candidate, found)}.html")
        table = found.metrics.arrow() if what.startswith("metrics") else _samples(view, found, candidate).arrow()
    name = f"{_slug(candidate, found)}-{what}"
    return (
        _sent(_parquet(table), "application/vnd.apache.parquet", name)
        if what.endswith("parquet")
        else _csv(table, name)
    )


def _samples(view: View, found: Comparison, candidate: str) -> Result:
    outcome = view.text("outcome")
    if outcome == "worst":
        return found.worst(max(1, found.n), candidate=candidate)
    wanted = None if outcome == "all" else cast("Outcome | None", outcome)
    return found.samples(wanted, where=view.text("where"), candidate=candidate)


def _slug(candidate: str, found: Comparison) -> str:
    """A file name that any system takes."""
    return re.sub("[^A-Za-z0-9._-]+", "-", f"{candidate}-against-{found.baseline}").strip("-.")[:100] or "comparison"


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    data = BytesIO()
    pq.write_table(table, data, compression="zstd")
    return data.getvalue()


def _csv(table: pa.Table, name: str) -> Response:
    """Written as it is sent: a million samples are some hundred megabytes."""
    return StreamingResponse(_lines(table), media_type="text/csv; charset=utf-8", headers=_attached(name))


def _lines(table: pa.Table) -> Iterator[str]:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=10_000):
        columns = [batch.column(number).to_pylist() for number in range(batch.num_columns)]
        writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _cell(value: object) -> object:
    told = plain(value)
    return cell(told) if isinstance(told, dict | list | bool) else told


def _sent(data: bytes, media_type: str, name: str) -> Response:
    return Response(data, media_type=media_type, headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
