"""Which task it is that models are compared by: the types of their workflow say it."""

from __future__ import annotations

from typing import cast

from localreg.canonical import JsonObject
from localreg.compare.classified import Classification
from localreg.compare.clusters import Sampling
from localreg.compare.scores import Scoring
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Task
from localreg.compare.values import Values
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node
from localreg.workflow.right import label_path, label_paths, number_path, number_paths

__all__ = ["task_by_types"]


def task_by_types(
    session: Session, state: State, rows: SuiteRows, baseline: str, sampling: Sampling, scoring: Scoring
) -> Task:
    """A label in the ground truth and in the inference: classification. A number in both: regression.

    Labels win where both could be meant. Of several numbers, those of the one name that both types have.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        sampling: of the suite.
        scoring: what is said of scores.

    Raises:
        InvalidInputError: the types do not say what is right.
    """
    row = state.get("workflow", rows.suite.workflow)
    assert row is not None, "a suite names the workflow that it was made with"
    workflow = row.load(WorkflowRecord)
    truth, said = (Node.from_json(cast(JsonObject, each)) for each in (workflow.ground_truth, workflow.inference))
    if (label_paths(truth) and label_paths(said)) or not (number_paths(truth) and number_paths(said)):
        label_path(truth, "ground truth")
        label_path(said, "inference")
        return Classification(session, state, rows, baseline, sampling, scoring)
    if scoring.is_asked:
        raise InvalidInputError("positive and score_of speak of labels, and here numbers are compared; leave them out")
    paths = number_path(truth, said, "ground truth"), number_path(said, truth, "inference")
    return Values(session, state, rows, baseline, truth=paths[0], said=paths[1], sampling=sampling)
