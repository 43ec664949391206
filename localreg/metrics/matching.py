"""Which inference found which ground truth, by the rules of PASCAL VOC, within one image.

- Inferences choose in order of falling score; of equal scores, the one given first.
- Each chooses the ground truth with which it has the highest IoU, provided that is at least `iou_threshold`; of equal
  IoUs, the one given first, and a ground truth before an ignored one. Whether another inference took it before does
  not matter: there is no second choice.
- Who chooses an ignored ground truth is left out of the result, however many do. Who chooses one that is free is
  matched with it. Whoever else is unmatched: a duplicate, or one that found nothing.

This is the development kit's rule, not COCO's, where a taken ground truth is passed over. Coordinates are continuous
(the kit counts pixels), and the threshold is reached by being met (`>=`), as in the kit's code; its paper says
"exceed". At a threshold of 0 even shapes that do not touch are chosen.

Every inference in a result is a shallow copy with one more attribute, `iou`: the highest IoU with a ground truth that
it could have been matched with (not an ignored one), be it above the threshold or not, taken or not; 0.0 if there is
none. Of matched ones, it is the IoU with their partner. What was passed in is never changed; ground truths are handed
on as they are.

Source:
    M. Everingham, L. Van Gool, C. K. I. Williams, J. Winn, A. Zisserman, The PASCAL Visual Object Classes (VOC)
    Challenge, International Journal of Computer Vision 88 (2010) 303, section 4.2; VOCdevkit 2012, `VOCevaldet.m`.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar

from localreg.errors import InvalidInputError
from localreg.metrics.geometry import BoxLike, Geometry, PolygonLike, Shapes, overlaps_of, read_shapes
from localreg.metrics.reading import number_of
from localreg.tables import note_extras

if TYPE_CHECKING:
    import numpy as np

__all__ = ["InferenceMatches", "MulticlassInferenceMatches", "match_inferences", "match_inferences_multiclass"]

BLOCK = 1 << 20
"""Pairs whose IoU is held in memory at once."""


class _Scored(Protocol):
    @property
    def score(self) -> float: ...


class _Labeled(Protocol):
    @property
    def label(self) -> str: ...


class _ScoredBox(BoxLike, _Scored, Protocol): ...


class _ScoredPolygon(PolygonLike, _Scored, Protocol): ...


class _LabeledBox(BoxLike, _Labeled, Protocol): ...


class _LabeledPolygon(PolygonLike, _Labeled, Protocol): ...


class _ScoredLabeledBox(_ScoredBox, _Labeled, Protocol): ...


class _ScoredLabeledPolygon(_ScoredPolygon, _Labeled, Protocol): ...


_ScoredGeometry: TypeAlias = _ScoredBox | _ScoredPolygon
_LabeledGeometry: TypeAlias = _LabeledBox | _LabeledPolygon
_ScoredLabeledGeometry: TypeAlias = _ScoredLabeledBox | _ScoredLabeledPolygon

Each = TypeVar("Each")
GT = TypeVar("GT", bound=Geometry)
Inf = TypeVar("Inf", bound=_ScoredGeometry)
LabeledGT = TypeVar("LabeledGT", bound=_LabeledGeometry)
LabeledInf = TypeVar("LabeledInf", bound=_ScoredLabeledGeometry)


@dataclass(frozen=True)
class InferenceMatches(Generic[GT, Inf]):
    """What `match_inferences` found. Every inference is a copy that carries its `iou`.

    Attributes:
        matched: a ground truth and the inference that found it, by falling score: true positives.
        unmatched_gt: ground truths that none found, in the order given: false negatives.
        unmatched_inf: inferences that found none, or one that was taken, by falling score: false positives.
    """

    matched: list[tuple[GT, Inf]]
    unmatched_gt: list[GT]
    unmatched_inf: list[Inf]


@dataclass(frozen=True)
class MulticlassInferenceMatches(Generic[GT, Inf]):
    """What `match_inferences_multiclass` found. Every inference is a copy that carries its `iou`.

    Attributes:
        matched: a ground truth and the inference of its label that found it, by label, then by falling score: true
            positives.
        unmatched_gt: each ground truth that no inference of its label found, and the one of another label that lies
            there, or None: false negatives. First the confused ones, by falling score, then the others, by label.
        unmatched_inf: inferences that found none of their label, by label, then by falling score: false positives. The
            confusing ones are among them, there with the `iou` within their own label.
    """

    matched: list[tuple[GT, Inf]]
    unmatched_gt: list[tuple[GT, Inf | None]]
    unmatched_inf: list[Inf]


def match_inferences(
    ground_truths: Sequence[GT],
    inferences: Sequence[Inf],
    *,
    ignored_ground_truths: Sequence[GT] | None = None,
    mode: Literal["pascal"] = "pascal",
    iou_threshold: float = 0.5,
    required_match_fields: Sequence[str] | None = None,
) -> InferenceMatches[GT, Inf]:
    """Match the inferences of one image with its ground truths, whatever their labels say.

    Args:
        ground_truths: boxes and polygons, in any mixture.
        inferences: the same, with a finite `score`.
        ignored_ground_truths: neither they nor the inferences that choose them appear in the result.
        mode: the rules; `"pascal"`, described in `localreg.metrics.matching`, are the only ones.
        iou_threshold: the least IoU of a match, in [0, 1].
        required_match_fields: attributes that must be equal for a match. Who lacks one has None there.

    Raises:
        InvalidInputError: a shape, score or argument that cannot be used; it is named.
    """
    scene = _read(ground_truths, inferences, ignored_ground_truths, mode, iou_threshold)
    found = _choose(scene, scene.by_score(), scene.all_ground_truths(), _groups(_keys(scene, required_match_fields)))
    return InferenceMatches(
        matched=[(scene.ground_truths[g], _with_iou(scene.inferences[i], iou)) for g, i, iou in found.pairs],
        unmatched_gt=[scene.ground_truths[g] for g in found.missed],
        unmatched_inf=[_with_iou(scene.inferences[i], iou) for i, iou in found.others],
    )


def match_inferences_multiclass(
    ground_truths: Sequence[LabeledGT],
    inferences: Sequence[LabeledInf],
    *,
    ignored_ground_truths: Sequence[LabeledGT] | None = None,
    mode: Literal["pascal"] = "pascal",
    iou_threshold: float = 0.5,
    required_match_fields: Sequence[str] | None = None,
) -> MulticlassInferenceMatches[LabeledGT, LabeledInf]:
    """Match the inferences of one image with its ground truths label by label, then look for confused labels.

    Whatever is left after each label was matched for itself is matched once more, across labels. A ground truth that
    is chosen there by an inference of another label is confused with it; one that is chosen by an inference of its own
    label (a duplicate whose first choice was taken) is not.

    Args:
        ground_truths: boxes and polygons, in any mixture, with a `label`.
        inferences: the same, with a `label` and a finite `score`.
        ignored_ground_truths: with a `label`, too. Those of its label soak up an inference in the first round, those of
            all labels in the second.
        mode: the rules; `"pascal"`, described in `localreg.metrics.matching`, are the only ones.
        iou_threshold: the least IoU of a match, in [0, 1].
        required_match_fields: attributes that must be equal for a match, in both rounds. Who lacks one has None there.

    Raises:
        InvalidInputError: a shape, label, score or argument that cannot be used; it is named.
    """
    scene = _read(ground_truths, inferences, ignored_ground_truths, mode, iou_threshold)
    labels, keys = [_label(each, name) for each, name in scene.named()], _keys(scene, required_match_fields)
    gts, infs = scene.ground_truths, scene.inferences
    gt_labels, inf_labels = labels[: len(gts)], labels[len(labels) - len(infs) :]

    by_label = sorted(scene.by_score(), key=inf_labels.__getitem__)
    found = _choose(scene, by_label, scene.all_ground_truths(), _groups(labels, keys))
    missed = sorted(found.missed, key=gt_labels.__getitem__)
    again = _choose(scene, scene.by_score([i for i, _ in found.others]), missed, _groups(keys))
    confused = {g: (i, iou) for g, i, iou in again.pairs if gt_labels[g] != inf_labels[i]}
    return MulticlassInferenceMatches(
        matched=[(gts[g], _with_iou(infs[i], iou)) for g, i, iou in found.pairs],
        unmatched_gt=[
            *((gts[g], _with_iou(infs[i], iou)) for g, (i, iou) in confused.items()),
            *((gts[g], None) for g in missed if g not in confused),
        ],
        unmatched_inf=[_with_iou(infs[i], iou) for i, iou in found.others],
    )


# --- one image, read --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scene(Generic[GT, Inf]):
    """What was passed in, as lists and as columns; everything is spoken of by its number."""

    ground_truths: list[GT]
    ignored: list[GT]
    inferences: list[Inf]
    candidates: Shapes
    """Of the ground truths, then of the ignored ones."""
    found: Shapes
    """Of the inferences."""
    scores: np.ndarray
    """float64, of the inferences."""
    threshold: float

    def all_ground_truths(self) -> list[int]:
        return list(range(len(self.ground_truths)))

    def by_score(self, inferences: Sequence[int] | None = None) -> list[int]:
        """Inferences (all by default) by falling score; of equal scores, the first given first."""
        import numpy as np

        rows = np.arange(len(self.scores)) if inferences is None else np.array(inferences, dtype=np.intp)
        in_order: list[int] = rows[np.argsort(-self.scores[rows], kind="stable")].tolist()
        return in_order

    def named(self) -> Iterator[tuple[GT | Inf, str]]:
        """Ground truths, ignored ones, inferences, each with its name for messages."""
        yield from ((each, f"ground_truths[{n}]") for n, each in enumerate(self.ground_truths))
        yield from ((each, f"ignored_ground_truths[{n}]") for n, each in enumerate(self.ignored))
        yield from ((each, f"inferences[{n}]") for n, each in enumerate(self.inferences))


def _read(
    ground_truths: Sequence[GT],
    inferences: Sequence[Inf],
    ignored_ground_truths: Sequence[GT] | None,
    mode: str,
    iou_threshold: float,
) -> _Scene[GT, Inf]:
    if not isinstance(mode, str) or mode != "pascal":
        raise InvalidInputError(f"mode is {mode!r}; the only one there is, is 'pascal'")
    threshold = number_of(iou_threshold)
    if threshold is None or not 0 <= threshold <= 1:
        raise InvalidInputError(f"iou_threshold is {iou_threshold!r}; it must be a number from 0 to 1")
    gts, infs = _listed(ground_truths, "ground_truths"), _listed(inferences, "inferences")
    ignored = [] if ignored_ground_truths is None else _listed(ignored_ground_truths, "ignored_ground_truths")
    candidates = read_shapes(gts, "ground_truths").followed_by(read_shapes(ignored, "ignored_ground_truths"))
    return _Scene(gts, ignored, infs, candidates, read_shapes(infs, "inferences"), _scores(infs), threshold)


def _listed(values: Sequence[Each], name: str) -> list[Each]:
    try:
        return list(values)
    except TypeError as error:
        raise InvalidInputError(f"{name} is of type {type(values).__name__}; it must be a list of shapes") from error


def _scores(inferences: Sequence[_ScoredGeometry]) -> np.ndarray:
    import numpy as np

    values = [getattr(each, "score", None) for each in inferences]
    scores = [value if type(value) is float else number_of(value) for value in values]
    for number, score in enumerate(scores):
        if score is None or not isfinite(score):
            raise InvalidInputError(f"inferences[{number}].score is {values[number]!r}; it must be a finite number")
    return np.array(scores, dtype=np.float64)


def _label(each: object, name: str) -> str:
    label = getattr(each, "label", None)
    if not isinstance(label, str):
        raise InvalidInputError(f"{name}.label is {label!r}; it must be text")
    return label


def _keys(scene: _Scene[GT, Inf], fields: Sequence[str] | None) -> list[Hashable] | None:
    """What must be equal for a match: of the ground truths, the ignored ones, the inferences; None = nothing."""
    if not fields:
        return None
    if isinstance(fields, str) or not all(isinstance(field, str) for field in fields):
        raise InvalidInputError(f"required_match_fields is {fields!r}; it must be a list of names of attributes")
    return [tuple(_value(each, field, name) for field in fields) for each, name in scene.named()]


def _value(each: object, field: str, name: str) -> Hashable:
    value: Hashable = getattr(each, field, None)
    try:
        hash(value)
    except TypeError as error:
        raise InvalidInputError(f"{name}.{field} is {value!r}, which cannot be required to match: {error}") from error
    return value


# --- who chooses whom -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    pairs: list[tuple[int, int, float]]
    """Ground truth, inference, IoU."""
    missed: list[int]
    """Ground truths."""
    others: list[tuple[int, float]]
    """Unmatched inferences, and their highest IoU."""


def _choose(
    scene: _Scene[GT, Inf], inferences: list[int], ground_truths: list[int], groups: list[int] | None
) -> _Found:
    """Let `inferences` choose, in their order, among `ground_truths`, in theirs, and all ignored ones."""
    favourites, highest = _favourites(scene, inferences, ground_truths, groups)
    pairs, others = [], []
    taken = set()
    for inference, favourite, iou in zip(inferences, favourites, highest, strict=True):
        if favourite >= len(ground_truths):
            continue  # an ignored one
        if favourite < 0 or favourite in taken:
            others.append((inference, iou))
        else:
            taken.add(favourite)
            pairs.append((ground_truths[favourite], inference, iou))
    return _Found(pairs, [each for n, each in enumerate(ground_truths) if n not in taken], others)


def _favourites(
    scene: _Scene[GT, Inf], inferences: list[int], ground_truths: list[int], groups: list[int] | None
) -> tuple[list[int], list[float]]:
    """What each inference chooses, if it is free, and its highest IoU with a ground truth that is not ignored.

    A choice is a place in `ground_truths`, or behind its end for an ignored one; -1 = none reaches the threshold.
    """
    import numpy as np

    rows = np.array(inferences, dtype=np.intp)
    columns = np.array([*ground_truths, *range(len(scene.ground_truths), len(scene.candidates))], dtype=np.intp)
    favourites, highest = np.full(len(rows), -1), np.zeros(len(rows))
    candidates, group = scene.candidates.take(columns), None if groups is None else np.array(groups)
    step = max(1, BLOCK // max(1, len(columns)))
    for start in range(0, len(rows) if len(columns) else 0, step):
        part = slice(start, start + step)
        overlaps = overlaps_of(scene.found.take(rows[part]), candidates)
        if group is not None:
            overlaps[group[len(scene.candidates) :][rows[part], np.newaxis] != group[columns]] = -1
        choice = overlaps.argmax(axis=1)  # of equal ones, the first
        reached = overlaps[np.arange(len(choice)), choice] >= scene.threshold
        favourites[part] = np.where(reached, choice, -1)
        highest[part] = overlaps[:, : len(ground_truths)].max(axis=1, initial=0)
    return favourites.tolist(), highest.tolist()


def _groups(*columns: Sequence[Hashable] | None) -> list[int] | None:
    """A number for each combination of values, as comparing numbers is fast; None without columns."""
    there = [column for column in columns if column is not None]
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(row, len(numbers)) for row in zip(*there, strict=True)] if there else None


def _with_iou(inference: Inf, iou: float) -> Inf:
    """A shallow copy with one more attribute."""
    twin = copy.copy(inference)
    try:
        object.__setattr__(twin, "iou", iou)  # past the guard of a frozen dataclass
        note_extras(type(twin))
    except AttributeError as error:
        raise InvalidInputError(
            f"a copy of an inference cannot carry its iou ({error}); take a class without __slots__"
        ) from error
    return twin
