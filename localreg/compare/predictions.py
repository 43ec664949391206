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
from localreg.workflow.samples import absolute_indices

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
    session: Session, state: State, version_id: str, path: Sequence[str], vocabulary: Vocabulary, samples: int
) -> Codes:
    """The label that a model version gave each sample of the workflow, as a number.

    Args:
        session: where the inferences lie.
        state: as of which commit.
        version_id: of the model.
        path: of the label within the inference.
        vocabulary: takes up the labels.
        samples: how many samples the workflow has.
    """
    import numpy as np

    codes: Codes = np.full(samples, MISSING, np.int16)
    decode = partial(_decoded, session, path, vocabulary)
    pointers = inference_pointers(state, version_id)
    for groups in in_threads(decode, pointers, workers=os.cpu_count() or 1):
        codes = vocabulary.fitting(codes)
        for indices, labels in groups:  # in order of commit: a newer row takes an older one's place
            run = _run(indices)
            codes[indices if run is None else run] = labels
    return codes


def _decoded(
    session: Session, path: Sequence[str], vocabulary: Vocabulary, pointer: FilePointer
) -> list[tuple[Indices, Codes]]:
    """The samples of a part's rows, and their labels, row group by row group."""
    statuses = Vocabulary()
    ok, skipped, error = statuses.codes(STATUSES).tolist()
    leaves = [(("inference", *path), vocabulary), (("status",), statuses)]
    decoded = []
    for (labels, status), (indices,), _ in coded_rows(session.store, pointer, leaves, ["sample_idx"]):
        if (status != ok).any():
            labels[status == skipped] = SKIPPED
            labels[status == error] = ERROR
        decoded.append((absolute_indices(indices, pointer.details), labels))
    return decoded


class Predicted(NamedTuple):
    """Numbers that a model version says of the samples of a workflow.

    Attributes:
        values: of each sample; NaN where there is none.
        status: of each sample `SKIPPED`, `ERROR` or `MISSING`, else 0: inferred.
    """

    values: Floats
    status: npt.NDArray[np.int8]


def predicted_numbers(session: Session, state: State, version_id: str, path: Sequence[str], samples: int) -> Predicted:
    """The number that a model version gave each sample of the workflow.

    Args:
        session: where the inferences lie.
        state: as of which commit.
        version_id: of the model.
        path: of the number within the inference.
        samples: how many samples the workflow has.
    """
    import numpy as np

    predicted = Predicted(np.full(samples, np.nan), np.full(samples, MISSING, np.int8))
    read = partial(_read, session, path)
    for groups in in_threads(read, inference_pointers(state, version_id), workers=os.cpu_count() or 1):
        for indices, values, status in groups:  # in order of commit: a newer row takes an older one's place
            run = _run(indices)
            places = indices if run is None else run
            predicted.values[places] = values
            predicted.status[places] = status
    return predicted


def _read(
    session: Session, path: Sequence[str], pointer: FilePointer
) -> list[tuple[Indices, Floats, npt.NDArray[np.int8]]]:
    """The samples of a part's rows, their numbers and what became of them, row group by row group."""
    import numpy as np

    statuses = Vocabulary()
    statuses.codes(STATUSES)
    kinds = np.array([0, SKIPPED, ERROR], np.int8)
    found = coded_rows(session.store, pointer, [(("status",), statuses)], ["sample_idx"], [("inference", *path)])
    return [
        (absolute_indices(indices, pointer.details), values, kinds[status])
        for (status,), (indices,), (values,) in found
    ]


def _run(indices: Indices) -> slice | None:
    """Rows that follow each other, as a slice: parts are sorted by sample, so that the ends tell."""
    if len(indices) and int(indices[-1] - indices[0]) == len(indices) - 1:
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return None
