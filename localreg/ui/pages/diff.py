"""What is different between two moments, record by record and path by path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from localreg.audit import RecordDiff
from localreg.audit.diff import FILES
from localreg.handles.words import in_names
from localreg.ui.pages.found import PATHS
from localreg.ui.view import View
from localreg.written import commit_or_text

__all__ = ["page"]

MOST = 300
"""Records of each kind of change that are shown."""


def page(view: View) -> Response:
    """`/audit/diff`: parameters `a` and `b` are commits or times; without `b` the newest."""
    a, b = view.text("a"), view.text("b")
    told: dict[str, Any] = {"diff": None, "groups": [], "a": a or "", "b": b or ""}
    registry = view.registry
    if a is not None:
        found = registry.diff(commit_or_text(a), None if b is None else commit_or_text(b))
        told["diff"] = found
        told["groups"] = [
            _group(view, "created", found.created, found.after),
            _group(view, "changed", found.changed, found.after),
            _group(view, "deleted", found.deleted, found.before),
        ]
    return view.page("diff.html", title="Compare two moments", section="Audit", newest=registry.commit, **told)


def _group(view: View, title: str, records: Sequence[RecordDiff], at: int) -> dict[str, Any]:
    shown = [each for each in records if each.kind not in FILES]
    return {
        "title": title,
        "number": len(shown),
        "files": len(records) - len(shown),
        "left_out": max(0, len(shown) - MOST),
        "records": [_record(view, each, at, title) for each in shown[:MOST]],
    }


def _record(view: View, record: RecordDiff, at: int, title: str) -> dict[str, Any]:
    path = PATHS.get(record.kind)
    return {
        "told": str(record),
        "address": None if path is None else view.link(path.format(id=record.id), at=at),
        "differences": [in_names(each, record.names) for each in record.differences] if title == "changed" else [],
    }
