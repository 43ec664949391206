"""Classification: one label in the ground truth, one in the inference, counted jointly for two models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from localreg.canonical import JsonObject
from localreg.compare.cells import JointCells, count_in_chunks, summed
from localreg.compare.coverage import Coverage
from localreg.compare.groupings import groupings
from localreg.compare.labels import label_path
from localreg.compare.predictions import ERROR, GAPS, MISSING, SKIPPED, predicted_labels
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.units import WHOLE, Unit
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.statistics import JointCounts, joint_counts
from localreg.tables import NO_LABEL, Node, Vocabulary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]

__all__ = ["Classification", "CountedPair", "LabelledPair"]


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """Two models, row by row of the suite.

    Attributes:
        truth: code of each row's label; `NO_LABEL` = none.
        a: what the baseline said: a code, `NO_LABEL`, or why there is nothing.
        b: the same of the candidate.
        labels: text of each code.
    """

    truth: Codes
    a: Codes
    b: Codes
    labels: list[str]


class Classification:
    """Reads labels, row by row of the suite, and counts them.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.

    Attributes:
        once: rows that count in the suite's total; None = all of them.
    """

    def __init__(self, session: Session, state: State, rows: SuiteRows, baseline: str) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        row = state.get("workflow", rows.suite.workflow)
        assert row is not None, "a suite names the workflow that it was made with"
        workflow = row.load(WorkflowRecord)
        truth = label_path(Node.from_json(cast(JsonObject, workflow.ground_truth)), "ground truth")
        self.path = label_path(Node.from_json(cast(JsonObject, workflow.inference)), "inference")
        self._vocabulary = Vocabulary()
        self._truth = rows.truths(truth.label, self._vocabulary)
        self.once = rows.once(self._truth)
        self._baseline = self._predicted(baseline)

    def _predicted(self, version_id: str) -> Codes:
        """What a model version said of each sample of the workflow."""
        return predicted_labels(
            self._session, self._state, version_id, self.path.label, self._vocabulary, self._rows.samples
        )

    def twice(self) -> int:
        """How many samples have two different ground truths."""
        import numpy as np

        if self.once is None:
            return 0
        counted = self._rows.indices[self.once]
        return len(counted) - len(np.unique(counted))

    def labelled(self, candidate: str) -> LabelledPair:
        """Baseline and candidate, row by row."""
        codes = self._predicted(candidate)
        a, b = (self._rows.of_samples(each) for each in (self._baseline, codes))
        return LabelledPair(self._truth, a, b, self._vocabulary.labels())

    def counted(self, candidate: str, slices: Sequence[Slices], *, strict: bool) -> CountedPair:
        """Baseline and candidate, counted for the suite, each test case and each slice.

        Args:
            candidate: id of the model version.
            slices: of the suite's rows.
            strict: take samples without an inference as wrong, instead of leaving them out.
        """
        codes = self._predicted(candidate)
        cells: dict[Unit, JointCells] = {}
        for grouping in groupings(self._rows, self.once, slices):

            def chunk_of(chunk: slice, groups: Codes = grouping.codes) -> tuple[Codes, Codes, Codes, Codes]:
                a, b = (self._rows.of_samples(each, chunk) for each in (self._baseline, codes))
                return groups[chunk], self._truth[chunk], a, b

            sizes = grouping.count, len(self._vocabulary), GAPS
            found = count_in_chunks(len(self._rows), chunk_of, sizes)
            of_units = {unit: found.of_groups(groups) for unit, groups in grouping.units.items()}
            cells |= {unit: own for unit, own in of_units.items() if unit.by is None or len(own.count)}
        return CountedPair(cells, self._vocabulary, strict)


class CountedPair:
    """Two models, counted.

    Args:
        cells: of each unit, with codes as they came.
        vocabulary: the labels.
        strict: see `Classification.counted`.

    Attributes:
        labels: sorted; their places are the codes of `joint`.
        unlabelled: rows of the suite whose ground truth has no label: they say nothing of either model.
    """

    def __init__(self, cells: dict[Unit, JointCells], vocabulary: Vocabulary, strict: bool) -> None:
        self._cells = cells
        self._ranks = vocabulary.ranks()
        self._strict = strict
        self.labels = sorted(vocabulary.labels())
        whole = cells[WHOLE]
        self.unlabelled = int(whole.count[whole.truth == NO_LABEL].sum())

    @property
    def units(self) -> list[Unit]:
        """What was counted: the suite, test cases, slices."""
        return sorted(self._cells, key=lambda unit: (unit.by is not None, unit.test_case is not None))

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""
        whole = self._cells[WHOLE]

        def of(said: Codes) -> Coverage:
            gaps = [int(whole.count[said == code].sum()) for code in (SKIPPED, ERROR, MISSING)]
            return Coverage(int(whole.count.sum()) - sum(gaps), *gaps)

        return of(whole.a), of(whole.b)

    def joint(self, unit: Unit) -> JointCounts:
        """The counts of a unit: of pairs, labels coded by their places in `labels`."""
        import numpy as np

        cells = self._cells[unit]
        counted = cells.truth != NO_LABEL
        if not self._strict:
            counted &= (cells.a >= NO_LABEL) & (cells.b >= NO_LABEL)
        cells = cells.where(counted)
        ranks = np.append(self._ranks, NO_LABEL)  # -1 finds the last
        said = (np.maximum(codes, NO_LABEL) for codes in (cells.a, cells.b))
        a, b = (ranks[codes] for codes in said)
        return joint_counts(ranks[cells.truth], a, b, count=cells.count, classes=len(self.labels))

    def discordant(self, unit: Unit, label: int | None = None) -> tuple[int, int]:
        """How many pairs only the candidate gets right, and how many only the baseline; of one class, or of all."""
        joint = self.joint(unit)
        right_a, right_b = joint.a == joint.truth, joint.b == joint.truth
        of_class = joint.truth == label if label is not None else joint.truth >= 0
        fixed = int(joint.count[of_class & right_b & ~right_a].sum())
        return fixed, int(joint.count[of_class & right_a & ~right_b].sum())
