"""Models, their versions and aliases."""

from localreg.models.finding import (
    create_model,
    ensure_version,
    find_model,
    get_model,
    get_version,
    warn_of_differences,
)
from localreg.models.handle import UNCHANGED, Unchanged
from localreg.models.model import Model, ModelVersion, refuse_shadowing

__all__ = [
    "UNCHANGED",
    "Model",
    "ModelVersion",
    "Unchanged",
    "create_model",
    "ensure_version",
    "find_model",
    "get_model",
    "get_version",
    "refuse_shadowing",
    "warn_of_differences",
]
