"""A workflow of the smallest types, for tests that need some rows and do not care which."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow

__all__ = ["Guess", "Picture", "TestCase", "TestSuite", "Truth", "TypedModel"]


@dataclass(frozen=True)
class Picture(TestSample):
    number: int


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: str


_, TestCase, TestSuite, TypedModel = define_workflow("pictures", Picture, Truth, Guess)
