"""Inferences that a user hands over with their samples, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import shown_value
from localreg.session import Session
from localreg.workflow.inferences import inference_rows
from localreg.workflow.look_up import look_up
from localreg.workflow.samples import sample_rows
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["given_rows"]


def given_rows(
    session: Session,
    state: State,
    workflow: Workflow,
    among: npt.NDArray[np.int64],
    inferences: Sequence[tuple[Any, Any]],
) -> pa.Table:
    """The rows of (test sample, inference) pairs; None = skipped.

    Args:
        session: the namespace.
        state: what samples are known in.
        workflow: whose types they are of.
        among: the samples that may be given, by `sample_idx`.
        inferences: the pairs.

    Raises:
        InvalidInputError: a sample is not among these or stands there twice, or an inference cannot be stored.
    """
    import numpy as np

    samples, made = _unzipped(inferences)
    types = workflow.types(state).whole
    for number, (sample, inference) in enumerate(zip(samples, made, strict=True)):
        types.test_sample.of(sample, f"inferences[{number}]")
        if inference is not None:
            types.inference.of(inference, f"inferences[{number}]")
    row = state.find("workflow", workflow.name)
    assert row is not None, "a test suite of it was loaded"
    known = look_up(session, state, row.id, sample_rows(types.test_sample, samples))
    unknown = np.flatnonzero(~np.isin(known.known, among))
    if len(unknown):
        raise InvalidInputError(
            f"{len(unknown)} of the samples are not in the test suite, the first of them {samples[unknown[0]]!r}; add "
            "them to a test case of it first"
        )
    double = np.flatnonzero(known.first != np.arange(len(samples)))
    if len(double):
        raise InvalidInputError(f"the test sample {samples[double[0]]!r} is given twice; leave one out")

    def named(number: int) -> str:
        return f"the inference for {samples[number]!r}"

    return inference_rows(types.inference, known.known, made, {}, named)


def _unzipped(inferences: object) -> tuple[list[Any], list[Any]]:
    if not isinstance(inferences, Iterable) or isinstance(inferences, str):
        raise InvalidInputError(
            f"inferences is {shown_value(inferences)}; it must be a list of (test sample, inference)"
        )
    samples, made = [], []
    for number, pair in enumerate(inferences):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InvalidInputError(
                f"inferences[{number}] is {shown_value(pair)}; it must be a (test sample, inference)"
            )
        samples.append(pair[0])
        made.append(pair[1])
    return samples, made
