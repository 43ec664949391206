"""The rows of a suite in slices, by the value of an expression."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from localreg.canonical import JsonObject
from localreg.compare.suite_rows import SuiteRows
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import shown_value
from localreg.query.strata import stratum_name
from localreg.records.files import FilePointer
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node, Vocabulary, coded_rows
from localreg.threads import in_threads
from localreg.workflow.recorded import RecordedWorkflow
from localreg.workflow.samples import files_of
from localreg.workflow.strata_rows import StrataRows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]

__all__ = ["NO_VALUE", "Slices", "check_by", "sliced"]

NO_VALUE = "null"
"""The slice of rows without a value."""


@dataclass(frozen=True, eq=False)
class Slices:
    """The slices of one expression.

    Attributes:
        by: the expression.
        names: of the slices, in order of value; what has no value comes last. Some may have no rows.
        codes: of each row of the suite, the number of its slice.
    """

    by: str
    names: list[str]
    codes: Codes

    @property
    def empty(self) -> bool:
        """Whether no row has a value: most likely the expression names something that is not there."""
        return self.names[-1:] == [NO_VALUE] and bool((self.codes == len(self.names) - 1).all())


def check_by(by: object) -> list[str]:
    """Expressions as they are passed: one, several, or none.

    Raises:
        InvalidInputError: they are no texts, or one is there twice.
    """
    listed = [] if by is None else [by] if isinstance(by, str) else by
    if not isinstance(listed, Sequence) or not all(isinstance(each, str) and each.strip() for each in listed):
        raise InvalidInputError(f"by is {shown_value(by)}; it must be an SQL expression, or a list of some")
    if len(set(listed)) < len(listed):
        raise InvalidInputError(f"by names {shown_value(by)}, of which one stands there twice; name each once")
    return list(listed)


def sliced(session: Session, state: State, rows: SuiteRows, by: str, *, bins: int | None) -> Slices:
    """Put the rows into slices.

    Args:
        session: where the suite lies.
        state: as of which commit.
        rows: of the suite.
        by: an expression over the fields of the samples, `sample`, `metadata`, `ground_truth` and `test_case`.
        bins: numbers of more different values than that are cut into so many bins; None = each value is a slice.

    Raises:
        InvalidInputError: see `localreg.query.strata`.
    """
    import numpy as np

    workflow = rows.workflow
    path = _text_path(by, Node.from_json(cast(JsonObject, workflow.load(WorkflowRecord).test_sample)))
    if path is not None:
        return _of_field(session, state, rows, by, path)
    found = StrataRows(session, state, RecordedWorkflow(workflow.name), rows.case_ids).strata(by, bins)
    codes: Codes = np.zeros(len(rows), np.int16).astype(np.int16 if len(found) < 2**15 else np.int32)
    for number, stratum in enumerate(found):
        codes[stratum.rows] = number
    return Slices(by, [stratum.name for stratum in found], codes)


def _text_path(by: str, sample: Node) -> tuple[str, ...] | None:
    """The path of a field of text that an expression is; None if it is anything else."""
    names = by.strip().split(".")
    fields = [field.name for field in sample.fields]
    if names[0] == "sample" and "sample" not in fields:
        names = names[1:]
    node = sample
    for name in names:
        inner = {field.name: field.node for field in node.fields} if node.type == "struct" else {}
        if name not in inner:
            return None
        node = inner[name]
    return tuple(names) if names and node.type in ("str", "enum") else None


def _of_field(session: Session, state: State, rows: SuiteRows, by: str, path: Sequence[str]) -> Slices:
    """Slices by a field of text, of whose values only the numbers in the files' dictionaries are looked at."""
    import numpy as np

    vocabulary = Vocabulary()
    codes: Codes = np.empty(rows.samples, np.int16)
    begin = 0
    pointers = files_of(state, rows.suite.workflow, "test_samples")
    decode = partial(_decoded, session, path, vocabulary)
    for part in in_threads(decode, pointers, workers=os.cpu_count() or 1):
        for found in part:
            codes = vocabulary.fitting(codes)
            codes[begin : begin + len(found)] = found
            begin += len(found)
    ranks = np.append(vocabulary.ranks(), len(vocabulary)).astype(codes.dtype)  # no value is -1, and so the last
    names = [stratum_name(each) for each in [*sorted(vocabulary.labels()), None]]
    return Slices(by, names, rows.of_samples(ranks[codes]))


def _decoded(session: Session, path: Sequence[str], vocabulary: Vocabulary, pointer: FilePointer) -> list[Codes]:
    leaves = [(("sample", *path), vocabulary)]
    return [rows.codes[0] for rows in coded_rows(session.store, pointer, leaves)]
