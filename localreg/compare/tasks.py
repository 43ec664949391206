"""Which task it is that models are compared by: the types of their workflow say it."""

from __future__ import annotations

from typing import cast

from localreg.canonical import JsonObject
from localreg.compare.boxes import box_lists
from localreg.compare.classified import Classification
from localreg.compare.detected import Detection, Matching
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Task
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node

__all__ = ["task_by_types"]


def task_by_types(session: Session, state: State, rows: SuiteRows, baseline: str, matching: Matching | None) -> Task:
    """A list of labelled boxes in the ground truth and in the inference: detection. A label in both: classification.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        matching: what counts as right of boxes; None = nothing was said.

    Raises:
        InvalidInputError: the types do not say what is right.
    """
    row = state.get("workflow", rows.suite.workflow)
    assert row is not None, "a suite names the workflow that it was made with"
    workflow = row.load(WorkflowRecord)
    types = (
        Node.from_json(cast(JsonObject, workflow.ground_truth)),
        Node.from_json(cast(JsonObject, workflow.inference)),
    )
    lists = box_lists(*types)
    if lists is not None:
        return Detection(session, state, rows, baseline, lists=lists, types=types, matching=matching)
    if matching is not None:
        raise InvalidInputError(
            "score_threshold and iou speak of boxes, and the types do not have a list of these each; leave them out"
        )
    return Classification(session, state, rows, baseline)
