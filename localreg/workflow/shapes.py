"""Which field of a type an evaluator is about: the one of the shape that it takes, such as a list of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.tables import Node
from localreg.workflow.recorded_columns import field_of, node_of

__all__ = [
    "GAINS",
    "LABEL",
    "LABELS",
    "Found",
    "Item",
    "Shape",
    "fields_of",
    "item_of",
    "label_in",
    "numbers_by_label",
]

TEXTS = ("str", "enum")
NUMBERS = ("float", "int")
CALLED = ("score", "gain", "relevance")
"""What a number beside a label is called, if it says how much; a `rank` says the opposite."""


class Shape(NamedTuple):
    """What a field must be.

    Attributes:
        told: in words, for messages.
        fits: whether a field is such.
    """

    told: str
    fits: Callable[[Node], bool]


class Found(NamedTuple):
    """A field, and what it is."""

    name: str
    node: Node

    def of(self, value: Any) -> Any:
        """What the field says of a ground truth, or of an inference; None of none."""
        return None if value is None else field_of(value, self.name)


class Item(NamedTuple):
    """Where the text and the number of an item of a list stand; None = the item itself, or there is none.

    Attributes:
        text: name of the field; None = the item is the text.
        number: name of the field of its score, or gain; None = there is none.
    """

    text: str | None
    number: str | None


def fields_of(
    evaluator: str, truths: Sequence[Any], inferences: Sequence[Any], truth: Shape, said: Shape
) -> tuple[Found, Found]:
    """The fields of ground truths and of inferences that an evaluator is about.

    Of several, the one whose name the other type's has, too. Of inferences that are all None nothing is asked.

    Args:
        evaluator: its name, for messages.
        truths: at least one.
        inferences: as many.
        truth: what the field of a ground truth must be.
        said: the same of an inference.

    Raises:
        InvalidInputError: a type has no such field, or several; the message says which shape is needed.
    """
    one = next((each for each in inferences if each is not None), None)
    true = node_of(truths[0])
    told = None if one is None else node_of(one)
    of_truth = [Found(field.name, field.node) for field in true.fields if truth.fits(field.node)]
    fields = () if told is None else told.fields
    of_said = [Found(field.name, field.node) for field in fields if said.fits(field.node)]
    found = _one(of_truth, of_said, f"ground truth {true.name!r}", truth, evaluator)
    if told is None:
        return found, found
    return found, _one(of_said, of_truth, f"inference {told.name!r}", said, evaluator)


def _one(found: Sequence[Found], others: Sequence[Found], what: str, shape: Shape, evaluator: str) -> Found:
    names = {each.name for each in others}
    shared = [each for each in found if each.name in names]
    meant = shared if len(shared) == 1 else found
    if len(meant) != 1:
        there = ", ".join(each.name for each in meant) or "none"
        raise InvalidInputError(
            f"evaluator {evaluator!r} cannot tell what to look at in {what}: one field with {shape.told} is needed, "
            f"and there is {there}"
        )
    return meant[0]


def item_of(node: Node) -> Item | None:
    """How an item of a list of labels is made: a text, or a class with one, and perhaps a score or gain; else None."""
    if node.type in TEXTS:
        return Item(None, None)
    texts = [field.name for field in node.fields if field.node.type in TEXTS]
    numbers = [field.name for field in node.fields if field.name in CALLED and field.node.type in NUMBERS]
    text = "label" if "label" in texts else texts[0] if len(texts) == 1 else None
    return None if node.type != "struct" or text is None else Item(text, numbers[0] if numbers else None)


def label_in(value: Any, node: Node) -> str | None:
    """The label that a value is, or holds, as text: an enum by its value, as it is stored."""
    return None if value is None else _label(value, _item(node))


def numbers_by_label(value: Any, node: Node) -> dict[str, float | None]:
    """A list of labels, or a mapping, as a mapping in its order; None where a label has no number beside it.

    Of a label that stands there twice the first place and the highest number count.
    """
    if isinstance(value, Mapping):
        return {str(getattr(label, "value", label)): float(number) for label, number in value.items()}
    assert node.items is not None, "it is a list"
    item, found = _item(node.items), dict[str, float | None]()
    for each in value:
        label = None if each is None else _label(each, item)
        if label is None:
            continue
        number = None if item.number is None else field_of(each, item.number)
        before = found.setdefault(label, None if number is None else float(number))
        if before is not None and number is not None:
            found[label] = max(before, float(number))
    return found


def _item(node: Node) -> Item:
    item = item_of(node)
    assert item is not None, "the shape of the field was looked at"
    return item


def _label(value: Any, item: Item) -> str | None:
    label = value if item.text is None else field_of(value, item.text)
    return None if label is None else str(getattr(label, "value", label))


def _is_labels(node: Node) -> bool:
    return node.type == "list" and node.items is not None and item_of(node.items) is not None


def _is_gains(node: Node) -> bool:
    keys, values = node.keys, node.items
    return (
        node.type == "map" and keys is not None and keys.type in TEXTS and values is not None and values.type in NUMBERS
    )


LABELS = Shape("a list of labels (list[str], list[ScoredClassificationLabel], …)", _is_labels)
LABEL = Shape(
    "a label (str, ClassificationLabel, …)",
    lambda node: node.type in TEXTS or (node.type == "struct" and item_of(node) is not None),
)
GAINS = Shape(
    "the relevant ones (list[str], a list of a class with a text and a gain, or dict[str, float])",
    lambda node: _is_labels(node) or _is_gains(node),
)
