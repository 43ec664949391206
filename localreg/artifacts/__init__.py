"""Artifacts: files and folders of models, versions, experiments and checkpoints, stored by content or tracked."""

from localreg.artifacts.artifact import Artifact
from localreg.artifacts.attached import HasArtifacts

__all__ = ["Artifact", "HasArtifacts"]
