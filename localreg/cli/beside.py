"""What stands beside a record on its card."""

from typing import TYPE_CHECKING, Any

from localreg.cli.output import Rows

if TYPE_CHECKING:
    from localreg.datasets import HasDatasets
    from localreg.registry import Registry

__all__ = ["datasets_of", "measured"]

SHOWN = ("name", "role", "owner", "artifact", "uri")


def datasets_of(owner: "HasDatasets[Any]") -> object:
    """The data sets of a model, version or experiment; for people nothing if there are none."""
    rows = Rows.of(owner.datasets(), shown=SHOWN)
    return rows if rows.rows else []


def measured(registry: "Registry", model: str, version: str | None = None) -> object:
    """What was said of a model or version on data sets and test suites; for people nothing if it is nothing."""
    said = registry.sql(
        "SELECT metric, value, dataset, test_suite FROM model_metrics WHERE model = ? "
        "AND version IS NOT DISTINCT FROM ? AND coalesce(dataset, test_suite) IS NOT NULL ORDER BY ALL",
        [model, version],
    )
    rows = Rows.of(said)
    return rows if rows.rows else []
