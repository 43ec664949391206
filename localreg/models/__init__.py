"""Models, their versions and aliases."""

from localreg.handles.deletion import delete
from localreg.handles.differences import Differences
from localreg.handles.handle import UNCHANGED, Unchanged, warn_of_differences
from localreg.models.defined import Parts, serve_definitions
from localreg.models.finding import (
    consume,
    create_model,
    ensure_version,
    find_model,
    get_model,
    get_version,
)
from localreg.models.inferred import HasInferences, InferenceReader, SuiteVersion, serve_inferences
from localreg.models.listings import Listings
from localreg.models.model import Model, ModelVersion
from localreg.models.origin import SavedWeights, serve_checkpoints
from localreg.models.version_names import add_version, refuse_shadowing

__all__ = [
    "UNCHANGED",
    "Differences",
    "HasInferences",
    "InferenceReader",
    "Listings",
    "Model",
    "ModelVersion",
    "Parts",
    "SavedWeights",
    "SuiteVersion",
    "Unchanged",
    "add_version",
    "consume",
    "create_model",
    "delete",
    "ensure_version",
    "find_model",
    "get_model",
    "get_version",
    "refuse_shadowing",
    "serve_checkpoints",
    "serve_definitions",
    "serve_inferences",
    "warn_of_differences",
]
