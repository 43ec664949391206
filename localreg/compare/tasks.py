"""Which task it is that models are compared by: an evaluator is named, or the types of their workflow say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from localreg.canonical import JsonObject
from localreg.compare.asked import Settings
from localreg.compare.boxes import box_lists
from localreg.compare.classified import Classification
from localreg.compare.clusters import Sampling
from localreg.compare.detected import Detection
from localreg.compare.evaluated import Evaluated
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Task
from localreg.compare.values import Values
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node
from localreg.workflow.right import has_labels, label_path, number_path

__all__ = ["task_for"]


def task_for(
    session: Session, state: State, rows: SuiteRows, models: Mapping[str, str], settings: Settings, sampling: Sampling
) -> Task:
    """The evaluator's metrics, if one is named; else what the types say.

    A list of labelled boxes in the ground truth and in the inference: detection. A label in both: classification. A
    number in both: regression. The first of these counts; of several numbers, those of the one name that both have.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        models: `name@version` by the id of the version, the baseline's first.
        settings: what was asked for.
        sampling: of the suite.

    Raises:
        InvalidInputError: the types do not say what is right, or settings are of another task.
    """
    if settings.evaluator is not None:
        return Evaluated(session, state, rows, models, settings.evaluator, sampling)
    workflow = rows.workflow.load(WorkflowRecord)
    truth, said = (Node.from_json(cast(JsonObject, each)) for each in (workflow.ground_truth, workflow.inference))
    baseline = next(iter(models))
    lists = box_lists(truth, said)
    if lists is not None:
        _refuse_scoring(settings, "boxes")
        return Detection(
            session,
            state,
            rows,
            baseline,
            lists=lists,
            types=(truth, said),
            matching=settings.matching,
            clusters=None if sampling.clusters is None else sampling.clusters.codes,
            draws=sampling.draws,
        )
    if settings.matching is not None:
        raise InvalidInputError(
            "score_threshold and iou speak of boxes, and the types do not have a list of these each; leave them out"
        )
    if has_labels(truth, said):
        label_path(truth, "ground truth")
        label_path(said, "inference")
        return Classification(session, state, rows, baseline, sampling, settings.scoring)
    _refuse_scoring(settings, "numbers")
    paths = number_path(truth, said, "ground truth"), number_path(said, truth, "inference")
    return Values(session, state, rows, baseline, truth=paths[0], said=paths[1], sampling=sampling)


def _refuse_scoring(settings: Settings, what: str) -> None:
    if settings.scoring.is_asked:
        raise InvalidInputError(f"positive and score_of speak of labels, and here {what} are compared; leave them out")
