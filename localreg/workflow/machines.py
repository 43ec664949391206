"""What a model version answers on this machine, and on those that verified it before.

Of answers only digests are kept, with the record of the version. Where a digest differs and what is stored of the
sample is the other machine's answer, as its digest tells, that is looked at; else a digest of what was decided tells at
least whether the same was.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from localreg.canonical import JsonObject, canonical, sha256_hex
from localreg.records.determinism import Level
from localreg.records.machines import Digests, Machine
from localreg.tables import Node
from localreg.times import utc
from localreg.workflow.agreement import (
    Answer,
    Difference,
    Tolerance,
    agreement,
    agreement_of_digests,
    digests_of,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["KEPT", "Answers", "Compared", "OnAnother", "form_of", "on_others", "this_machine", "with_this"]

MACHINES = 8
"""So many are kept with a version, this one among them."""

KEPT = 256
"""Of so many samples digests are kept, for each machine."""

SCHEME = 1
"""How digests are made, by `digests_of`; another number whenever equal answers would come to other ones."""


class Answers(NamedTuple):
    """The first answers on this machine, and what is stored.

    Attributes:
        indices: `sample_idx` of each sample.
        given: the answers.
        stored: what is stored of each; None if nothing is of any.
        node: the schema of inferences.
    """

    indices: Indices
    given: Sequence[Answer]
    stored: Sequence[Answer] | None
    node: Node

    def digests(self, places: Sequence[int]) -> dict[int, Digests]:
        """Of the samples at some places, by `sample_idx`."""
        return {int(self.indices[place]): digests_of(self.given[place], self.node) for place in sorted(places)}


class OnAnother(NamedTuple):
    """How far an answer agrees with that of another machine.

    Attributes:
        place: of the sample.
        host: the other machine.
        level: how far; at least that, if only digests are known.
        found: in what they differ.
    """

    place: int
    host: str
    level: Level
    found: list[Difference]


def form_of(workflow: str, node: Node) -> str:
    """See `Machine.form`."""
    return sha256_hex(canonical([SCHEME, workflow, node.to_json()]))


def this_machine(
    host: str, *, code: JsonObject, batch_size: int | None, form: str, answers: Mapping[int, Digests]
) -> Machine:
    """This machine, with what was answered on it.

    Args:
        host: its name.
        code: the fingerprint of what answered.
        batch_size: how many samples it was given at once.
        form: of the digests.
        answers: digests of the first answers.
    """
    infer = code.get("infer")
    return Machine(
        host=host,
        platform=sys.platform,
        machine=platform.machine(),
        processor=_processor(),
        python=platform.python_version(),
        time=utc(datetime.now(UTC), what="time"),
        infer=None if infer is None else str(infer),
        batch_size=batch_size,
        form=form,
        answers=answers,
    )


def with_this(known: Sequence[JsonObject], here: Machine) -> list[JsonObject]:
    """The machines of a version's record, with this one as the last."""
    others = [each for each in known if each.get("host") != here.host]
    return [*others[-(MACHINES - 1) :], here.to_json()]


class Compared(NamedTuple):
    """What came of the comparison with other machines.

    Attributes:
        counts: how many answers were compared with those of each, by host.
        found: each of them.
    """

    counts: dict[str, int]
    found: list[OnAnother]


def on_others(known: Sequence[JsonObject], here: Machine, answers: Answers, tolerance: Tolerance) -> Compared:
    """The answers here beside those on other machines.

    Args:
        known: the machines of the version's record.
        here: this one.
        answers: what it answered; of those that no digest is kept of, nothing is compared.
        tolerance: of numbers.
    """
    compared = Compared({}, [])
    for there in map(Machine.from_json, known):
        if there.host != here.host:
            found = list(_on_another(there, here, answers, tolerance)) if there.is_comparable(here) else []
            compared.counts[there.host] = len(found)
            compared.found.extend(found)
    return compared


def _on_another(there: Machine, here: Machine, answers: Answers, tolerance: Tolerance) -> Iterator[OnAnother]:
    for place, index in enumerate(answers.indices.tolist()):
        theirs, ours = there.answers.get(index), here.answers.get(index)
        if theirs is None or ours is None:
            continue
        given = answers.given[place]
        stored = None if answers.stored is None else answers.stored[place]
        if theirs.answer != ours.answer and stored and digests_of(stored, answers.node).answer == theirs.answer:
            yield OnAnother(place, there.host, *agreement(stored, given, answers.node, tolerance))
        else:
            yield OnAnother(place, there.host, *agreement_of_digests(theirs, ours, given))


def _processor() -> str | None:
    """What the processor calls itself."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            named = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:  # not Linux
        named = ""
    return named or platform.processor() or None
