"""Which machines have verified a model version, with digests of what it answered there: others compare theirs with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from localreg.canonical import JsonObject, JsonValue

__all__ = ["Digests", "Machine"]


class Digests(NamedTuple):
    """Of one answer: sha256 of its canonical form."""

    answer: str
    """Of all that it says, to the bit."""

    decision: str | None
    """Of what it decides, see `localreg.workflow.agreement`; None if it decides nothing."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that has verified a model version, and what the version answered there at last."""

    host: str
    """Its name, as the audit log writes it; machines are told apart by it."""

    platform: str
    """The system, such as `linux`."""

    machine: str
    """The architecture, such as `x86_64`."""

    processor: str | None
    """As it calls itself, such as `AMD EPYC 7B13`; None = unknown."""

    python: str
    """The version of Python."""

    time: str
    """When it was verified, by that machine's clock, UTC, as the log writes it."""

    infer: str | None
    """sha256 of the code that answered; None = unknown."""

    batch_size: int | None
    """How many samples `infer` was given at once; None = one, not in a list."""

    form: str
    """Digest of all that the digests hang on but the answers: workflow, type of inference, how they are made."""

    answers: Mapping[int, Digests]
    """By `sample_idx`, of the first answers of a fresh process: at most 256."""

    def is_comparable(self, other: Machine) -> bool:
        """Whether the answers of two machines to one sample ought to be the same."""
        return (self.form, self.batch_size) == (other.form, other.batch_size)

    def to_json(self) -> JsonObject:
        """As it stands in the record of the version."""
        said = {name: getattr(self, name) for name in self.__slots__}
        return {**said, "answers": {str(index): list(digests) for index, digests in self.answers.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Machine:
        """The inverse of `to_json`; keys that a later release may add are ignored."""
        said = {name: value[name] for name in cls.__slots__}
        answers = cast("Mapping[str, list[str]]", said["answers"])
        by_index = {int(index): Digests(*digests) for index, digests in answers.items()}
        return cls(**{**said, "answers": by_index})  # type: ignore[arg-type]

    def __str__(self) -> str:
        facts = (self.processor, f"{self.platform} {self.machine}", f"Python {self.python}", self.time[:10])
        return f"{self.host} ({', '.join(each for each in facts if each)})"
