"""Generated histories: what a few people might do to a few models, through the public API.

A step that the registry refuses is left out, so that any list of steps is a history.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from localreg import Registry
from localreg.canonical import canonical
from localreg.errors import LocalregError
from localreg.log import State

__all__ = ["STEPS", "Deed", "Step", "play", "seen"]

VERBS = (
    *("create", "create", "update", "rename", "tag", "untag", "delete"),
    *("version", "describe", "prune", "alias", "unalias"),
)


class Deed(NamedTuple):
    """What somebody tries to do to a model."""

    verb: str
    model: str
    other: str
    value: int


Step = list[Deed]
"""Deeds of one commit."""

NAMES = ("x", "y", "z")
DEEDS = st.builds(
    Deed,
    verb=st.sampled_from(VERBS),
    model=st.sampled_from(NAMES),
    other=st.sampled_from(NAMES),
    value=st.integers(0, 2),
)
STEPS: st.SearchStrategy[list[Step]] = st.lists(st.lists(DEEDS, min_size=1, max_size=4), min_size=1, max_size=7)


def play(registry: Registry, step: Step) -> bool:
    """Do a step as one commit; whether there was one."""
    before = registry.commit
    with registry.transaction():
        for deed in step:
            try:
                _do(registry, deed)
            except LocalregError:
                continue
    return registry.commit > before


def _do(registry: Registry, deed: Deed) -> None:
    if deed.verb == "create":
        registry.create_model(deed.model, metadata={"value": deed.value})
        return
    model = registry.get_model(deed.model)
    match deed.verb:
        case "update":
            model.update(metadata={"value": deed.value, "deep": {"er": deed.other}})
        case "rename":
            model.rename(deed.other)
        case "tag":
            model.tag(deed.other)
        case "untag":
            model.untag(deed.other)
        case "version":
            model.create_version(deed.value, metadata={"of": deed.other})
        case "alias":
            model.set_alias(f"to {deed.other}", deed.value)
        case "unalias":
            model.remove_alias(f"to {deed.other}")
        case "prune":
            model.version(deed.value).delete()
        case "describe":
            model.version(deed.value).update(description=deed.other)
        case _:
            model.delete()


def seen(state: State) -> dict[tuple[str, str], str]:
    """All that a state says of its records, but for when they were changed last."""
    return {
        (row.kind, row.id): canonical(
            [row.parent, row.name, row.record, [*row.created], row.created_at, row.created_by]
        )
        for row in state.rows()
    }
