"""Whether two models saw the same bytes in the local files of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["rows_with_other_files"]


def rows_with_other_files(a: pa.ChunkedArray, b: pa.ChunkedArray) -> int:
    """In how many rows a file that both columns have holds other bytes in the one than in the other.

    What is stored is asked, not the files: who compares may not have them, and the answer must stay the same.

    Args:
        a: column `files` of some samples' inferences.
        b: the same of another model's, row by row.
    """
    import pyarrow.compute as pc

    both = _by_locator(a).join(_by_locator(b), ["row", "locator"], right_suffix="_b", join_type="inner")
    return len(pc.unique(both.filter(pc.not_equal(both["sha256"], both["sha256_b"]))["row"]))


def _by_locator(files: pa.ChunkedArray) -> pa.Table:
    """The files of each row, one below the other: `row`, `locator`, `sha256`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = files.type
    pairs = files.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))).combine_chunks()
    flat = pairs.flatten()
    sha256 = pc.struct_field(flat, ["value", "sha256"])
    return pa.table({"row": pc.list_parent_indices(pairs), "locator": pc.struct_field(flat, "key"), "sha256": sha256})
