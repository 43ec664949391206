"""What a handle is to that came of something, or to which something leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.handles.handle import Handle, RecordT

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["HasLineage"]


class HasLineage(Handle[RecordT]):
    """One link of the chain from data sets over experiments, checkpoints and versions to test runs."""

    def lineage(self) -> Result:
        """What it comes from and what it leads to, however far, from the data to the test runs: rows as of `lineage`.

        Columns: `depth`, `source_kind`, `source_id`, `source`, `relation`, `target_kind`, `target_id`, `target`,
        `namespace`. Each row leads from its source to its target. `depth` tells how many steps away that is, by the
        shortest way: -1 leads here, -2 to the source of that; 1 leads away from here.

        Raises:
            NotFoundError: it has been deleted.
        """
        engine = self._session.engine()
        self._row(engine.sources[0].state)
        return engine.around(self._id)
