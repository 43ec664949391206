"""Evaluators that are there, by name: `test(model, suite, evaluator="classification")`.

| name | ground truth and inference | configuration |
|---|---|---|
| `classification` | one label each | `localreg.workflow.classification_evaluator.Threshold`, or none |
| `regression` | one number each | none |
| `detection` | a list of labelled boxes each | `localreg.workflow.detection_evaluator.DetectionThreshold`, or none |
| `segmentation` | a list of labelled polygons or masks each | the same |

What they say is stored like what any evaluator says, and is compared by `registry.compare(…, evaluator="…")` likewise.
Their numbers are those of `registry.compare`: the same functions compute them.
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
