"""What a comparison was asked for, as JSON: enough to look at its samples again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from localreg.canonical import JsonObject
from localreg.compare.asked import Asked
from localreg.errors import FormatError
from localreg.query.text import plain
from localreg.workflow.evaluator import EvaluatorConfiguration
from localreg.workflow.evaluator_function import form_of

__all__ = ["KEPT", "Question"]

KEPT = (
    "strict",
    "by",
    "bins",
    "metrics",
    "confidence",
    "adjust",
    "group_by",
    "evaluator",
    "configuration",
    "better",
    "positive",
    "score_of",
    "bootstrap",
    "score_threshold",
    "iou",
    "iou_type",
    "fmr",
)
"""Of `Asked`, what decides of the answer."""


class Question(NamedTuple):
    """Which models were compared on what, and how.

    Attributes:
        versions: ids of the model versions, the baseline first.
        suite: id of the version of the test suite.
        asked: how.
    """

    versions: Sequence[str]
    suite: str
    asked: Asked

    def to_json(self) -> JsonObject:
        """Its attributes, with evaluators and configurations by their display names; only what is not the default."""
        said = {name: value for name, value in self.asked._asdict().items() if name in KEPT}
        if not isinstance(self.asked.evaluator, str | None):
            said["evaluator"] = form_of(self.asked.evaluator).display_name
        if isinstance(self.asked.configuration, EvaluatorConfiguration):
            said["configuration"] = self.asked.configuration.display_name()
        usual = Asked._field_defaults
        asked = {name: plain(value) for name, value in said.items() if value != usual[name]}
        return cast(JsonObject, {"versions": list(self.versions), "suite": self.suite, "asked": asked})

    @classmethod
    def from_json(cls, value: JsonObject) -> Question:
        """What `to_json` gave.

        Raises:
            FormatError: a later release asked for something that is not known here.
        """
        said = cast("dict[str, Any]", value["asked"])
        unknown = sorted(said.keys() - set(KEPT))
        if unknown:
            raise FormatError(
                f"it was asked with {', '.join(unknown)}, which this release does not know; use a newer one"
            )
        return cls(cast("list[str]", value["versions"]), str(value["suite"]), Asked(**said))
