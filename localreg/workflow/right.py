"""From a workflow's recorded types to what decides what is right: a label, with the score beside it, or a number.

Or, of pairs, whether they belong together, and how alike a model finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.tables import Node
from localreg.workflow.recorded_columns import field_of

__all__ = [
    "LabelPath",
    "evaluating",
    "flag_path",
    "flag_paths",
    "has_labels",
    "has_pairs",
    "label_path",
    "label_paths",
    "number_at",
    "number_path",
    "number_paths",
    "similarity_path",
    "undecided",
    "value_at",
]

TEXTS = ("str", "enum")
NUMBERS = ("float", "int")
SIMILARITIES = ("similarity", "score")
"""What the one number that counts may be called, beside others."""
COMPARING = (
    "compare models of a workflow whose types have one label each, or one number each, or one boolean in the ground "
    "truth and one number in the inference, or name an evaluator whose metrics of samples say it: "
    "compare(…, evaluator=…)"
)
"""What to do, told to who compares."""


class LabelPath(NamedTuple):
    """Where the one label of a type stands, and its score.

    Attributes:
        label: names of fields, from the outside.
        score: the same of the score; None = there is none.
    """

    label: tuple[str, ...]
    score: tuple[str, ...] | None


def label_path(node: Node, what: str, advice: str = COMPARING) -> LabelPath:
    """Where the one label of a type stands: a field that has a `label`, else the one field that is text.

    Raises:
        InvalidInputError: there is none, or more than one.
    """
    candidates = label_paths(node)
    if len(candidates) != 1:
        raise undecided(node, what, [path.label[0] for path in candidates], "a label", advice)
    return candidates[0]


def has_labels(truth: Node, inference: Node) -> bool:
    """Whether labels decide what is right; else numbers do. Where neither can, labels are what is asked for."""
    return bool(label_paths(truth) and label_paths(inference)) or not (number_paths(truth) and number_paths(inference))


def has_pairs(truth: Node, inference: Node) -> bool:
    """Whether a boolean and a number decide, and neither labels nor numbers in both: pairs are genuine or not."""
    is_other = (label_paths(truth) and label_paths(inference)) or number_paths(truth)
    return not is_other and bool(flag_paths(truth) and number_paths(inference))


def label_paths(node: Node) -> list[LabelPath]:
    """Labels of a type that could be meant."""
    annotated = [
        LabelPath((field.name, "label"), (field.name, "score") if _kind(field.node, "score") == "float" else None)
        for field in node.fields
        if field.node.type == "struct" and _kind(field.node, "label") in TEXTS
    ]
    scores = [(field.name,) for field in node.fields if field.name == "score" and field.node.type == "float"]
    texts = [LabelPath((field.name,), scores[0] if scores else None) for field in node.fields if _is_text(field.node)]
    return annotated or texts


def number_paths(node: Node) -> list[tuple[str, ...]]:
    """Numbers of a type that could be meant: its fields that are numbers, and those that hold a `value`."""
    plain = [(field.name,) for field in node.fields if field.node.type in NUMBERS]
    inner = [(field.name, "value") for field in node.fields if _kind(field.node, "value") in NUMBERS]
    return [*inner, *plain]


def number_path(node: Node, other: Node, what: str, advice: str = COMPARING) -> tuple[str, ...]:
    """Where the one number of a type stands; of several, that of the one name that another type has, too.

    Raises:
        InvalidInputError: there is none, or more than one.
    """
    paths = number_paths(node)
    shared = [path for path in paths if path in number_paths(other)]
    found = shared if len(shared) == 1 else paths
    if len(found) != 1:
        raise undecided(node, what, [".".join(path) for path in found], "a number", advice)
    return found[0]


def flag_paths(node: Node) -> list[tuple[str, ...]]:
    """Booleans of a type that could be meant."""
    return [(field.name,) for field in node.fields if field.node.type == "bool"]


def flag_path(node: Node, what: str, advice: str = COMPARING) -> tuple[str, ...]:
    """Where the one boolean of a type stands.

    Raises:
        InvalidInputError: there is none, or more than one.
    """
    found = flag_paths(node)
    if len(found) != 1:
        raise undecided(node, what, [path[0] for path in found], "a boolean", advice)
    return found[0]


def similarity_path(node: Node, what: str, advice: str = COMPARING) -> tuple[str, ...]:
    """Where the one number of a type stands; of several, that which is called `similarity`, or else `score`.

    Raises:
        InvalidInputError: there is none, or more than one.
    """
    paths = number_paths(node)
    named = [path for name in SIMILARITIES for path in paths if path[0] == name]
    if len(paths) != 1 and not named:
        raise undecided(node, what, [".".join(path) for path in paths], "a number", advice)
    return (named or paths)[0]


def evaluating(evaluator: str, truth: Node, inference: Node) -> str:
    """What to do, told to who evaluates: which of the evaluators of one answer each fits the types, if any."""
    if label_paths(truth) and label_paths(inference):
        fitting = "classification"
    elif has_pairs(truth, inference):
        fitting = "verification"
    else:
        fitting = "regression"
        if not (number_paths(truth) and number_paths(inference)):
            return f"evaluator {evaluator!r} takes one; name another evaluator, or write one"
    if fitting == evaluator:
        return f"evaluator {evaluator!r} cannot choose; write an evaluator that looks at the right one"
    classes = "; if the numbers are classes, keep them as text or an enum" if evaluator == "classification" else ""
    return f"name the evaluator {fitting!r}, which fits these types, or write one{classes}"


def value_at(value: Any, path: Sequence[str]) -> Any:
    """What stands at a path within an object, or a dict that stands for one; None where there is nothing on the way."""
    for name in path:
        value = None if value is None else field_of(value, name)
    return value


def number_at(value: Any, path: Sequence[str]) -> float | None:
    """The number at a path; None if there is none that is finite."""
    found = value_at(value, path)
    return None if found is None or not isfinite(found) else float(found)


def undecided(node: Node, what: str, found: Sequence[str], needed: str, advice: str = COMPARING) -> InvalidInputError:
    """The error for a type that does not say what is right."""
    return InvalidInputError(
        f"{what} {node.name!r} does not say what is right: one field with {needed} is needed, and there is "
        f"{', '.join(found) or 'none'}; {advice}"
    )


def _is_text(node: Node) -> bool:
    return node.type in TEXTS


def _kind(node: Node, name: str) -> str | None:
    return next((field.node.type for field in node.fields if field.name == name), None)
