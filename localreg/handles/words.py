"""What records are called when several stand beside each other: whose alias, which model's version, whose test run.

A record knows only its own name, and the id of what it belongs to. So whoever tells of it brings a look at the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from localreg.canonical import JsonValue
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import did_you_mean
from localreg.records.base import is_known
from localreg.records.differences import Difference, differences, in_words

__all__ = [
    "Look",
    "check_kind",
    "in_names",
    "listed",
    "names_in",
    "noun",
    "one_line",
    "parent_of",
    "readable_bytes",
    "told",
    "what_changed",
]

PARENTS = {
    "alias": "model",
    "checkpoint": "experiment",
    "evaluation": "test_run",
    "model_version": "model",
    "test_run": "model_version",
    "test_case_version": "test_case",
    "test_suite_version": "test_suite",
}
"""Kinds of records whose names are unique only within a record of another kind."""

OWNERS = {"dataset": ("model", "model_version", "experiment")}
"""The same, where it may be of one kind or another."""

KINDS = (
    *PARENTS,
    *PARENTS.values(),
    "artifact",
    "comparison",
    "dataset",
    "definition",
    "experiment",
    "feature",
    "grant",
    "metrics",
    "namespace",
    "pending_action",
    "policy",
    "registry",
    "signer",
    "workflow",
)
"""Kinds of records that events are of, as far as this release knows."""

REFERENCES = {
    ("alias", "version"): "model_version",
    ("definition", "version"): "model_version",
    ("metrics", "dataset"): "dataset",
    ("metrics", "test_suite"): "test_suite",
    ("dataset", "artifact"): "artifact",
    ("model_version", "checkpoint"): "checkpoint",
    ("model", "workflow"): "workflow",
    ("policy", "model"): "model",
    ("test_case", "workflow"): "workflow",
    ("test_suite", "workflow"): "workflow",
}
"""Fields of records, (kind, field), in which the id of a record of another kind stands."""

DERIVED = frozenset({"former_names", "machines"})
"""Fields that only repeat what another one tells, or hold digests for programs."""


class Named(Protocol):
    """A record as far as it is called something: a row of the state, an event."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def parent(self) -> str:
        """Id of the record that it lies within; "" = the namespace."""


Look = Callable[[str, str], Named | None]
"""By kind and id: such as `State.outline`."""


def told(kind: str, name: str, parent: str, look: Look) -> str:
    """A record with whose it is: `alias 'm@production'`, `version 'm@1'`, `test run 'bc@1' of 'm@1'`."""
    if kind == "metrics":  # which have the name of what they are on
        return "metrics"
    for owner_kind in OWNERS.get(kind, ()):
        owner = look(owner_kind, parent)
        if owner is not None:
            return f"{noun(kind)} {name!r} of {told(owner_kind, owner.name, owner.parent, look)}"
    of = look(PARENTS[kind], parent) if kind in PARENTS else None
    if of is None:
        return f"{noun(kind)} {name!r}"
    if kind == "evaluation":
        return f"{noun(kind)} {name!r} of {told(PARENTS[kind], of.name, of.parent, look)}"
    if kind != "test_run":
        return f"{'version' if kind == 'model_version' else noun(kind)} {f'{of.name}@{name}'!r}"
    model = look("model", of.parent)
    version = of.name if model is None else f"{model.name}@{of.name}"
    return f"{noun(kind)} {name!r} of {version!r}"


def parent_of(kind: str, parent: str, look: Look) -> str | None:
    """The name of the record within which another lies; None if it lies in none, or in one that is not there."""
    kinds = OWNERS.get(kind) or ((PARENTS[kind],) if kind in PARENTS else ())
    found = (look(each, parent) for each in kinds)
    return next((of.name for of in found if of is not None), None)


def noun(kind: str) -> str:
    """A kind of record, as people say it."""
    return "data set" if kind == "dataset" else kind.replace("_", " ")


def listed(things: list[str], most: int = 5) -> str:
    """The first things of a list, and how many more there are."""
    shown = ", ".join(things[:most])
    return shown if len(things) <= most else f"{shown} and {len(things) - most} more"


def names_in(kind: str, found: Iterable[Difference], look: Look) -> dict[str, str]:
    """What the records are called whose ids stand in differences of a record of that kind, by id."""
    names = {}
    for each in found:
        of = REFERENCES.get((kind, each.path))
        for id in (each.before, each.after):
            row = look(of, id) if of is not None and isinstance(id, str) else None
            if row is not None:
                names[str(id)] = row.name
    return names


def in_names(found: Difference, names: Mapping[str, str]) -> Difference:
    """A difference with names where ids stood."""
    before, after = (names.get(each, each) if isinstance(each, str) else each for each in (found.before, found.after))
    return found._replace(before=before, after=after)


def what_changed(
    kind: str, before: object, after: object, details: Mapping[str, JsonValue] | None, look: Look
) -> str | None:
    """What an event changed, in words: `metadata.lr 0.1 → 0.2`.

    None where the record was made or deleted, or what it said was redacted; of an alias that was made, where it points.
    """
    said = details or {}
    if not (isinstance(after, dict) and is_known(after)):
        return None
    if kind == "alias" and "version" in said:  # in words since then: the version may have been deleted
        moved = Difference("version", said.get("from"), said["version"], "changed" if "from" in said else "added")
        return in_words([moved])
    if not (isinstance(before, dict) and is_known(before)):
        return None
    found = [each for each in differences(before, after) if each.path.split("[")[0] not in DERIVED]
    names = names_in(kind, found, look)
    return in_words([in_names(each, names) for each in found]) or None


def one_line(text: str) -> str:
    """The text with a space for what would break a line, or turn its direction."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def check_kind(kind: str, states: Callable[[], Iterable[State]]) -> str:
    """The kind of record, as given: one that this release knows, or that stands in one of the states.

    Raises:
        InvalidInputError: no kind of record.
    """
    if kind in KINDS or any(next(state.rows(kind), None) is not None for state in states()):
        return kind
    kinds = sorted(set(KINDS))
    raise InvalidInputError(f"no kind of record {kind!r}{did_you_mean(kind, kinds)}; there are {', '.join(kinds)}")


def readable_bytes(size: float) -> str:
    """A size for people: `1.4 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
