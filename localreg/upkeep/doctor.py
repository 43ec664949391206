"""Whether all is as it should be at one place: a list of checks, each of which says what it found and what to do.

Nothing is changed and nothing deleted, unless a repair is asked for (`repair.py`); what is tried is taken away again.
That every digest holds is not asked here, but by `verify`, which reads all there is: the doctor reads what an opening
would, and lists the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from localreg.errors import LocalregError
from localreg.names import namespace_folder
from localreg.session import Session
from localreg.session.namespaces import is_refusal
from localreg.upkeep import place
from localreg.upkeep.accepting import accepted
from localreg.upkeep.namespace import NAMESPACE_CHECKS, Namespace
from localreg.upkeep.repair import repaired
from localreg.upkeep.report import DoctorReport, Finding
from localreg.upkeep.share import check_share

__all__ = ["DoctorReport", "Finding", "examine"]

PLACE_CHECKS = (
    place.check_location,
    place.check_versions,
    place.check_commit_mode,
    check_share,
    place.check_permissions,
    place.check_room,
)

EXPECTED = frozenset({"offline", "forbidden"})
"""Codes of errors that tell what this process may do, and not that anything is wrong."""


def examine(session: Session, *, repair: bool = False, accept: bool = False) -> DoctorReport:
    """The report of `Registry.doctor`."""
    if repair:
        session.refuse_if_read_only()
    findings = list(accepted(session, _folders(session, []))) if accept else []
    for check in PLACE_CHECKS:
        findings += _told(lambda check=check: check(session), _title(check))  # type: ignore[misc]
    for folder in _folders(session, findings):
        namespace = Namespace.of(session, folder)
        closed = _closed(session, namespace.name)
        if repair and closed is None:
            findings += _told(partial(repaired, namespace), f"{namespace.name}: not repaired")
        findings += [closed] if closed is not None else _of_namespace(namespace)
    return DoctorReport(findings)


def _folders(session: Session, findings: list[Finding]) -> list[str]:
    """Folders of all namespaces; where they cannot be listed, that of the session's own."""
    own = namespace_folder(session.namespace)
    try:
        return session.root.folders("namespaces") or [own]
    except LocalregError as error:
        findings.append(_finding_of(error, "namespaces"))
        return [own]


def _closed(session: Session, name: str) -> Finding | None:
    """That a namespace is closed to this user or actor, which disturbs nobody; None = it is not."""
    try:
        session.live(name).refuse_stranger()
    except LocalregError as error:
        return Finding("note", f"{name}: inaccessible", error.message) if is_refusal(error) else None
    return None


def _of_namespace(namespace: Namespace) -> Iterator[Finding]:
    """Each fault once: several checks look at the state, and run into the same one."""
    told = set()
    for check in NAMESPACE_CHECKS:
        for finding in _told(lambda check=check: check(namespace), f"{namespace.name}: {_title(check)}"):  # type: ignore[misc]
            if finding.message not in told:
                told.add(finding.message)
                yield finding


def _told(check: Callable[[], Iterator[Finding]], what: str) -> Iterator[Finding]:
    """A check's findings; where it runs into an error, that is one."""
    try:
        yield from check()
    except LocalregError as error:
        yield _finding_of(error, what)


def _finding_of(error: LocalregError, what: str) -> Finding:
    return Finding("note" if error.code in EXPECTED else "problem", what, error.message)


def _title(check: Callable[..., object]) -> str:
    return check.__name__.removeprefix("check_").replace("_", " ")
