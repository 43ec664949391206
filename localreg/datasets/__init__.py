"""Data sets: what models, versions and experiments were trained or evaluated on."""

from localreg.datasets.attached import HasDatasets
from localreg.datasets.dataset import Dataset, find_dataset

__all__ = ["Dataset", "HasDatasets", "find_dataset"]
