"""COCO annotations into a registry: images with what is in them, as a test suite."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject, canonical, checked_object
from localreg.coco.objects import (
    Categories,
    boxes_of,
    by_image,
    categories_in,
    checked_file,
    extras_of,
    keypoints_of,
    located,
    refuse_doubles,
)
from localreg.coco.workflow import WORKFLOW, TestSuite
from localreg.errors import AlreadyExistsError, InvalidInputError
from localreg.log import State
from localreg.metrics.coco.entries import Entries, loaded
from localreg.metrics.coco.shapes import segmentations_of
from localreg.names import check_flag, check_name, check_text
from localreg.session import Changes, Session
from localreg.workflow.case_changes import CaseChange, CaseRequest
from localreg.workflow.case_content import CaseContent
from localreg.workflow.export.coco_json import COCO, FILE_NAME
from localreg.workflow.samples import as_rows
from localreg.workflow.workflow import Types

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Annotations", "annotations_of", "import_annotations"]

_LISTS = ("images", "annotations", "categories")
_IMAGE = frozenset({"id", "file_name", "width", "height"})
_ANNOTATION = frozenset(
    {
        *("id", "image_id", "category_id", "bbox", "area", "iscrowd", "ignore", "segmentation"),
        *("keypoints", "num_keypoints"),
    }
)


@dataclass(frozen=True, eq=False)
class Annotations:
    """A COCO file as columns.

    Attributes:
        rows: one for each image: `locator`, `image_id`, `width`, `height`, `metadata` (JSON text), `objects` (a list),
            and `extra` (JSON text) of these, where the file says more of them than is known here.
        head: the file without images and annotations, with its categories.
    """

    rows: pa.Table
    head: JsonObject


def annotations_of(given: object, *, images_root: str | os.PathLike[str] | None = None) -> Annotations:
    """A COCO file, checked.

    Args:
        given: path of the file, or what stands in it.
        images_root: the folder, or the address, behind which file names go.

    Raises:
        InvalidInputError: it is no such file, or something in it cannot be; how often, and where first.
    """
    file = checked_file(loaded(given, "COCO annotations"), "annotations", _LISTS)
    categories = categories_in(file["categories"])
    images, entries = Entries(file["images"], "images"), Entries(file["annotations"], "annotations")
    if "segments_info" in entries.keys:
        raise InvalidInputError("these are panoptic annotations, which are not taken; boxes, masks and keypoints are")
    ids = images.whole("id", required=True)
    refuse_doubles(images, ids, "have an id that another has")
    own = entries.whole("id", required=True)
    refuse_doubles(entries, own, "have an id that another has")
    of_image = entries.whole("image_id", required=True)
    places = located(entries, of_image, ids.to_numpy(), "are of an image that is not there", "image_id")
    objects = _object_columns(entries, own, categories)
    columns = _image_columns(images, ids, images_root)
    columns["objects"] = by_image(objects, places, len(images))
    extra = extras_of(entries, _ANNOTATION, "objects", places, len(images))
    if extra is not None:
        columns["extra"] = extra
    rest = {key: value for key, value in file.items() if key not in ("images", "annotations")}
    return Annotations(_table(columns), checked_object(rest, what="the head of the annotations"))


def _object_columns(entries: Entries, ids: pa.Array, categories: Categories) -> dict[str, Any]:
    category = entries.whole("category_id", required=True)
    crowd = entries.flag("iscrowd")
    return {
        "label": categories.names_of(entries, category),
        **boxes_of(entries),
        "area": entries.number("area"),
        "iscrowd": crowd.fill_null(False),
        "ignore": entries.flag("ignore"),
        "id": ids,
        "category_id": category,
        "segmentation": segmentations_of(entries),
        "keypoints": keypoints_of(entries),
        "num_keypoints": entries.whole("num_keypoints"),
    }


def _image_columns(images: Entries, ids: pa.Array, images_root: str | os.PathLike[str] | None) -> dict[str, Any]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    names = images.column("file_name", pa.string(), wanted="a text", required=True)
    images.refuse(np.asarray(pc.equal(pc.utf8_trim_whitespace(names), ""), bool), "have a blank file_name")
    given = os.fspath(images_root) if isinstance(images_root, os.PathLike) else images_root
    root = None if given is None else check_text(given, what="images_root").rstrip("/")
    metadata = [_metadata(each, root) for each in images.items]
    return {
        "locator": names if root is None else pc.binary_join_element_wise(f"{root}/", names, ""),
        "image_id": ids,
        "width": images.whole("width"),
        "height": images.whole("height"),
        "metadata": pa.array(metadata, pa.string()),
    }


def _metadata(image: Mapping[str, Any], root: str | None) -> str | None:
    rest = {key: value for key, value in image.items() if key not in _IMAGE}
    if root is not None:
        rest[FILE_NAME] = image[FILE_NAME]
    return canonical(checked_object(rest, what=f"image {image['id']}")) if rest else None


def _table(columns: Mapping[str, Any]) -> pa.Table:
    import pyarrow as pa

    return pa.table(dict(columns))


def import_annotations(
    session: Session,
    annotations: object,
    *,
    suite: str,
    images_root: str | os.PathLike[str] | None = None,
    description: str | None = None,
    reset: bool = False,
) -> TestSuite:
    """See `Registry.import_coco`."""
    name = check_name(suite, what="test suite name")
    reset = check_flag(reset, what="reset")
    found = annotations_of(annotations, images_root=images_root)
    if not found.rows.num_rows:
        raise InvalidInputError("the annotations have no images")
    content = _content(WORKFLOW.types(session.state()), found.rows)
    request = CaseRequest(name, None, content, reset=reset, details={COCO: found.head})
    cases = CaseChange(session, WORKFLOW, [request])
    suites = TestSuite.request(session, name, description, reset=reset)

    def operation(changes: Changes) -> None:
        cases(changes)
        suites.content = [_newest_version(changes.draft, name)]
        suites(changes)
        if cases.ignored or suites.ignored:
            raise AlreadyExistsError(
                f"test suite {name!r} holds something else already; choose another name, or pass reset=True to make "
                "these annotations its next version"
            )

    return TestSuite.shown(session, cases.commit(operation), name)


def _content(types: Types, rows: pa.Table) -> CaseContent:
    """The rows under the recorded types."""
    import pyarrow as pa

    fields = ["locator", "image_id", "width", "height"]
    samples = pa.table({"sample": rows.select(fields).to_struct_array(), "metadata": rows["metadata"]})
    truths = {"ground_truth": rows.select(["objects"]).to_struct_array()}
    if "extra" in rows.column_names:
        truths["extra"] = rows["extra"]
    return CaseContent(
        as_rows(samples, "sample", types.test_sample), as_rows(pa.table(truths), "ground_truth", types.ground_truth)
    )


def _newest_version(state: State, name: str) -> str:
    case = state.find("test_case", name)
    version = None if case is None else state.find("test_case_version", str(case.fields["version"]), case.id)
    assert version is not None, "it was made just now, or was there"
    return version.id
