"""A model card: YAML for machines above, Markdown for people below, of what is known and of nothing else.

Guarantees: the same state, the same bytes; what users wrote is text and never markup; no secret is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from localreg.cards.facts import Facts, facts_of
from localreg.cards.sections import METRICS_LEFT_OUT, SECTIONS
from localreg.cards.texts import line, public
from localreg.definitions.writing import Block, written
from localreg.models import Model, ModelVersion, get_version
from localreg.session import Session

__all__ = ["model_card"]

MOST = 100
"""Names of one kind."""

_WORD = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LIBRARY = re.compile(r"[\w.+-]{1,60}")


def model_card(session: Session, reference: str | Model | ModelVersion) -> str:
    """See `Registry.model_card`."""
    if session.transaction_here() is None:
        session = session.frozen()  # all of it is of one commit
    facts = facts_of(session, get_version(session, reference))
    lines = [*_front_matter(facts), f"# {line(facts.model.name)}", ""]
    for title, section in SECTIONS:
        told = list(section(facts))
        if told:
            lines += [*([f"## {title}", ""] if title else []), *told]
    return "\n".join(lines).rstrip("\n") + "\n"


def _front_matter(facts: Facts) -> Iterator[str]:
    """What tools read of cards, of what is known.

    Source: Hugging Face, Model Cards, "Model card metadata".
    """
    known = Block()
    for key, value, form in (
        ("license", facts.metadata.get("license"), _WORD),
        ("library_name", facts.metadata.get("framework"), _LIBRARY),
        ("pipeline_tag", facts.model.task, _WORD),
    ):
        if isinstance(value, str) and form.fullmatch(value):
            known[key] = value
    measured = [name for each in facts.evaluated for name in _numbers(each.suite)]
    for key, names in (
        ("tags", facts.tags),
        ("datasets", [each.name for each in facts.datasets]),
        ("metrics", [*measured, *(name for each in facts.said for name in each.values)]),
    ):
        if names:
            known[key] = list(dict.fromkeys(map(public, names)))[:MOST]
    if known:
        yield from ["---", *written(known).splitlines(), "---", ""]


def _numbers(metrics: object) -> Iterator[str]:
    """Names of the metrics of a suite that are one number."""
    for name, value in dict(metrics).items() if isinstance(metrics, dict) else ():
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in METRICS_LEFT_OUT:
            yield name
