"""What a model version inferred, as the handles of models offer it.

It is read by the layer of workflows, which stands above this one, and says here how (`serve_inferences`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from localreg.session import Session

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["HasInferences", "InferenceReader", "SuiteVersion", "serve_inferences"]


class SuiteVersion(Protocol):
    """What shows a version of a test suite, such as a `localreg.workflow.TestSuite`."""

    @property
    def version_id(self) -> str:
        """Id of the version."""


class InferenceReader(Protocol):
    """Who reads inferences."""

    def rows(self, session: Session, version_id: str, suite: str | SuiteVersion | None) -> Result:
        """See `HasInferences.inferences`."""

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
        """See `HasInferences.export_inferences`."""


_served: list[Callable[[], InferenceReader]] = []


def serve_inferences(reader: Callable[[], InferenceReader]) -> None:
    """Say who reads inferences; asked when somebody wants some."""
    _served[:] = [reader]


class HasInferences:
    """A model or a model version, of which inferences are stored."""

    _session: Session

    def _inferring_version(self) -> str:
        """Id of the version that is meant.

        Raises:
            NotFoundError: there is none yet.
        """
        raise NotImplementedError

    def inferences(self, suite: str | SuiteVersion | None = None) -> Result:
        """What it inferred, with samples and ground truths beside it: a row for each sample of each test case.

        The rows are those of now, read when they are looked at; `batches()` streams them, however many there are.
        Columns, native and nested: `sample_idx`, `test_case`; the fields of the sample, its `metadata` and `extra`;
        the fields of the ground truth; `status` (`ok`, `skipped`, `error`, `missing`), the fields of the inference;
        `error` (`type`, `message`, `traceback`). A field whose name is taken goes behind that of its type: where truth
        and inference both have a `label`, these are `ground_truth_label` and `label`. What is said beside the fields
        stands, where there is any, in `ground_truth_metadata`, `inference_extra` and so on, as JSON. Enums are text,
        a timedelta is microseconds.

        Args:
            suite: name of a test suite, at its newest version; or a `TestSuite`, at the version that it shows: its rows
                in its order. None = all samples that were inferred, skipped or failed, by `sample_idx`, without
                `test_case` and ground truths.

        Raises:
            NotFoundError: no such suite, no version yet, or the suite is of another workflow.
        """
        return _served[0]().rows(self._session, self._inferring_version(), suite)

    def export_inferences(
        self,
        path: str | os.PathLike[str],
        *,
        suite: str | SuiteVersion | None = None,
        format: str | None = None,
        overwrite: bool = False,
    ) -> int:
        """Write what `inferences` gives to a file, in batches. The file appears when it is whole, and is synced.

        Args:
            path: a local file, in a folder that is there.
            suite: as in `inferences`.
            format: `parquet`: all columns as they are, which reads back exactly. `csv`: nested values as JSON text.
                `jsonl`: an object a line. In both, NaN and infinity are the texts `NaN`, `Infinity`, `-Infinity`, bytes
                are hexadecimal, times ISO 8601, and keys of maps text. `coco`: COCO results, of workflows whose
                inference has one list of scored labelled boxes: see `localreg.coco`. None = by the ending: `.parquet`,
                `.pq`, `.csv`, `.jsonl`, `.ndjson`, and `.json` for `coco`.
            overwrite: replace a file that is there.

        Returns:
            How many rows were written; of `coco`, how many detections.

        Raises:
            AlreadyExistsError: there is a file, and `overwrite` is not set.
            InvalidInputError: an unknown format; or the types have no boxes for `coco`.
            NotFoundError: as in `inferences`.
            StorageError: it cannot be written; what was there before is there still.
        """
        return _served[0]().export(
            self._session, self._inferring_version(), path, suite=suite, format=format, overwrite=overwrite
        )
