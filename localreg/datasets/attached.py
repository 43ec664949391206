"""What a handle is to which data sets may belong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.handles.handle import Handle, RecordT

if TYPE_CHECKING:
    from localreg.artifacts.artifact import Artifact
    from localreg.datasets.dataset import Dataset
    from localreg.query import Result
    from localreg.records.datasets import Role

__all__ = ["HasDatasets"]


class HasDatasets(Handle[RecordT]):
    """A model, a version or an experiment, to which data sets may belong. A version has those of its model, too."""

    def add_dataset(
        self,
        artifact_or_uri: Artifact | str | os.PathLike[str],
        *,
        role: Role,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, object] | None = None,
        replace: bool = False,
    ) -> Dataset:
        """Say what it was trained or evaluated on.

        Args:
            artifact_or_uri: an artifact of this registry, whoever it belongs to; or where the data lie: a URI, such as
                `s3://…` or `doi:…`, or a local path. That is not opened, and need not be there.
            role: `train` or `eval`.
            name: unique among the data sets of this; None = that of the artifact, or the last part of the URI.
            description: free text.
            metadata: any JSON object.
            replace: a data set of that name is replaced, and stays in the past.

        Raises:
            AlreadyExistsError: there is one of that name, and `replace` is not set.
            InvalidInputError: a malformed argument, or the artifact is of another registry or namespace.
            NotFoundError: the artifact was deleted.
        """
        from localreg.datasets.adding import add

        return add(
            self,
            artifact_or_uri,
            role=role,
            name=name,
            description=description,
            metadata=metadata,
            replace=replace,
        )

    def get_dataset(self, name: str) -> Dataset:
        """The data set of that name; of a version its own, or else its model's.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.datasets.dataset import Dataset, find_dataset

        state = self._session.state()
        return Dataset(self._session, find_dataset(state, self._row(state), name).id)

    def datasets(self) -> Result:
        """Its data sets: rows of the table `datasets`, whose column `owner` tells which of a version are its model's.

        A version's own stands for one of its model that is called alike.
        """
        from localreg.datasets.dataset import holding
        from localreg.query.quoting import literal

        engine = self._session.engine()
        state = engine.sources[0].state
        ids = [row.id for row in holding(state, self._row(state)).values()]
        wanted = f"id IN ({', '.join(map(literal, ids))})" if ids else f"owner_id = {literal(self._id)}"
        return engine.select("datasets", where=wanted)

    def _stated_datasets(self) -> JsonObject:
        from localreg.datasets.dataset import stated

        return {"datasets": stated(self)}
