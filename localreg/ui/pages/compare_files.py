"""A comparison as files: the report, and tables of metrics and of samples."""

from __future__ import annotations

import re
from typing import cast

from starlette.responses import Response, StreamingResponse

from localreg.compare import Comparison, Outcome
from localreg.compare.report import page
from localreg.compare.report.pictures import DataUris
from localreg.errors import NotFoundError
from localreg.names import shown_value
from localreg.query import Result
from localreg.ui.pages.compare import candidate_of
from localreg.ui.pictures import may_show
from localreg.ui.question import Question
from localreg.ui.row_files import WRITERS, batches_of
from localreg.ui.view import View

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
    writer = WRITERS[what.rpartition(".")[2]]
    pieces = writer.pieces(batches_of(table))  # a million samples are some hundred megabytes
    return StreamingResponse(pieces, media_type=writer.media_type, headers=_attached(name))


def _samples(view: View, found: Comparison, candidate: str) -> Result:
    outcome = view.text("outcome")
    if outcome == "worst":
        return found.worst(max(1, found.n), candidate=candidate)
    wanted = None if outcome == "all" else cast("Outcome | None", outcome)
    return found.samples(wanted, where=view.text("where"), candidate=candidate)


def _slug(candidate: str, found: Comparison) -> str:
    """A file name that any system takes."""
    return re.sub("[^A-Za-z0-9._-]+", "-", f"{candidate}-against-{found.baseline}").strip("-.")[:100] or "comparison"


def _sent(data: bytes, media_type: str, name: str) -> Response:
    return Response(data, media_type=media_type, headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
