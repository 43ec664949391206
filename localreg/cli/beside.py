"""What stands beside a record on its card."""

from typing import TYPE_CHECKING, Any

from localreg.cli.output import Rows

if TYPE_CHECKING:
    from localreg.datasets import HasDatasets

__all__ = ["datasets_of"]

SHOWN = ("name", "role", "owner", "artifact", "uri")


def datasets_of(owner: "HasDatasets[Any]") -> object:
    """The data sets of a model, version or experiment; for people nothing if there are none."""
    rows = Rows.of(owner.datasets(), shown=SHOWN)
    return rows if rows.rows else []
