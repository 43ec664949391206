"""What can be compared: models that share a test suite, and comparisons that were saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localreg.models import ModelVersion
from localreg.query.quoting import literal
from localreg.registry import Registry

__all__ = ["Comparable", "comparable", "suites_of"]

MOST_SUITES = 40
MOST_MODELS = 12
"""Of one suite; others are named in the form."""


class Comparable(NamedTuple):
    """A test suite, and who can be compared on it."""

    suite: str
    workflow: str
    tested: list[str]
    """`name@version` of those that have a test run on it: the newest ones, in order."""
    others: list[str]
    """Of others of its workflow, whose inferences may have come without a test run."""
    more: int
    """How many there are beyond those."""


class Suites(NamedTuple):
    """Those on which some models can be compared."""

    tested: list[str]
    """On which all of them have a test run."""
    others: list[str]
    """Others of their workflow."""


TESTED = """
SELECT test_suite, model || '@' || version AS reference FROM test_runs
GROUP BY ALL ORDER BY test_suite, max(created_at) DESC, reference
"""
VERSIONS = f"""
SELECT m.workflow, v.model || '@' || v.version AS reference, count(*) OVER (PARTITION BY m.workflow) AS number
FROM model_versions v JOIN models m ON m.name = v.model WHERE m.workflow IS NOT NULL AND NOT m.archived
QUALIFY row_number() OVER (PARTITION BY m.workflow ORDER BY v.created_at DESC, v.model) <= {2 * MOST_MODELS}
ORDER BY v.created_at DESC, v.model
"""


def comparable(registry: Registry) -> list[Comparable]:
    """Suites with the models that share them; those that were made last first."""
    tested: dict[str, list[str]] = {}
    for row in registry.sql(TESTED):
        tested.setdefault(row["test_suite"], []).append(row["reference"])
    known: dict[str, list[str]] = {}
    number: dict[str, int] = {}
    for row in registry.sql(VERSIONS):
        known.setdefault(row["workflow"], []).append(row["reference"])
        number[row["workflow"]] = row["number"]
    suites = registry.test_suites(order_by="updated_at DESC", limit=MOST_SUITES)
    return [_comparable(each["name"], each["workflow"], tested, known, number) for each in suites]


def _comparable(
    suite: str,
    workflow: str,
    tested: dict[str, list[str]],
    known: dict[str, list[str]],
    number: dict[str, int],
) -> Comparable:
    own = tested.get(suite, [])[:MOST_MODELS][::-1]  # what is older is the baseline, unless one says otherwise
    others = [each for each in known.get(workflow, []) if each not in own][: MOST_MODELS - len(own)]
    return Comparable(suite, workflow, own, others, max(0, number.get(workflow, 0) - len(own) - len(others)))


def suites_of(registry: Registry, versions: Sequence[ModelVersion]) -> Suites:
    """The suites that some models share."""
    ids = ", ".join(literal(each.model.id) for each in versions)
    workflows = {row["workflow"] for row in registry.models(f"id IN ({ids})", archived=None)} - {None}
    if len(workflows) != 1:
        return Suites([], [])
    suites = [row["name"] for row in registry.test_suites(f"workflow = {literal(workflows.pop())}")]
    pairs = {(each.model.name, each.version) for each in versions}
    wanted = " OR ".join(f"(model = {literal(name)} AND version = {literal(version)})" for name, version in pairs)
    runs = {(row["test_suite"], row["model"], row["version"]) for row in registry.test_runs(wanted)}
    tested = [suite for suite in suites if all((suite, *pair) in runs for pair in pairs)]
    return Suites(tested, [suite for suite in suites if suite not in tested])
