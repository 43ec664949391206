"""Configurations of one evaluator, each evaluated by a worker process, as `measured` would here.

A worker is sent the objects that the evaluator is given; test cases and test suite, which evaluators may ask, it opens
itself, read-only and as of the same commit. Each configuration has a copy of the evaluator.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.progress import tell
from localreg.session import Elsewhere, Session
from localreg.workflow.chunks import answered, sent
from localreg.workflow.define_workflow import bound_classes
from localreg.workflow.evaluation import Measured, measured
from localreg.workflow.evaluation_inputs import Given, Member
from localreg.workflow.evaluator import EvaluatorConfiguration
from localreg.workflow.evaluator_function import EvaluatorForm
from localreg.workflow.executors import Workers
from localreg.workflow.portable import loaded, portable
from localreg.workflow.test_case import TestCase
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["evaluated_apart"]


@dataclass(frozen=True)
class _Sent:
    """What all configurations are given, without handles on the registry.

    Attributes:
        registry: where it lies, and as of which commit.
        workflow: whose suite it is.
        classes: of test cases and of the suite, where they have names to be imported by.
        suite: id of the version.
        members: for each test case the id of its version, its place and its positions.
        objects: samples, truths and inferences.
        rows: as of `Given`.
    """

    registry: Elsewhere
    workflow: Workflow
    classes: tuple[type[TestCase[Any, Any]] | None, type[TestSuite] | None]
    suite: str
    members: list[tuple[str, int, list[int]]]
    objects: tuple[list[Any], list[Any], list[Any]]
    rows: Indices

    @classmethod
    def of(cls, session: Session, state: State, suite: TestSuite, given: Given) -> _Sent:
        """Take the handles apart."""
        cases = {type(member.case) for member in given.members}
        return cls(
            Elsewhere.of(session, state),
            suite.workflow,
            (_named(cases.pop()) if len(cases) == 1 else None, _named(type(suite))),
            suite.version_id,
            [(member.case.version_id, member.place, member.positions) for member in given.members],
            (given.samples, given.truths, given.inferences),
            given.rows,
        )

    def opened(self) -> tuple[TestSuite, Given]:
        """The handles, in another process."""
        session = self.registry.opened()
        state = session.state()
        case_class, suite_class, _ = bound_classes(self.workflow)
        case_class, suite_class = self.classes[0] or case_class, self.classes[1] or suite_class

        def shown(handle: Any, kind: str, id: str) -> Any:
            row = state.get(kind, id)
            assert row is not None, "it was there at that commit"
            return handle._showing(session, row)

        members = [
            Member(shown(case_class, "test_case_version", id), place, positions)
            for id, place, positions in self.members
        ]
        suite = shown(suite_class, "test_suite_version", self.suite)
        return suite, Given(*self.objects, self.rows, members)


def _named(cls: type[Any]) -> type[Any] | None:
    """A class that another process can import, which those that `define_workflow` makes are not."""
    module = sys.modules.get(cls.__module__)
    return cls if cls.__module__ != "__main__" and getattr(module, cls.__qualname__, None) is cls else None


def evaluated_apart(
    workers: Workers | None,
    form: EvaluatorForm,
    configurations: Sequence[EvaluatorConfiguration | None],
    session: Session,
    state: State,
    suite: TestSuite,
    given: Given,
) -> list[Measured] | None:
    """What an evaluator says of a suite with each configuration; None if it has to be asked here.

    That is so without worker processes, with fewer than two configurations, where workers cannot see what is stored
    (in memory, or within a transaction), and for evaluators that cannot be sent.

    Raises:
        Exception: what the evaluator raised.
        InvalidInputError: a worker failed.
    """
    if workers is None or workers.shares_memory or len(configurations) < 2 or session.transaction_here() is not None:
        return None
    name, main = f"evaluator {form.display_name!r}", workers.imports_main
    try:
        shared = portable(_Sent.of(session, state, suite, given), f"what {name} is given", imports_main=main)
        own = [portable((form, each), name, named=form.evaluator, imports_main=main) for each in configurations]
    except InvalidInputError as error:
        tell(f"{error}. It is asked here, one configuration after the other.")
        return None
    calls: list[Future[bytes]] = []
    try:
        calls += [workers.executor.submit(_evaluated, shared, data, number) for number, data in enumerate(own)]
        return [_result(call, name, workers) for call in calls]
    finally:
        for call in calls:
            call.cancel()


def _result(call: Future[bytes], name: str, workers: Workers) -> Measured:
    failed = f"{name} could not be asked on {workers.name}"
    advice = "nothing of it is kept, inferences are: evaluate without executor"
    said = answered(call, name, failed=failed, advice=advice)
    assert isinstance(said, Measured)
    return said


def _evaluated(shared: bytes, own: bytes, number: int) -> bytes:
    """One configuration, in a worker. `number` tells calls apart, which some executors make once if they are equal."""
    try:
        suite, given = loaded(shared).opened()
        form, configuration = loaded(own)
        return portable(measured(form, configuration, suite, given), "what the evaluator said")
    except Exception as error:
        return portable(sent(error), "an exception")
