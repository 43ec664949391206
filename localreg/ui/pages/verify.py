"""Whether all digests hold: the check of a namespace, started from here, and its report."""

from __future__ import annotations

from starlette.responses import Response

from localreg.errors import InvalidInputError
from localreg.registry import Registry
from localreg.ui.view import ALL, View

__all__ = ["page", "start"]

MOST_PROBLEMS = 500


def page(view: View) -> Response:
    """`/verify`."""
    registry = _present(view)
    last = view.site.verifications.last(registry.namespace_name)
    report = None if last is None else last.report
    problems, void = ([], []) if report is None else (report.problems, report.void)
    return view.page(
        "verify.html",
        title="Verify",
        section="Audit",
        commit=registry.commit,
        problems=problems[:MOST_PROBLEMS],
        void=void[:MOST_PROBLEMS],
        left_out=max(0, len(problems) - MOST_PROBLEMS),
    )


def start(view: View) -> Response:
    """`POST /verify`."""
    view.site.verifications.start(_present(view))
    return view.seen("/verify")


def _present(view: View) -> Registry:
    """The namespace as it is now, whatever moment is looked at: the past is checked with it."""
    if view.namespace == ALL:
        raise InvalidInputError("namespaces are verified one by one; choose one above")
    return view.site.registry.namespace(view.namespace)
