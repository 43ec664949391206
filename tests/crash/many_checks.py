"""What must be true of a registry when many processes have worked on it, and died."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import localreg
from localreg.canonical import canonical
from localreg.log.entry import entry_path
from localreg.session import Session
from tests.compat.independent_reader import Namespace
from tests.crash.many_acts import POINTS, SAMPLES

__all__ = ["Told", "check"]


@dataclass(frozen=True)
class Told:
    """A line of a worker.

    Attributes:
        life: whose.
        token: of the act that it was at.
        what: `begin`, `offer`, `point`, `done`, `refused` or `unknown`.
        more: the act; the id of the commit; the step; nothing; the kind of error; the id of the commit.
    """

    life: str
    token: str
    what: str
    more: str


@dataclass
class Deed:
    """An act, as its worker told it; `unknown` is the commit of which it could not."""

    act: str
    offers: list[str]
    points: int = 0
    end: str = ""
    unknown: str = ""


def check(folder: Path, told: list[Told]) -> dict[str, int]:
    """Raise `AssertionError` if anything is not as it must be; counts of what was looked at."""
    registry = localreg.open(folder, actor="checker")
    registry.recover_experiments()
    session = registry._session
    deeds = _deeds(told)
    report = session.verify()
    assert report.ok, str(report)
    entries = list(session.entries())
    assert [entry.commit for entry in entries] == [*range(1, len(entries) + 1)], "a gap"
    assert list(session.store.list("log")) == [entry_path(entry.commit) for entry in entries]
    twice = [id for id, times in Counter(entry.commit_id for entry in entries).items() if times > 1]
    assert not twice, f"committed twice: {twice}"
    landed = {entry.commit_id for entry in entries}
    independent = Namespace(folder)
    _check_state(session, independent)
    for token, deed in deeds.items():
        _check_deed(token, deed, landed)
        if deed.unknown:
            assert (registry.resolve(deed.unknown) is not None) == (deed.unknown in landed)
    _check_events(independent, deeds)
    _check_counts(independent, deeds, landed)
    _check_rows(registry, deeds)
    ends = Counter(deed.end or "killed" for deed in deeds.values())
    return {"commits": len(entries), "acts": len(deeds), **{f"acts {end}": ends[end] for end in sorted(ends)}}


def _deeds(told: list[Told]) -> dict[str, Deed]:
    deeds: dict[str, Deed] = {}
    for line in told:
        if line.what == "begin":
            assert line.token not in deeds
            deeds[line.token] = Deed(line.more, [])
        elif line.what == "offer":
            deeds[line.token].offers.append(line.more)
        elif line.what == "point":
            deeds[line.token].points += 1
        else:
            deeds[line.token].end = line.what
            deeds[line.token].unknown = line.more if line.what == "unknown" else ""
    return deeds


def _check_state(session: Session, independent: Namespace) -> None:
    """A reader that knows the format alone comes to the same records."""
    ours = {(row.kind, row.id): canonical(row.fields) for row in session.state().rows()}
    theirs = {key: canonical(row.record) for key, row in independent.rows.items()}
    assert ours.keys() == theirs.keys()
    different = [key for key in ours if ours[key] != theirs[key]]
    assert not different, f"another record: {different[:5]}"


ONE_COMMIT = ("create", "count", "tag", "version", "three", "artifact")
TWO_COMMITS = ("rename", "delete", "undo")


def _check_deed(token: str, deed: Deed, landed: set[str]) -> None:
    """How many commits an act has made."""
    made = len({id for id in deed.offers if id in landed})
    expected = 1 if deed.act in ONE_COMMIT else 2 if deed.act in TWO_COMMITS else None
    what = f"{deed.act} {token} ({deed.end or 'killed'}) made {made} commits"
    if expected is None:
        return
    assert made <= expected, what
    if deed.end == "done":
        assert made == expected, f"acknowledged, but lost: {what}"
    if deed.end == "refused" and deed.act in ONE_COMMIT:
        assert made == 0, f"refused, but there: {what}"


def _check_events(independent: Namespace, deeds: dict[str, Deed]) -> None:
    """Names that acts have made for themselves: each once, and there if it was acknowledged."""
    made: Counter[tuple[str, str]] = Counter()
    for event in independent.audit:
        if event["action"] in ("create", "upload") and event["kind"] in ("model", "model_version", "artifact"):
            made[event["kind"], event["name"]] += 1
    models = {row.name: row for row in independent.of("model")}
    of_hot = {row.id for row in models.values() if row.name.startswith("hot ")}
    versions = Counter(row.name for row in independent.of("model_version", of_hot))
    artifacts = Counter(row.name for row in independent.of("artifact"))
    tags = Counter(tag for name, row in models.items() if name.startswith("hot ") for tag in row.record["tags"])
    for token, deed in deeds.items():
        done, named = deed.end == "done", models.get(token)
        parts = sum(f"{token} {part} of 3" in models for part in "abc")
        assert parts in ((3,) if deed.act == "three" and done else (0, 3)), f"{deed.act} {token}: {parts} of 3"
        assert made["model", token] <= 1, f"{token} was made twice"
        if done:
            assert (named is not None) == (deed.act in ("create", "rename", "tested")), f"{deed.act} {token}"
            assert versions[token] == (deed.act == "version"), f"{deed.act} {token}"
            assert artifacts[token] == (deed.act == "artifact"), f"{deed.act} {token}"
            assert tags[token] == (deed.act == "tag"), f"{deed.act} {token}"
        assert max(versions[token], artifacts[token], tags[token]) <= 1, f"{deed.act} {token} is there twice"


def _check_counts(independent: Namespace, deeds: dict[str, Deed], landed: set[str]) -> None:
    """No update of another was lost."""
    counted = sum(row.record["metadata"].get("count", 0) for row in independent.of("model"))
    assert counted == sum(deed.act == "count" and bool(landed & {*deed.offers}) for deed in deeds.values())


def _check_rows(registry: localreg.Registry, deeds: dict[str, Deed]) -> None:
    """All rows of what was acknowledged, none twice; all points that were logged before a kill."""
    steps: dict[str, list[Any]] = defaultdict(list)
    for row in registry.sql("SELECT experiment, step FROM metric_points").dicts():
        steps[row["experiment"]].append(row["step"])
    inferred = Counter(row["model"] for row in registry.sql("SELECT model FROM inferences").dicts())
    events = Counter(row["name"] for row in registry.sql("SELECT name FROM events").dicts())
    for token, deed in deeds.items():
        if deed.act == "experiment":
            found = sorted(steps[token])
            least = POINTS if deed.end == "done" else deed.points
            assert found == [*range(len(found))], f"points of {token}: {found}"
            assert least <= len(found) <= POINTS, f"points of {token}: {found}, and {least} were logged"
        if deed.act == "tested":
            assert inferred[token] in ((SAMPLES,) if deed.end == "done" else (0, SAMPLES)), (
                f"{token}: {inferred[token]}"
            )
        if deed.act == "event":
            assert events[token] in ((1,) if deed.end == "done" else (0, 1)), f"{token}: {events[token]} events"
