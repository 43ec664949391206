"""Truths and detections out of whatever they are given as: COCO files, what stands in them, or tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.metrics.coco.columns import Detections, Truths
from localreg.metrics.coco.entries import Entries, loaded
from localreg.metrics.coco.files import plain_annotations, plain_results
from localreg.metrics.coco.masks import Masks
from localreg.metrics.coco.shapes import box_numbers, segmentations_of
from localreg.metrics.coco.tables import detections_in, truths_in

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["read"]

_LISTS = ("images", "annotations", "categories")


def read(annotations: object, results: object, *, masks: bool) -> tuple[Truths, Detections]:
    """Truths and detections.

    Raises:
        NotFoundError: there is no such file.
        StorageError: a file cannot be read.
        InvalidInputError: it is none of these, or something in it cannot be; how often, and where first.
    """
    truths, size = _truths(annotations, masks=masks)
    return truths, _detections(results, size, masks=masks)


def _truths(given: object, *, masks: bool) -> tuple[Truths, Mapping[int, tuple[int, int]]]:
    """Truths, and the size of each image."""
    if isinstance(given, str | os.PathLike) and not masks:
        plain = plain_annotations(os.fspath(given))
        if plain is not None:
            return _plain_truths(plain), {}
    told = loaded(given, "COCO annotations")
    if isinstance(given, str | os.PathLike) or (isinstance(told, Mapping) and {*_LISTS} & told.keys()):
        return _truths_of_file(told, masks=masks)
    return truths_in(told, masks=masks), {}


def _plain_truths(plain: Mapping[str, Any]) -> Truths:
    import numpy as np

    boxes = plain["bbox"]
    area = np.where(np.isnan(plain["area"]), boxes[:, 2] * boxes[:, 3], plain["area"])
    return Truths(
        plain["image_id"], plain["category_id"], boxes, area, plain["iscrowd"], plain["images"], plain["categories"]
    )


def _truths_of_file(file: object, *, masks: bool) -> tuple[Truths, Mapping[int, tuple[int, int]]]:
    import numpy as np

    if not isinstance(file, Mapping) or {*_LISTS} - file.keys():
        raise InvalidInputError(f"COCO annotations are an object with {', '.join(_LISTS)}; this is something else")
    images, entries = Entries(file["images"], "images"), Entries(file["annotations"], "annotations")
    categories = Entries(file["categories"], "categories")
    ids = {each.what: each.whole("id", required=True).to_numpy() for each in (images, categories)}
    for each in (images, categories):
        _refuse_doubles(each, ids[each.what])
    _refuse_doubles(entries, entries.whole("id", required=True).to_numpy())
    of_image = entries.whole("image_id", required=True).to_numpy()
    sizes = _sizes(images, ids["images"]) if masks else {}
    shapes = _masks(entries, of_image, sizes) if masks else _boxes(entries)
    area = entries.number("area").fill_null(np.nan).to_numpy()
    truths = Truths(
        image_id=of_image,
        category_id=entries.whole("category_id", required=True).to_numpy(),
        shapes=shapes,
        area=np.where(np.isnan(area), _area(shapes), area),
        iscrowd=entries.flag("iscrowd").fill_null(False).to_numpy(zero_copy_only=False),
        images=ids["images"],
        categories=ids["categories"],
    )
    return truths, sizes


def _detections(given: object, sizes: Mapping[int, tuple[int, int]], *, masks: bool) -> Detections:
    if isinstance(given, str | os.PathLike) and not masks:
        plain = plain_results(os.fspath(given))
        if plain is not None:
            boxes = plain["bbox"]
            return Detections(plain["image_id"], plain["category_id"], boxes, plain["score"], _area(boxes))
    told = loaded(given, "COCO results")
    if isinstance(given, str | os.PathLike) and not isinstance(told, list):
        raise InvalidInputError("COCO results are a list of objects; this is something else")
    if not isinstance(told, list):
        return detections_in(told, masks=masks)
    entries = Entries(told, "results")
    of_image = entries.whole("image_id", required=True).to_numpy()
    shapes = _masks(entries, of_image, sizes) if masks else _boxes(entries)
    # COCO's code looks at the first result alone to tell what kind all are, and goes by the area of the box if it can.
    boxed = masks and bool(told) and bool(told[0].get("bbox"))
    return Detections(
        image_id=of_image,
        category_id=entries.whole("category_id", required=True).to_numpy(),
        shapes=shapes,
        score=entries.number("score", required=True).to_numpy(),
        area=_area(_boxes(entries) if boxed else shapes),
    )


def _refuse_doubles(entries: Entries, ids: Indices) -> None:
    import numpy as np

    bad = np.ones(len(ids), bool)
    bad[np.unique(ids, return_index=True)[1]] = False
    entries.refuse(bad, "have an id that another has", "id")


def _boxes(entries: Entries) -> Numbers:
    import numpy as np

    numbers, none = box_numbers(entries)
    entries.refuse(np.asarray(none, bool), "have no bbox")
    return numbers


def _sizes(images: Entries, ids: Indices) -> dict[int, tuple[int, int]]:
    """Height and width of each image that tells them."""
    sides = zip(images.whole("height").to_pylist(), images.whole("width").to_pylist(), strict=True)
    return {
        id: (height, width)
        for id, (height, width) in zip(ids.tolist(), sides, strict=True)
        if height is not None and width is not None
    }


def _masks(entries: Entries, of_image: Indices, sizes: Mapping[int, tuple[int, int]]) -> Masks:
    import numpy as np
    import pyarrow.compute as pc

    column = segmentations_of(entries)
    entries.refuse(np.asarray(column.is_null(), bool), "have no segmentation")
    known = [sizes.get(image) for image in of_image.tolist()]
    unknown = np.array([each is None for each in known], bool)
    drawn = np.asarray(pc.is_valid(column.field("polygons")), bool)
    entries.refuse(unknown & drawn, "have polygons in an image that does not tell its height and width", "image_id")
    size = np.array([each or (0, 0) for each in known], np.int64).reshape(-1, 2)
    return Masks.of(column, size, entries.what)


def _area(shapes: Numbers | Masks) -> Numbers:
    import numpy as np

    if isinstance(shapes, Masks):
        return shapes.area.astype(np.float64)
    return np.asarray(shapes[:, 2] * shapes[:, 3])
