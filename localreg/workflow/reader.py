"""Who reads inferences for the handles of models; what it takes is loaded when somebody wants some."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localreg.models import SuiteVersion
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["READER"]


class _Reader:
    def rows(self, session: Session, version_id: str, suite: str | SuiteVersion | None) -> Result:
        from localreg.workflow.inferred import inferred_rows

        return inferred_rows(session, version_id, suite).result()

    def export(
        self,
        session: Session,
        version_id: str,
        path: str | os.PathLike[str],
        *,
        suite: str | SuiteVersion | None,
        format: str | None,
        overwrite: bool,
    ) -> int:
        from localreg.workflow.export import export_inferences
        from localreg.workflow.inferred import inferred_rows

        return export_inferences(
            lambda: inferred_rows(session, version_id, suite), path, format=format, overwrite=overwrite
        )


READER = _Reader()
