"""Policies: what each says, what it would do now and why, what policies did lately, and the actions that wait."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from starlette.responses import Response

from localreg.errors import InvalidInputError
from localreg.query.quoting import literal
from localreg.ui.view import ALL, View

__all__ = ["in_words", "listing", "plan"]

LATELY = 50
"""Events of policies, and actions, that are shown."""
MOST = 500
"""Rows of the plan that are shown."""


def listing(view: View) -> Response:
    """`/policies`."""
    registry = view.everything
    rows = registry.policies(search=view.text("q"), order_by="name").dicts()
    ids = _model_ids(view, {row["model"] for row in rows if row["model"] is not None}) if _is_one(view) else {}
    done = registry.sql(
        f"""SELECT * FROM audit_events WHERE (details->>'policy') IS NOT NULL
            ORDER BY time DESC, commit DESC, event DESC LIMIT {LATELY}"""
    ).dicts()
    return view.page(
        "policies.html",
        title="Policies",
        section="Policies",
        rows=[{**row, "words": in_words(row["kind"], row["rule"]), "model_id": ids.get(row["model"])} for row in rows],
        done=done,
        pending=registry.pending_actions(order_by="created_at DESC", limit=LATELY).dicts(),
        has_plan=_is_one(view) and bool(rows) and view.moment is None,
    )


def _model_ids(view: View, names: Collection[str]) -> dict[str, str]:
    """Ids of models by name."""
    if not names:
        return {}
    where = f"name IN ({', '.join(map(literal, sorted(names)))})"
    return {row["name"]: row["id"] for row in view.registry.page("models", where, limit=None).rows}


def plan(view: View) -> Response:
    """`/policies/plan`: what `apply_policies` would do now; with `part` without the page around it.

    Raises:
        InvalidInputError: the past is looked at: a plan of what was would tell nothing of what comes.
    """
    if view.moment is not None:
        raise InvalidInputError("what policies would do is told of now alone; look at this page without at")
    rows = view.registry.apply_policies(dry_run=True).dicts()
    acts = [row for row in rows if row["effect"]]
    others = [row for row in rows if not row["effect"]]
    return view.page(
        "policies_plan_part.html" if view.text("part") else "policies_plan.html",
        title="What policies would do now",
        section="Policies",
        acts=acts,
        others=others[:MOST],
        beyond=max(0, len(others) - MOST),
    )


def _is_one(view: View) -> bool:
    return view.namespace != ALL


def in_words(kind: str, rule: Mapping[str, Any]) -> str:
    """A rule as a sentence.

    Args:
        kind: as policies have it.
        rule: its arguments that are not the defaults.
    """
    words = {
        "retention": _retention,
        "label": _label,
        "promotion": _promotion,
        "gate": _gate,
        "action": _action,
    }.get(kind)
    return "".join(words(rule)) if words else "a later release made it; upgrade localreg"


def _joined(parts: list[str], last: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def _retention(rule: Mapping[str, Any]) -> Iterator[str]:
    kept = []
    if "keep_last" in rule:
        kept.append(f"the last {rule['keep_last']}")
    if "keep_best" in rule:
        kept.append(f"the {rule['keep_best']} with the {_end(rule)} {rule['metric']}")
    if "younger_than" in rule:
        kept.append(f"those younger than {rule['younger_than']}")
    if "keep_when" in rule:
        kept.append(f"those of which {rule['keep_when']} holds")
    yield f"Of {rule.get('of', 'versions')}, keeps {_joined(kept, 'and')}; others are deleted."


def _end(rule: Mapping[str, Any]) -> str:
    return "lowest" if rule.get("mode") == "min" else "highest"


def _label(rule: Mapping[str, Any]) -> Iterator[str]:
    if "tag" in rule:
        yield f"Versions of which {rule['when']} holds get the tag {rule['tag']}."
    else:
        yield f"The newest version of which {rule['when']} holds gets the alias {rule['alias']}."


def _promotion(rule: Mapping[str, Any]) -> Iterator[str]:
    yield f"Checkpoints of {rule['experiment']}" if "experiment" in rule else "Checkpoints of any experiment"
    asked = []
    if "best" in rule:
        asked.append(f"have the {_end(rule)} {rule['best']} so far")
    if "when" in rule:
        asked.append(f"fulfil {rule['when']}")
    yield f" that {_joined(asked, 'and')} become versions"
    if "version" in rule:
        yield f", called {rule['version']}"
    yield f"; the alias {rule['alias']} moves to them." if "alias" in rule else "."


def _gate(rule: Mapping[str, Any]) -> Iterator[str]:
    asked = [f"{each} holds" for each in rule.get("require", [])]
    compared = rule.get("no_regression", False)
    if compared is not False:
        on = "" if compared is True else f" on {compared}"
        asked.append(f"a saved comparison{on} with the version that has it shows no regression")
    yield f"The alias {rule['alias']} moves to a version only if {_joined(asked, 'and')}."


def _action(rule: Mapping[str, Any]) -> Iterator[str]:
    yield f"On {rule['on']}"
    if "when" in rule:
        yield f", where {rule['when']} holds"
    yield f", calls {rule['run']}, at most {rule.get('attempts', 3)} times."
