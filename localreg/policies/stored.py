"""Policies as they stand in a state, and which of them count for what."""

from __future__ import annotations

from functools import cached_property

from localreg.log import Row, State
from localreg.policies.rules import Rule, rule_from
from localreg.records.policies import PolicyRecord

__all__ = ["StoredPolicy", "policies_of"]


class StoredPolicy:
    """A policy as it was declared."""

    def __init__(self, record: PolicyRecord) -> None:
        self.record = record

    @property
    def name(self) -> str:
        """Unique in the namespace."""
        return self.record.name

    @cached_property
    def rule(self) -> Rule:
        """What it says.

        Raises:
            FormatError: a later release made it.
        """
        return rule_from(self.record.rule_kind, self.record.rule)

    def counts_for(self, model: str) -> bool:
        """Whether it is of that model, or of all."""
        return self.record.model in (None, model)

    def models(self, state: State) -> list[Row]:
        """The models that it counts for."""
        if self.record.model is None:
            return list(state.rows("model"))
        row = state.get("model", self.record.model)
        return [] if row is None else [row]


def policies_of(state: State) -> list[StoredPolicy]:
    """All of the namespace, in order of declaration."""
    return [StoredPolicy(row.load(PolicyRecord)) for row in state.children(PolicyRecord.kind)]
