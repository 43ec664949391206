"""What one model version says of each sample, as a number: a label, or why there is none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

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
    Indices = npt.NDArray[np.int64]

__all__ = ["ERROR", "GAPS", "MISSING", "SKIPPED", "predicted_labels"]

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
    for (labels, status), (indices,) in coded_rows(session.store, pointer, leaves, ["sample_idx"]):
        if (status != ok).any():
            labels[status == skipped] = SKIPPED
            labels[status == error] = ERROR
        decoded.append((absolute_indices(indices, pointer.details), labels))
    return decoded


def _run(indices: Indices) -> slice | None:
    """Rows that follow each other, as a slice: parts are sorted by sample, so that the ends tell."""
    if len(indices) and int(indices[-1] - indices[0]) == len(indices) - 1:
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return None
