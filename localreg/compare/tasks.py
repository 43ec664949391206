"""Which task it is that models are compared by: an evaluator is named, or the types of their workflow say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from localreg.canonical import JsonObject
from localreg.compare.asked import Settings
from localreg.compare.classified import Classification
from localreg.compare.clusters import Sampling
from localreg.compare.counting_apart import ClassificationApart
from localreg.compare.detected import Detection
from localreg.compare.evaluated import Evaluated
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Task
from localreg.compare.values import Values
from localreg.compare.verified import Verification
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node
from localreg.workflow.executors import Workers
from localreg.workflow.right import flag_path, has_labels, has_pairs, label_path, number_path, similarity_path
from localreg.workflow.shape_lists import shape_lists

__all__ = ["task_for"]


def task_for(
    session: Session,
    state: State,
    rows: SuiteRows,
    models: Mapping[str, str],
    settings: Settings,
    sampling: Sampling,
    workers: Workers | None = None,
) -> Task:
    """The evaluator's metrics, if one is named; else what the types say.

    A list of labelled boxes in the ground truth and in the inference: detection. A list of labelled polygons, or masks,
    in both: segmentation. A label in both: classification. A number in both: regression. A boolean in the ground truth,
    a number in the inference: verification. The first of these counts; of several numbers, those of the one name that
    both have, or in verification `similarity` or `score`.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        models: `name@version` by the id of the version, the baseline's first.
        settings: what was asked for.
        sampling: of the suite.
        workers: count labels; None = this process does.

    Raises:
        InvalidInputError: the types do not say what is right, or settings are of another task.
    """
    task = _decided(session, state, rows, models, settings, sampling)
    if workers is None:
        return task
    if not isinstance(task, Classification):
        raise InvalidInputError(
            f"an executor counts labels, and {task.name} is compared by other things; leave executor out"
        )
    return ClassificationApart(session, state, rows, next(iter(models)), sampling, settings.scoring, workers)


def _decided(
    session: Session, state: State, rows: SuiteRows, models: Mapping[str, str], settings: Settings, sampling: Sampling
) -> Task:
    if settings.evaluator is not None:
        _refuse_fmr(settings, "the metrics of an evaluator")
        return Evaluated(session, state, rows, models, settings.evaluator, sampling)
    workflow = rows.workflow.load(WorkflowRecord)
    truth, said = (Node.from_json(cast(JsonObject, each)) for each in (workflow.ground_truth, workflow.inference))
    baseline = next(iter(models))
    lists = shape_lists(truth, said, None if settings.matching is None else settings.matching.iou_type)
    if lists is not None:
        _refuse_scoring(settings, lists.truth.kind)
        _refuse_fmr(settings, lists.truth.kind)
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
    if has_pairs(truth, said):
        _refuse_scoring(settings, "similarities")
        return Verification(
            session,
            state,
            rows,
            baseline,
            truth=flag_path(truth, "ground truth"),
            said=similarity_path(said, "inference"),
            accepting=settings.accepting,
            sampling=sampling,
        )
    if settings.matching is not None:
        raise InvalidInputError(
            "score_threshold, iou and iou_type speak of boxes, polygons or masks, and the types do not have a list of "
            "these each; leave them out"
        )
    if has_labels(truth, said):
        _refuse_fmr(settings, "labels")
        label_path(truth, "ground truth")
        label_path(said, "inference")
        return Classification(session, state, rows, baseline, sampling, settings.scoring)
    _refuse_scoring(settings, "numbers")
    _refuse_fmr(settings, "numbers")
    paths = number_path(truth, said, "ground truth"), number_path(said, truth, "inference")
    return Values(session, state, rows, baseline, truth=paths[0], said=paths[1], sampling=sampling)


def _refuse_fmr(settings: Settings, what: str) -> None:
    if settings.accepting.fmr is not None:
        raise InvalidInputError(
            f"fmr speaks of pairs that are genuine or not, and here {what} are compared; leave it out"
        )


def _refuse_scoring(settings: Settings, what: str) -> None:
    if settings.scoring.is_asked:
        raise InvalidInputError(f"positive and score_of speak of labels, and here {what} are compared; leave them out")
