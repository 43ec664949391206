"""COCO results into a registry: what a model saw in the images of a test suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localreg.coco.objects import (
    Categories,
    boxes_of,
    by_image,
    extras_of,
    keypoints_of,
    located,
)
from localreg.coco.workflow import Model, TestSuite
from localreg.errors import InvalidInputError
from localreg.metrics.coco.entries import Entries, loaded
from localreg.metrics.coco.shapes import segmentations_of
from localreg.names import check_flag
from localreg.session import Session
from localreg.session.current import use_session
from localreg.workflow.export.coco_json import categories_of, image_ids
from localreg.workflow.inferred import Inferred, suite_rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["import_results", "results_of"]

_RESULT = frozenset(
    {
        *("image_id", "category_id", "bbox", "score", "segmentation", "keypoints"),
        *("id", "area", "iscrowd"),  # which whoever measures sets anew
    }
)


def results_of(given: object, images: Indices, categories: Categories) -> pa.Table:
    """A COCO results file, checked: one row for each image, in the order of `images`.

    Args:
        given: path of the file, or what stands in it.
        images: the ids that there are.
        categories: those that there are.

    Returns:
        `image_id`, `detections` (a list, empty where the file has no result), and `extra` (JSON text) of these, where
        the file says more of them than is known here.

    Raises:
        InvalidInputError: it is no such file, or something in it cannot be; how often, and where first.
    """
    import pyarrow as pa

    file = loaded(given, "COCO results")
    if isinstance(file, dict):
        raise InvalidInputError(
            "COCO results are a list, and this is an object"
            + ("; annotations are taken by import_coco" if "images" in file else "")
        )
    entries = Entries(file, "results")
    of_image = entries.whole("image_id", required=True)
    places = located(entries, of_image, images, "are of an image that is not in the test suite", "image_id")
    category = entries.whole("category_id", required=True)
    detections = {
        "label": categories.names_of(entries, category),
        "score": entries.number("score", required=True),
        **boxes_of(entries),
        "category_id": category,
        "segmentation": segmentations_of(entries),
        "keypoints": keypoints_of(entries),
    }
    _refuse_mixed(entries, detections)
    columns: dict[str, Any] = {"image_id": pa.array(images), "detections": by_image(detections, places, len(images))}
    extra = extras_of(entries, _RESULT, "detections", places, len(images))
    return pa.table(columns if extra is None else {**columns, "extra": extra})


def _refuse_mixed(entries: Entries, detections: dict[str, pa.Array]) -> None:
    """Refuse results without anything to see, and those of which some have boxes and others not.

    Of the first result alone the COCO tools tell which kind all are, and what their areas are.
    """
    import numpy as np

    there = [
        detections[name].is_valid().to_numpy(zero_copy_only=False) for name in ("top_left", "segmentation", "keypoints")
    ]
    entries.refuse(~np.logical_or.reduce(there), "have neither bbox nor segmentation nor keypoints")
    if there[0].any():
        entries.refuse(~there[0], "have no bbox, which others have")


def import_results(
    session: Session, results: object, *, suite: str | TestSuite, model: str | Model, reset: bool = False
) -> Model:
    """See `Registry.import_coco_results`."""
    import pyarrow as pa

    reset = check_flag(reset, what="reset")
    with use_session(session):
        shown = suite if isinstance(suite, TestSuite) else TestSuite.load(suite)
    images = suite_rows(session, shown)
    ids = _each_once(images)
    found = results_of(results, ids, _categories(images))
    with use_session(session):
        made = model if isinstance(model, Model) else Model(model)
    rows = pa.table({"image_id": pa.array(ids), **{name: found[name] for name in found.column_names}})
    made.record(rows, on="image_id", suite=shown, reset=reset)
    return made


def _each_once(images: Inferred) -> Indices:
    """The image id of each image, in order of their samples."""
    import numpy as np

    _, first = np.unique(images.indices, return_index=True)
    return image_ids(images)[first]


def _categories(images: Inferred) -> Categories:
    import numpy as np
    import pyarrow as pa

    listed = categories_of(images).entries
    ids = np.array([each["id"] for each in listed], np.int64)
    return Categories(ids, pa.array([each["name"] for each in listed], pa.string()))
