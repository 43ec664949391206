"""A test run's evaluation: what is stored already stays, the rest is made and stored in one commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.log import Row, State
from localreg.names import amount
from localreg.progress import tell
from localreg.records.access import RUNNER
from localreg.records.workflows import EvaluationRecord
from localreg.session import Changes, Session
from localreg.workflow.evaluating_apart import evaluated_apart
from localreg.workflow.evaluation import Measured, measured
from localreg.workflow.evaluation_inputs import Coverage, Inputs
from localreg.workflow.evaluation_key import evaluator_key
from localreg.workflow.evaluation_store import NewEvaluation, StoreEvaluations, evaluation_name, evaluation_tables
from localreg.workflow.evaluator import EvaluatorConfiguration
from localreg.workflow.evaluator_function import EvaluatorForm
from localreg.workflow.executors import Workers
from localreg.workflow.metric_rows import settings
from localreg.workflow.test_suite import TestSuite

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["Evaluating"]


class Evaluating:
    """An evaluator with its configurations, at work on one test run.

    Args:
        session: the namespace.
        form: the evaluator.
        configurations: those to evaluate with; none = once, without any.
        suite: the version of the suite.
        ensure: makes what results belong to; ids of workflow, model version and test run.
        suite_rows: the `sample_idx` of each row of the suite in a state.
    """

    def __init__(
        self,
        session: Session,
        form: EvaluatorForm,
        configurations: Sequence[EvaluatorConfiguration],
        suite: TestSuite,
        *,
        ensure: Callable[[Changes], tuple[str, str, str]],
        suite_rows: Callable[[State], Indices],
    ) -> None:
        self._session = session
        self._form = form
        self._configurations = configurations
        self._suite = suite
        self._ensure = ensure
        self._suite_rows = suite_rows

    def run(
        self, state: State, version: str | None, run: Row | None, *, refresh: bool, workers: Workers | None = None
    ) -> int:
        """Evaluate what is not stored, or was made of something else.

        Args:
            state: what is stored.
            version: id of the model version; None = none yet.
            run: the test run; None = none yet.
            refresh: evaluate in any case.
            workers: who evaluates, if there are several configurations; None = this thread.

        Returns:
            How many evaluations were made.
        """
        inputs = Inputs(self._session, state, self._suite, version)
        self._tell_left_out(inputs.coverage)
        # All keys before the first evaluation: an evaluator may keep what it computes.
        due = [each for each in self._planned(state, inputs.digest(), run) if refresh or not each.is_stored]
        if due:
            self._session.refuse_without(RUNNER)
        made = self._made(due, state, inputs, workers) if due else []
        if made:
            self._session.change(
                StoreEvaluations(self._session, made, ensure=self._ensure, suite_rows=self._suite_rows)
            )
        return len(made)

    def _made(self, due: list[_Planned], state: State, inputs: Inputs, workers: Workers | None) -> list[NewEvaluation]:
        configurations = [each.configuration for each in due]
        results = evaluated_apart(
            workers, self._form, configurations, self._session, state, self._suite, inputs.given
        ) or [measured(self._form, each, self._suite, inputs.given) for each in configurations]
        return [each.made(one, inputs) for each, one in zip(due, results, strict=True)]

    def _planned(self, state: State, inputs: str, run: Row | None) -> list[_Planned]:
        planned = []
        for configuration in self._configurations or (None,):
            said = None if configuration is None else settings(configuration)
            name = None if configuration is None else configuration.display_name()
            old = None if run is None else state.find(EvaluationRecord.kind, evaluation_name(name, said), run.id)
            planned.append(_Planned(configuration, said, evaluator_key(self._form, configuration, inputs), old))
        return planned

    def _tell_left_out(self, coverage: Coverage) -> None:
        counts = {"infer failed on": coverage.failed, "infer was not called on": coverage.missing}
        told = " and ".join(f"{amount(count, 'sample')} that {what}" for what, count in counts.items() if count)
        if told:
            tell(f"evaluator {self._form.display_name!r} leaves out {told}, of test suite {self._suite.name!r}")


class _Planned:
    """One evaluation to make, if it is not stored."""

    def __init__(
        self, configuration: EvaluatorConfiguration | None, said: JsonObject | None, key: str | None, old: Row | None
    ) -> None:
        self.configuration = configuration
        self._said = said
        self._key = key
        self._old = old

    @property
    def is_stored(self) -> bool:
        """Whether it was made of the same already."""
        return self._old is not None and self._key is not None and self._old.fields.get("key") == self._key

    def made(self, results: Measured, inputs: Inputs) -> NewEvaluation:
        """What is to be stored of its results."""
        return NewEvaluation(
            None if self.configuration is None else self.configuration.display_name(),
            self._said,
            self._key,
            None if self._old is None else self._old.id,
            inputs.coverage,
            evaluation_tables(results, inputs.given, [member.case.name for member in inputs.given.members]),
        )
