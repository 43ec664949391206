"""Test cases, test suites and models of COCO detection."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from localreg.coco.types import Detections, Image, Objects
from localreg.log import State
from localreg.session import Session
from localreg.workflow.model import Model as AnyModel
from localreg.workflow.suite_change import SuiteChange
from localreg.workflow.test_case import TestCase as AnyCase
from localreg.workflow.test_suite import TestSuite as AnySuite
from localreg.workflow.workflow import Workflow

__all__ = ["WORKFLOW", "Model", "TestCase", "TestSuite"]

WORKFLOW = Workflow("COCO Detection", Image, Objects, Detections)


class TestCase(AnyCase[Image, Objects]):
    """A named, versioned set of images with what is in them; its arguments are told by `localreg.workflow.TestCase`."""

    workflow = WORKFLOW


class TestSuite(AnySuite):
    """A named, versioned list of test cases; its arguments are told by `localreg.workflow.TestSuite`."""

    workflow = WORKFLOW
    test_case_class: ClassVar[type[AnyCase[Any, Any]]] = TestCase

    @classmethod
    def request(cls, session: Session, name: str, description: str | None, *, reset: bool) -> SuiteChange:
        """An operation that makes the suite, or its next version; its content is to be set."""
        change = cls._asked(session, name, description, None, None)
        change.reset = reset
        return change

    @classmethod
    def shown(cls, session: Session, state: State, name: str) -> Self:
        """The newest version in a state."""
        return cls._loaded(session, state, name)


class Model(AnyModel[Image, Objects, Detections]):
    """A model, and a function from an `Image` to its `Detections`; see `localreg.workflow.Model`."""

    workflow = WORKFLOW
