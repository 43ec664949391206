"""What one model version says of each sample, as a number: the code of a label, or the number that it says itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from localreg.log import State
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.tables import Vocabulary, coded_rows
from localreg.threads import in_threads
from localreg.workflow.inferences import STATUSES, inference_pointers
from localreg.workflow.samples import absolute_indices, staged_range

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["ERROR", "GAPS", "MISSING", "SKIPPED", "Predicted", "predicted_labels", "predicted_numbers"]

SKIPPED, ERROR, MISSING = -2, -3, -4
"""Codes beside those of labels and `NO_LABEL`: `infer` returned None; it raised; nobody called it."""

GAPS = 4
"""How many codes there are below 0."""


def predicted_labels(
    session: Session, state: State, version_id: str, path: Sequence[str], vocabulary: Vocabulary, span: range
) -> Codes:
    """The label that a model version gave each sample of the workflow, as a number.

    Args:
        session: where the inferences lie.
        state: as of which commit.
        version_id: of the model.
        path: of the label within the inference.
        vocabulary: takes up the labels.
        span: the samples of the workflow that are asked for, by `sample_idx`.
    """
    import numpy as np

    codes: Codes = np.full(len(span), MISSING, np.int16)
    decode = partial(_decoded, session, path, vocabulary, span)
    pointers = inference_pointers(state, version_id)
    for groups in in_threads(decode, pointers, workers=os.cpu_count() or 1):
        codes = vocabulary.fitting(codes)
        for indices, labels in groups:  # in order of commit: a newer row takes an older one's place
            codes[_places(indices, span)] = labels
    return codes


def _decoded(
    session: Session, path: Sequence[str], vocabulary: Vocabulary, span: range, pointer: FilePointer
) -> list[tuple[Indices, Codes]]:
    """Those of some samples that a part has rows of, and their labels, row group by row group."""
    statuses = Vocabulary()
    ok, skipped, error = statuses.codes(STATUSES).tolist()
    leaves = [(("inference", *path), vocabulary), (("status",), statuses)]
    decoded = []
    where = "sample_idx", staged_range(span, pointer.details)
    for (labels, status), (indices,), _ in coded_rows(session.store, pointer, leaves, ["sample_idx"], where=where):
        if (status != ok).any():
            labels[status == skipped] = SKIPPED
            labels[status == error] = ERROR
        indices = absolute_indices(indices, pointer.details)
        within = _within(indices, span)
        decoded.append((indices[within], labels[within]))
    return decoded


class Predicted(NamedTuple):
    """Numbers that a model version says of the samples of a workflow.

    Attributes:
        values: of each sample; NaN where there is none.
        status: of each sample `SKIPPED`, `ERROR` or `MISSING`, else 0: inferred.
    """

    values: Floats
    status: npt.NDArray[np.int8]


def predicted_numbers(session: Session, state: State, version_id: str, path: Sequence[str], span: range) -> Predicted:
    """The number that a model version gave each sample of the workflow.

    Args:
        session: where the inferences lie.
        state: as of which commit.
        version_id: of the model.
        path: of the number within the inference.
        span: the samples of the workflow that are asked for, by `sample_idx`.
    """
    import numpy as np

    predicted = Predicted(np.full(len(span), np.nan), np.full(len(span), MISSING, np.int8))
    read = partial(_read, session, path, span)
    for groups in in_threads(read, inference_pointers(state, version_id), workers=os.cpu_count() or 1):
        for indices, values, status in groups:  # in order of commit: a newer row takes an older one's place
            places = _places(indices, span)
            predicted.values[places] = values
            predicted.status[places] = status
    return predicted


def _read(
    session: Session, path: Sequence[str], span: range, pointer: FilePointer
) -> list[tuple[Indices, Floats, npt.NDArray[np.int8]]]:
    """Those of some samples that a part has rows of, their numbers and what became of them, by row groups."""
    import numpy as np

    statuses = Vocabulary()
    statuses.codes(STATUSES)
    kinds = np.array([0, SKIPPED, ERROR], np.int8)
    leaves = [(("status",), statuses)]
    where = "sample_idx", staged_range(span, pointer.details)
    read = []
    for (status,), (indices,), (values,) in coded_rows(
        session.store, pointer, leaves, ["sample_idx"], [("inference", *path)], where=where
    ):
        indices = absolute_indices(indices, pointer.details)
        within = _within(indices, span)
        read.append((indices[within], values[within], kinds[status[within]]))
    return read


def _within(indices: Indices, span: range) -> slice:
    """The rows of samples of a span: parts are sorted by sample."""
    import numpy as np

    begin, end = np.searchsorted(indices, [span.start, span.stop])
    return slice(int(begin), int(end))


def _places(indices: Indices, span: range) -> Indices | slice:
    """Where samples stand within a span; those that follow each other as a slice, which the ends tell."""
    if len(indices) and int(indices[-1] - indices[0]) == len(indices) - 1:
        return slice(int(indices[0]) - span.start, int(indices[-1]) + 1 - span.start)
    return indices - span.start
