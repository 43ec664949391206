"""Predictions → inferences: which key of what a model returns becomes which field of a workflow's inference.

It is settled before anything runs, as far as the keys are known then, as a plan: for each field the key, or, where a
list of annotations is made of several keys (`boxes`, `classes`, `scores`), those of its parts. A definition may say it
itself (`mapping`); else names tell it (`localreg.definitions.naming`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localreg.definitions.assigning import Assigner, assigner_of
from localreg.definitions.naming import Tree, named_tree, tree_of
from localreg.definitions.values import plain
from localreg.errors import InvalidInputError
from localreg.names import did_you_mean, shown_value
from localreg.tables import Node

__all__ = ["Assignment", "made_by"]


class Assignment:
    """Makes inferences of predictions. Can be pickled.

    With a mapping, what it names is all that is taken. Without, each key must find its field:

    - a key that is called like a field goes there;
    - `boxes` (n x 4: left, top, right, bottom, in pixels) or `masks` (n outlines of m x 2 points), with `classes` or
      `labels` (n texts, or whole numbers, which become text) and `scores` (n numbers), become the items of the one
      list of boxes, or of polygons; `masks` may be the one mask, too: a dict, or the locator of a `BitmapMask`;
    - `labels` or `classes`, with `scores`, become the items of the one list of labels, or are the one label.

    Args:
        inference: the recorded schema of inferences.
        keys: what each prediction holds; anything else that it holds is left out. None = that is seen with the first
            prediction of each kind.
        mapping: by field, or by path within (`label.score`; of the items of a list, `boxes.score`), the key that holds
            the values; None = by names.

    Raises:
        InvalidInputError: a field or key that does not exist, a field without a key, a key without a field, or two
            fields that it could be.
    """

    def __init__(self, inference: Node, keys: tuple[str, ...] | None, mapping: Mapping[str, str] | None) -> None:
        self._node = inference
        self._keys = keys
        self._mapping = None if mapping is None else dict(mapping)
        self._plans: dict[tuple[str, ...], Assigner] = {}
        self._tree: Tree | None = None
        if mapping is not None:
            self._tree = tree_of(inference, mapping)
            _refuse_other_keys(mapping, keys)
        self._plan = None if keys is None and mapping is None else self._planned(keys or ())

    def __call__(self, prediction: object) -> dict[str, Any] | None:
        """The inference of a prediction, as a dict; None = skipped.

        Args:
            prediction: by key; values are None, bool, int, float, str, bytes, list, tuple, dict, datetime, or of numpy.

        Raises:
            InvalidInputError: a key is missing, or its value cannot become its field's; both are named.
        """
        if prediction is None:
            return None
        if type(prediction) is not dict and not isinstance(prediction, Mapping):
            raise InvalidInputError(
                f"a prediction is {shown_value(plain(prediction))}; it must be a dict, or None to skip the sample",
                code="bad_prediction",
            )
        plan = self._plan or self._plan_of(tuple(prediction))
        made: dict[str, Any] = plan(prediction)
        return made

    def _plan_of(self, keys: tuple[str, ...]) -> Assigner:
        if not all(isinstance(key, str) for key in keys):
            raise InvalidInputError(
                f"a prediction has the keys {shown_value(list(keys))}; they must be text", code="bad_prediction"
            )
        if keys not in self._plans:
            self._plans[keys] = self._planned(keys)
        return self._plans[keys]

    def _planned(self, keys: tuple[str, ...]) -> Assigner:
        return assigner_of(self._node, named_tree(self._node, keys) if self._tree is None else self._tree)


def made_by(function: Callable[[Any], object], prediction: object) -> dict[str, Any] | None:
    """What a function makes of a prediction, instead of an `Assignment`.

    Args:
        function: from a prediction to the dict of an inference, or None to skip the sample.
        prediction: None = skipped; the function is not asked.

    Raises:
        InvalidInputError: it returned something else.
    """
    made = None if prediction is None else function(prediction)
    if made is not None and not isinstance(made, Mapping):
        name = getattr(function, "__qualname__", type(function).__name__)
        raise InvalidInputError(
            f"{name} returned {shown_value(made)} for a prediction; it must return a dict with the fields of an "
            "inference, or None to skip the sample",
            code="bad_prediction",
        )
    return None if made is None else dict(made)


def _refuse_other_keys(mapping: Mapping[str, str], keys: tuple[str, ...] | None) -> None:
    for field, key in mapping.items():
        if keys is not None and key not in keys:
            hint = did_you_mean(key, keys) or f"; the keys are {', '.join(keys)}"
            raise InvalidInputError(
                f"the mapping takes {field!r} from key {key!r}, which output.keys does not name{hint}"
            )
