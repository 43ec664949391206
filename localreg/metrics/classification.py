"""Metrics of classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["accuracy_score"]


def accuracy_score(truth: ArrayLike, predicted: ArrayLike) -> float | None:
    """Share of samples whose predicted class is the true one.

    Args:
        truth: shape (n,), any type that compares.
        predicted: shape (n,), of the same type.

    Returns:
        A number in [0, 1]; None if there is no sample.

    Raises:
        InvalidInputError: the shapes differ.
    """
    import numpy as np

    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise InvalidInputError(f"truth has shape {truth.shape} and predicted {predicted.shape}; both must be (n,)")
    return float(np.mean(truth == predicted)) if len(truth) else None
