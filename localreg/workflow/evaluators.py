"""Evaluators that are there, by name: `test(model, suite, evaluator="classification")`.

| name | ground truth and inference | configuration |
|---|---|---|
| `classification` | one label each | `localreg.workflow.classification_evaluator.Threshold`, or none |
| `regression` | one number each | none |
| `multilabel` | a list of labels each | `ScoreThreshold` of its module, or none |
| `text` | a text, or several that would be right; a text | none |
| `retrieval` | a list of relevant ids, or gains by id; a ranked list of ids | `localreg.workflow.top_k.TopK`, or none |
| `identification` | a label; a ranked list of labels | `localreg.workflow.top_k.TopK`, or none |
| `semantic_segmentation` | a `SegmentationMask` each, of a local file | `Ignore` of its module, or none |
| `verification` | a boolean; a number | `localreg.workflow.verification_evaluator.Acceptance`, or none |
| `detection` | a list of labelled boxes each | `localreg.workflow.detection_evaluator.DetectionThreshold`, or none |
| `segmentation` | a list of labelled polygons or masks each | the same |

What they say is stored like what any evaluator says, and is compared by `registry.compare(…, evaluator="…")` likewise.
Numbers of labels and numbers are those of `registry.compare`, others those of `localreg.metrics`: the same functions
compute them. What is better, more or less of a metric, they say themselves (`localreg.workflow.meaning`).
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from localreg.errors import InvalidInputError
from localreg.names import did_you_mean, shown_value
from localreg.workflow.evaluator_function import BasicEvaluatorFunction

__all__ = ["EVALUATORS", "evaluator_named"]

EVALUATORS = {
    "classification": "localreg.workflow.classification_evaluator",
    "regression": "localreg.workflow.regression_evaluator",
    "multilabel": "localreg.workflow.multilabel_evaluator",
    "text": "localreg.workflow.text_evaluator",
    "retrieval": "localreg.workflow.retrieval_evaluator",
    "identification": "localreg.workflow.identification_evaluator",
    "semantic_segmentation": "localreg.workflow.semantic_segmentation_evaluator",
    "verification": "localreg.workflow.verification_evaluator",
    "detection": "localreg.workflow.detection_evaluator",
    "segmentation": "localreg.workflow.detection_evaluator",
}
"""The module of each, which has a function of that name."""


def evaluator_named(name: str) -> BasicEvaluatorFunction:
    """The evaluator of a name.

    Raises:
        InvalidInputError: there is none.
    """
    if name not in EVALUATORS:
        hint = did_you_mean(name, EVALUATORS) or f"; there are {', '.join(EVALUATORS)}"
        raise InvalidInputError(f"evaluator is {shown_value(name)}, and there is none of that name{hint}")
    return cast(BasicEvaluatorFunction, getattr(import_module(EVALUATORS[name]), name))
