"""What trying a model version again has shown: whether it gives one answer for one sample, and where that ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias, cast, get_args

from localreg.canonical import JsonObject, JsonValue
from localreg.names import amount

__all__ = ["LEVELS", "VARIATIONS", "Determinism", "Deviation", "Level", "Variation", "is_as_good", "weakest"]

Level: TypeAlias = Literal["machine", "bit-exact", "within tolerance", "decision-stable", "not deterministic"]
"""How much of the answers stays the same: all of it, also on another machine; all of it on this one; all but the last
digits; what is decided by them; less."""

LEVELS: tuple[Level, ...] = get_args(Level)
"""From the strongest to the weakest."""

Variation: TypeAlias = Literal["repeat", "order", "batch size", "process", "threads", "machine", "stored"]
"""What differed between two answers for one sample, from the least to the most.

`repeat`: nothing, it was asked again in the same process. `order`: the order of the samples. `batch size`: how many of
them came in one call. `process`: another process, as fresh as the first. `threads`: how many threads numeric libraries
may use. `machine`: another machine, when that verified the version last; tried if the level `machine` is asked for.
`stored`: what is in the registry was made before, by another process, perhaps with other code.
"""

VARIATIONS: tuple[Variation, ...] = get_args(Variation)


ADDED = frozenset(("host", "compared"))
"""What earlier releases did not say in a verdict."""


def is_as_good(level: Level, wanted: Level) -> bool:
    """Whether a level is at least another."""
    return LEVELS.index(level) <= LEVELS.index(wanted)


def weakest(levels: Iterable[Level]) -> Level:
    """The weakest of some levels; of none, the strongest that one machine can show."""
    return max(levels, key=LEVELS.index, default="bit-exact")


@dataclass(frozen=True, slots=True)
class Deviation:
    """The first sample, by `sample_idx`, of which two answers differ as much as the verdict says."""

    variation: Variation
    """Between which two answers."""

    sample_idx: int
    """The sample."""

    sample: str
    """The same, as text; long ones are cut."""

    path: str
    """The field that differs, such as `boxes[2].score`; "" = the inference as a whole."""

    before: JsonValue
    """What the earlier answer said: the first one of the fresh process; if `variation` is `stored`, the stored one; if
    it is `machine`, that of the other machine, or None if only digests of that are known."""

    after: JsonValue
    """What the later answer said: the first one of the fresh process, if `variation` is `stored` or `machine`."""

    difference: float | None
    """The greatest difference between two floats of this sample; None if no floats do, but for NaN and infinities."""

    host: str | None = None
    """The other machine, if `variation` is `machine`."""

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Deviation:
        """As it stands in the record of the version; what an earlier release did not say is None."""
        return cls(**{name: value.get(name) for name in cls.__slots__})  # type: ignore[arg-type]

    def __str__(self) -> str:
        by = "" if self.difference is None else f", greatest difference {self.difference:.3g}"
        place = f" {self.path}" if self.path else ""
        sample = f"sample_idx {self.sample_idx}, {self.sample}:{place}"
        if self.host is None:
            return f"{sample} {self.before!r} → {self.after!r}{by}"
        if self.before is None and not self.path:
            return f"{sample} {self.after!r}, and not what {self.host} answered, of which only a digest is kept"
        return f"{sample} {self.before!r} (on {self.host}) → {self.after!r}{by}"


@dataclass(frozen=True, slots=True, repr=False)
class Determinism:
    """The verdict on a model version: see `localreg.workflow.Model.verify_determinism`.

    Attributes:
        level: how much stayed the same under everything that was tried.
        wanted: how much was asked for; see `ok`.
        variations: the same for each thing that was tried, in the order of `Variation`.
        deviation: the first sample that shows it; None if all is bit-exact.
        samples: how many were inferred again.
        test_suite: of which suite, as `name@version`; None = any that the version had inferred.
        batch_size: how many samples `infer` is given at once; None = one, not in a list.
        rtol: tolerance of numbers, relative to the greater of the two.
        atol: tolerance of numbers, absolute, in addition.
        time: when it was verified, by that machine's clock, UTC, as the log writes it.
        fingerprint: of the code that was tried; see `test_runs.fingerprint`.
        host: the machine that verified it; None = told by an earlier release.
        compared: by host, with how many answers of other machines its answers were compared, if the level `machine` was
            asked for; 0 = these are of other samples, or were made in batches of another size, or of other types.
    """

    level: Level
    wanted: Level
    variations: Mapping[Variation, Level]
    deviation: Deviation | None
    samples: int
    test_suite: str | None
    batch_size: int | None
    rtol: float
    atol: float
    time: str
    fingerprint: JsonObject
    host: str | None = None
    compared: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the version is as deterministic as was asked for."""
        return is_as_good(self.level, self.wanted)

    @property
    def broken_by(self) -> Variation | None:
        """The least variation under which no more than `level` stayed the same; None if all is bit-exact."""
        return None if self.deviation is None else self.deviation.variation

    def to_json(self) -> JsonObject:
        """As it stands in the record of the version."""
        return {**cast(JsonObject, asdict(self)), "broken_by": self.broken_by}

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Determinism:
        """The inverse of `to_json`; keys that a later release may add are ignored."""
        fields = {name: value[name] for name in cls.__slots__ if name in value or name not in ADDED}
        told = cast("JsonObject | None", fields["deviation"])
        deviation = None if told is None else Deviation.from_json(told)
        tried = cast("Mapping[Variation, Level]", fields["variations"])
        variations = {each: tried[each] for each in VARIATIONS if each in tried}  # in JSON they go by the alphabet
        return cls(**{**fields, "deviation": deviation, "variations": variations})  # type: ignore[arg-type]

    @property
    def in_words(self) -> str:
        """On one line, such as `within tolerance (order), 32 samples, 2026-03-31`."""
        by = "" if self.broken_by is None else f" ({self.broken_by})"
        if self.level == "machine":
            by = f" (as on {', '.join(host for host, count in self.compared.items() if count)})"
        lacking = f"; {self.lacking}" if self.lacking else ""
        return f"{self.level}{by}, {amount(self.samples, 'sample')}, {self.time[:10]}{lacking}"

    @property
    def lacking(self) -> str:
        """Why no other machine's answers were compared, though the level `machine` was asked for; "" = they were.

        "" also where one machine has shown enough: whoever gives two answers there gives two on any.
        """
        if self.wanted != "machine" or "machine" in self.variations or self.level == "not deterministic":
            return ""
        if not self.compared:
            return "no other machine has verified it yet; run it there"
        return (
            f"{', '.join(self.compared)} verified it with other samples, in batches of another size or of other types; "
            "run it there as here"
        )

    @property
    def first_deviation(self) -> str:
        """The first sample that shows it, on one line; "" if all is bit-exact."""
        return "" if self.deviation is None else str(self.deviation)

    def __repr__(self) -> str:
        return str(self)  # what a notebook shows: the fingerprint names every package

    def __str__(self) -> str:
        lines = [self.in_words, *(f"  {variation:<10}  {level}" for variation, level in self.variations.items())]
        return "\n".join([*lines, f"  {self.first_deviation}"] if self.deviation else lines)
