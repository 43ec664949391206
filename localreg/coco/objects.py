"""Boxes, masks and keypoints of a COCO file as columns of the recorded types; no object is made for any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject, canonical, checked_object
from localreg.errors import InvalidInputError
from localreg.metrics.coco.entries import Entries, not_finite
from localreg.metrics.coco.shapes import box_numbers, pair
from localreg.names import shown_value

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = [
    "Categories",
    "boxes_of",
    "by_image",
    "categories_in",
    "checked_file",
    "extras_of",
    "keypoints_of",
    "located",
    "refuse_doubles",
]


@dataclass(frozen=True)
class Categories:
    """The categories that there are.

    Attributes:
        ids: int64.
        names: of each.
    """

    ids: Indices
    names: pa.Array

    def names_of(self, entries: Entries, ids: pa.Array) -> pa.Array:
        """The name of the category of each entry.

        Raises:
            InvalidInputError: it names a category that is not there.
        """
        import pyarrow as pa

        places = located(entries, ids, self.ids, "name a category that is not there", "category_id")
        return self.names.take(pa.array(places))


def categories_in(given: object) -> Categories:
    """The categories of a COCO file.

    Raises:
        InvalidInputError: one has no id or name, or two have one id.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    entries = Entries(given, "categories")
    ids = entries.whole("id", required=True)
    names = entries.column("name", pa.string(), wanted="a text", required=True)
    blank = pc.equal(pc.utf8_trim_whitespace(names), "").to_numpy(zero_copy_only=False)
    entries.refuse(blank.astype(bool), "have a blank name")
    refuse_doubles(entries, ids, "have an id that another has")
    return Categories(ids.to_numpy(), names)


def refuse_doubles(entries: Entries, ids: pa.Array, why: str) -> None:
    """Refuse entries whose id an earlier one has.

    Raises:
        InvalidInputError: there are some.
    """
    import numpy as np

    values = ids.to_numpy()
    bad = np.ones(len(values), bool)
    bad[np.unique(values, return_index=True)[1]] = False
    entries.refuse(bad, why)


def located(entries: Entries, ids: pa.Array, known: Indices, why: str, key: str) -> Indices:
    """Where the id of each entry stands among known ones.

    Raises:
        InvalidInputError: some are not among them.
    """
    import numpy as np

    values = ids.to_numpy()
    if not len(known):
        entries.refuse(np.ones(len(values), bool), why, key)
        return np.empty(0, np.int64)
    order = np.argsort(known, kind="stable")
    places = order[np.minimum(np.searchsorted(known[order], values), len(known) - 1)]
    entries.refuse(known[places] != values, why, key)
    return np.asarray(places, np.int64)


def boxes_of(entries: Entries) -> dict[str, pa.Array]:
    """`top_left`, `bottom_right` and `size`, null where there is no `bbox`, or `[]`.

    Raises:
        InvalidInputError: a box is no list of four finite numbers, or its width or height is negative.
    """
    numbers, none = box_numbers(entries)
    far = numbers[:, :2] + numbers[:, 2:]
    return {
        "top_left": pair(numbers[:, 0], numbers[:, 1], ("x", "y"), none),
        "bottom_right": pair(far[:, 0], far[:, 1], ("x", "y"), none),
        "size": pair(numbers[:, 2], numbers[:, 3], ("width", "height"), none),
    }


def keypoints_of(entries: Entries) -> pa.Array:
    """Flat lists of finite numbers, null where there are none.

    Raises:
        InvalidInputError: something else.
    """
    import pyarrow as pa

    column = entries.column("keypoints", pa.list_(pa.float64()), wanted="[x, y, visibility, …]")
    entries.refuse(not_finite(column), "have keypoints with a number that is not finite", "keypoints")
    return column


def by_image(columns: Mapping[str, pa.Array], images: Indices, count: int) -> pa.ListArray:
    """Entries as a list for each image, in the order that they have in the file.

    Args:
        columns: of all entries.
        images: the number of the image of each.
        count: how many images there are.
    """
    import numpy as np
    import pyarrow as pa

    items = pa.StructArray.from_arrays(list(columns.values()), list(columns))
    order = np.argsort(images, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(images, minlength=count))])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items.take(pa.array(order)))


def extras_of(entries: Entries, known: frozenset[str], field: str, images: Indices, count: int) -> pa.Array | None:
    """What entries say beyond the known keys, for each image as JSON text that mirrors its list; None = nothing.

    Raises:
        InvalidInputError: it is nothing that JSON has.
    """
    import pyarrow as pa

    if entries.keys <= known:
        return None
    lists: dict[int, list[JsonObject | None]] = {}
    for each, image in zip(entries.items, images.tolist(), strict=True):
        rest = {key: value for key, value in each.items() if key not in known}
        lists.setdefault(image, []).append(rest or None)
    texts = [
        canonical(checked_object({field: lists[image]}, what=entries.what)) if any(lists.get(image, ())) else None
        for image in range(count)
    ]
    return pa.array(texts, pa.string())


def checked_file(given: object, what: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """A COCO file of annotations.

    Raises:
        InvalidInputError: it is something else.
    """
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"{what} is {shown_value(given)}; COCO annotations are an object with {', '.join(keys)}"
            + ("; results are taken by import_coco_results" if isinstance(given, list) else "")
        )
    missing = [key for key in keys if key not in given]
    if missing:
        raise InvalidInputError(f"{what} has no {' and no '.join(missing)}, which COCO annotations have")
    return given
