"""The timeline of commits: who did what, when and why, newest first; and one event with all that it changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from starlette.responses import Response

from localreg.errors import NotFoundError
from localreg.query.quoting import literal
from localreg.records.differences import differences
from localreg.times import utc
from localreg.ui.changed import marked
from localreg.ui.pages.found import PATHS
from localreg.ui.pages.listing import MOST_VALUES, Facet, Listing
from localreg.ui.undoable import can_undo, is_for_good
from localreg.ui.view import ALL, View
from localreg.written import commit_or_text

__all__ = ["event", "moments", "timeline"]

SIZE = 50
"""Events on one page, or all of one commit's that fit on it."""
MOST_MOMENTS = 40
"""Events whose commits are suggested."""
FACETS = ("actor", "kind", "action")
TOGETHER = "actor || chr(31) || kind || chr(31) || action"
"""All facets in one look at the log: no name holds a control character."""
NEWEST_FIRST = ["commit DESC", "event DESC"]
LATEST_FIRST = ["time DESC", "namespace DESC", *NEWEST_FIRST]
"""Of several namespaces, whose commits have numbers of their own."""
WITHIN = {
    "alias": "model",
    "checkpoint": "experiment",
    "evaluation": "test_run",
    "test_case_version": "test_case",
    "test_suite_version": "test_suite",
}
"""Kinds that are shown on the page of what they lie within."""


class Commit(NamedTuple):
    """A commit with those of its events that fit."""

    namespace: str
    number: int
    first: Mapping[str, Any]
    """An event of it, which says who, when, where and why."""
    events: list[dict[str, Any]]
    is_cut: bool
    """There are more."""
    can_undo: bool = False
    """It changed something, and none of it is for good."""


def timeline(view: View) -> Response:
    """`/audit`: parameters of a `Listing`; `since` (after that commit), `until`, `name`, and `before`, a page's end."""
    table = Listing(view, "audit_events", facets=FACETS, has_archived=False, conditions=list(_conditions(view)))
    where = " AND ".join(f"({each})" for each in table.conditions()) or None
    search = view.text("q")
    found = view.everything.audit(
        " AND ".join(f"({each})" for each in (where, _bound(view, "before", "<=")) if each) or None,
        search=search,
        order_by=LATEST_FIRST if view.namespace == ALL else NEWEST_FIRST,
        limit=SIZE + 1,
        in_words=True,
    ).dicts()
    commits, older = _grouped(found, view.namespace == ALL)
    counts = _counts(view, where, search)
    return view.page(
        "audit.html",
        title="Audit",
        section="Audit",
        commits=[_shown(view, each) for each in commits],
        older=None if older is None else view.here(before=older, done=None),
        newest=view.here(before=None, done=None) if view.text("before") else None,
        total=sum(counts["actor"].values()),
        facets=[_facet(table, by, counts[by]) for by in FACETS],
        is_asked=table.is_asked or any(map(view.text, ("name", "since", "until"))),
    )


def event(view: View) -> Response:
    """`/audit/{commit}/{event}`: one event with the record before and after; `part` = to be put into a page."""
    place = (view.parts["commit"], view.parts["event"])
    if not all(each.isdecimal() and len(each) < 19 for each in place):
        raise NotFoundError(f"no event {'.'.join(place)[:40]!r}: write the numbers of a commit and of an event in it")
    found = view.registry.audit(f"commit = {place[0]} AND event = {place[1]}", limit=1, in_words=True).dicts()
    if not found:
        raise NotFoundError(f"no event {'.'.join(place)} in namespace {view.namespace!r}")
    told = _event(view, found[0])
    before, after = told["before"], told["after"]
    changes = differences(before, after) if isinstance(before, dict) and isinstance(after, dict) else []
    return view.page(
        "event_part.html" if view.text("part") else "event.html",
        title=f"Event {place[0]}.{place[1]}",
        section="Audit",
        event=told,
        before=None if before is None else marked(before, {each.path: each.change for each in changes}, "added"),
        after=None if after is None else marked(after, {each.path: each.change for each in changes}, "removed"),
        has_both=bool(changes),
    )


def moments(view: View) -> Response:
    """`/audit/moments`: the last commits, as what a field suggests."""
    registry = view.site.registry.namespace(view.namespace)
    last = {each["commit"]: each for each in registry.audit(order_by=NEWEST_FIRST, limit=MOST_MOMENTS)}
    return view.page("moments.html", title="Moments", moments=last.values())


def _conditions(view: View) -> Iterator[str]:
    """What the address says beside words and facets."""
    name = view.text("name")
    if name is not None:
        yield f"name = {literal(name)}"
    yield from filter(None, (_bound(view, "since", ">"), _bound(view, "until", "<=")))


def _bound(view: View, name: str, sign: str) -> str | None:
    """The condition that a commit's number or a time in the address stands for."""
    text = view.text(name)
    if text is None:
        return None
    moment = commit_or_text(text)
    if isinstance(moment, int):
        return f"commit {sign} {moment}"
    return f"time {sign.replace('>', '>=')} CAST({literal(utc(moment, what=name))} AS TIMESTAMPTZ)"


def _grouped(events: Sequence[dict[str, Any]], by_time: bool) -> tuple[list[Commit], str | None]:
    """Commits, each whole if it fits, and where the next page begins; None = it was the last.

    Args:
        events: one more than fit, if there are more.
        by_time: whether they are in order of time.
    """
    groups: list[Commit] = []
    for each in events:
        if not groups or (groups[-1].namespace, groups[-1].number) != (each["namespace"], each["commit"]):
            groups.append(Commit(each["namespace"], each["commit"], each, [], is_cut=False))
        groups[-1].events.append(each)
    older = None
    if len(events) > SIZE and len(groups) > 1:
        older = groups.pop()
    elif len(events) > SIZE:
        groups[0].events.pop()
        groups = [groups[0]._replace(is_cut=True)]
    for group in groups:
        group.events.reverse()
    if older is not None:
        return groups, older.first["time"].isoformat() if by_time else str(older.number)
    if not groups or not groups[-1].is_cut:
        return groups, None
    time = groups[-1].first["time"] - timedelta(microseconds=1)
    return groups, time.isoformat() if by_time else str(groups[-1].number - 1)


def _shown(view: View, commit: Commit) -> Commit:
    events = [_event(view, each) for each in commit.events]
    undoable = any(each["can_undo"] for each in events) and not any(map(is_for_good, events))
    return commit._replace(events=events, can_undo=undoable)


def _event(view: View, row: Mapping[str, Any]) -> dict[str, Any]:
    """An event with where it leads."""
    kind, id = row["kind"], row["id"]
    if kind in WITHIN:
        kind, id = WITHIN[kind], row["parent"]
    path = PATHS.get(kind)
    was_removed = row["after"] is None and row["before"] is not None
    at = row["commit"] - 1 if was_removed else row["commit"]
    return {
        **row,
        "address": None if path is None else view.own(path.format(id=id), row["namespace"], at=view.query.get("at")),
        "then": None if path is None else view.own(path.format(id=id), row["namespace"], at=at),
        "was_removed": was_removed,
        "can_undo": can_undo(row),
    }


def _counts(view: View, where: str | None, search: str | None) -> dict[str, Counter[str]]:
    """How many events have each value of the facets."""
    counts: dict[str, Counter[str]] = {by: Counter() for by in FACETS}
    for row in view.everything.facets("audit_events", TOGETHER, where=where, search=search):
        for by, value in zip(FACETS, row["value"].rsplit("\x1f", 2), strict=True):
            counts[by][value] += row["count"]
    return counts


def _facet(table: Listing, by: str, counts: Counter[str]) -> Facet:
    values = table.values(by, _most(counts))
    return Facet(by, [each if by == "actor" else each._replace(told=each.told.replace("_", " ")) for each in values])


def _most(counts: Counter[str]) -> list[dict[str, Any]]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"value": value, "count": count} for value, count in ordered[:MOST_VALUES]]
