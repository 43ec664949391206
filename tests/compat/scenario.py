"""A small registry with something of everything, made through the public API."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import localreg
from localreg import Registry
from localreg.workflow import GroundTruth, Inference, ScoredClassificationLabel, TestSample, define_workflow, test

__all__ = ["AUDIT_COLUMNS", "NAME", "Model", "TestCase", "TestSuite", "answers", "build"]


@dataclass(frozen=True)
class Plate(TestSample):
    """A sample with a field of each type."""

    file: str
    size: list[int]
    gain: float | None
    night: bool


@dataclass(frozen=True)
class Reading(GroundTruth):
    text: str


@dataclass(frozen=True)
class Guess(Inference):
    labels: list[ScoredClassificationLabel]
    note: str | None = None


AUDIT_COLUMNS = (
    *("namespace", "commit", "event", "time", "actor", "host", "message"),
    *("action", "kind", "id", "name", "parent", "before", "after", "digest"),
)
"""Columns of `audit_events` from the first release on; later ones may add to them."""

NAME = "yolor 🚗 [D6] / 7.0"
"""The model that has inferences."""

_, TestCase, TestSuite, Model = define_workflow("plates", Plate, Reading, Guess)


def plate(number: int) -> tuple[Plate, Reading]:
    gain = None if number % 3 == 0 else number / 4
    return Plate(f"{number}.png", [number, 640], gain, number % 2 == 1), Reading(f"ÄB-{number}")


def infer(sample: Plate) -> Guess | None:
    """Skips every fifth, finds nothing in every fourth."""
    number = sample.size[0]
    if number % 5 == 0:
        return None
    labels = [ScoredClassificationLabel(f"ÄB-{number}", 1 / (number + 1)), ScoredClassificationLabel("?", 0.0)]
    return Guess([] if number % 4 == 0 else labels, "dark" if sample.night else None)


def build(folder: Path, *, filler: int) -> Registry:
    """Make the registry.

    Args:
        folder: absent or empty.
        filler: so many commits more: tags that come and go.
    """
    registry = localreg.open(folder, actor="ana")
    rival = localreg.open(folder, actor="bo")
    _models(registry, filler)
    with localreg.use(registry):
        TestCase("night", test_samples=[plate(number) for number in (6, 2, 5)])
        with registry.transaction():  # a commit of the rival comes in between: our new samples land later than staged
            TestCase("day", test_samples=[plate(number) for number in (0, 5, 1, 2, 3)])
            thread = Thread(target=_rival_case, args=[rival])
            thread.start()
            thread.join()
        suite = TestSuite("plates", test_cases=[TestCase("day"), TestCase("night")], tags={"nightly"})
        test(Model(NAME, infer), TestSuite("half", test_cases=[TestCase("night")]))
        test(Model(NAME, infer), suite)
    return registry


def _rival_case(rival: Registry) -> None:
    with localreg.use(rival):
        TestCase("rival", test_samples=[plate(number) for number in (7, 9)])


def _models(registry: Registry, filler: int) -> None:
    metadata = {"lr": 1e-7, "seed": 2**63 + 1, "mAP": 1.0, "ünï": {"€": [1.5, None, True]}}
    first = registry.create_model("yolor", metadata=metadata, tags={"detector"})
    with registry.transaction("import the March runs"):
        gone = registry.create_model("gone")
        other = registry.create_model("other", description="the name moves twice")
        first.create_version("1", metadata={"step": 10})
        first.create_version("2")
        first.set_alias("production", "1")
        other.rename("a while")
        gone.rename("other")
    first.set_alias("production", "2").tag("night").rename(NAME)
    registry.get_model("other").delete()
    for number in range(filler):
        first.tag("filler") if number % 2 == 0 else first.untag("filler")


def answers(registry: Registry) -> dict[str, Any]:
    """What the library says of such a registry, as plain JSON."""
    with localreg.use(registry):
        cases = TestSuite("plates", version=1).test_cases
        suite = {case.name: _truths(case) for case in cases}
        loaded = {case.name: _loaded(case) for case in cases}
        made = registry.sql(
            """SELECT s.sample, i.status, i.inference FROM inferences i JOIN test_samples s USING (sample_idx)
            WHERE i.model = ? ORDER BY sample_idx""",
            [NAME],
        )
    truths = registry.sql(
        """SELECT c.name AS test_case, s.sample->>'file' AS file, g.ground_truth->>'text' AS text
        FROM ground_truths g JOIN test_samples s USING (sample_idx) JOIN test_cases c ON c.name = g.test_case
        ORDER BY ALL"""
    )
    return {
        "commit": registry.commit,
        "models": {row["name"]: _model(registry, row["name"]) for row in registry.models()},
        "audit": [_plain({key: row[key] for key in AUDIT_COLUMNS}) for row in registry.audit()],
        "inferences": [_plain(row) for row in made],
        "test_cases": suite,
        "loaded": loaded,
        "ground_truths": [_plain(row) for row in truths],
    }


def _model(registry: Registry, name: str) -> dict[str, Any]:
    model = registry.get_model(name)
    return {
        "metadata": model.metadata,
        "tags": model.tags,
        "versions": [version.version for version in model.versions()],
        "aliases": {alias: version.version for alias, version in model.aliases().items()},
    }


def _truths(case: Any) -> list[Any]:
    pairs = case.load_test_samples()
    return [[asdict(sample), asdict(truth)] for sample, truth in pairs]


def _loaded(case: Any) -> list[Any]:
    rows = Model(NAME).load_inferences(case)
    return [[asdict(sample), None if made is None else asdict(made)] for sample, _, made in rows]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Times as in the log; what is JSON text in a column, as its value."""
    plain: dict[str, Any] = {}
    for key, value in row.items():
        if hasattr(value, "strftime"):
            value = value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_json = key in ("before", "after", "sample", "inference") and isinstance(value, str)
        plain[key] = json.loads(value) if is_json else value
    return plain
