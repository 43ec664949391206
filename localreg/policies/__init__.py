"""Policies: declared rules of models and namespaces, kept to in the commits that touch them."""

from localreg.policies.columns import CHECKPOINT_COLUMNS, VERSION_COLUMNS
from localreg.policies.policy import Policy
from localreg.policies.rules import Action, AliasGate, Label, Promotion, Retention, Rule

__all__ = [
    "CHECKPOINT_COLUMNS",
    "VERSION_COLUMNS",
    "Action",
    "AliasGate",
    "Label",
    "Policy",
    "Promotion",
    "Retention",
    "Rule",
]
