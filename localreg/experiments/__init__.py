"""Experiments: what was tried to make a model, point by point."""

from localreg.experiments.checkpoints import Checkpoint
from localreg.experiments.experiment import Experiment
from localreg.experiments.logged import Point

__all__ = ["Checkpoint", "Experiment", "Point"]
