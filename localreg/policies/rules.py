"""What a policy says: plain frozen data, checked when it is made, and stored as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from string import Formatter
from typing import Any, ClassVar, Literal, TypeAlias, cast

from localreg.canonical import JsonObject
from localreg.errors import FormatError, InvalidInputError
from localreg.names import check_alias, check_name, check_tag, check_text, check_version, check_whole, shown_value

__all__ = [
    "RULES",
    "Action",
    "AliasGate",
    "Label",
    "Promotion",
    "Retention",
    "Rule",
    "rule_from",
    "rule_json",
    "seconds_of",
]

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Which versions, or checkpoints, are kept: what fits one of these. Others are deleted.

    Whatever an alias points to, and whatever something was made of or depends on, such as test runs, is kept in any
    case; so is what a commit itself made or changed, until the next one, and that of which a metric or condition is not
    known. What is deleted stays in the audit log, and comes back with `undo` until its bytes are cleaned up.

    Attributes:
        keep_last: so many that were made last.
        keep_best: so many with the best `metric`.
        metric: name of a metric; of versions, what was said of them all together.
        mode: whether more (`max`) or less (`min`) of it is better.
        younger_than: those made less long ago: a timedelta, or text such as `30d`, `12h`, `2w`.
        keep_when: those of which the condition holds.
        of: `versions` of the model; or `checkpoints`, of each experiment of the namespace.
    """

    kind: ClassVar[str] = "retention"

    keep_last: int | None = None
    keep_best: int | None = None
    metric: str | None = None
    mode: Literal["max", "min"] = "max"
    younger_than: timedelta | str | None = None
    keep_when: str | None = None
    of: Literal["versions", "checkpoints"] = "versions"

    def __post_init__(self) -> None:
        for name in ("keep_last", "keep_best"):
            if getattr(self, name) is not None and check_whole(getattr(self, name), what=name) == 0:
                raise InvalidInputError(f"{name} is 0; write 1 or more, or leave it out")
        _check_choice("mode", self.mode, ("max", "min"))
        _check_choice("of", self.of, ("versions", "checkpoints"))
        if (self.keep_best is None) != (self.metric is None):
            raise InvalidInputError("keep_best goes by a metric; give both, or neither")
        if self.metric is not None:
            check_name(self.metric, what="metric")
        if self.younger_than is not None:
            object.__setattr__(self, "younger_than", _age_text(self.younger_than))
        if self.keep_when is not None:
            check_text(self.keep_when, what="keep_when")
        if all(each is None for each in (self.keep_last, self.keep_best, self.younger_than, self.keep_when)):
            raise InvalidInputError(
                "a retention that keeps nothing would delete all; say keep_last, keep_best, younger_than or keep_when"
            )


@dataclass(frozen=True, kw_only=True)
class Label:
    """Versions of which a condition holds get a tag, or the newest of them an alias.

    A tag stays when the condition no longer holds; an alias moves to a newer version of which it does.

    Attributes:
        when: the condition.
        tag: of the version.
        alias: of the model. Exactly one of both.
    """

    kind: ClassVar[str] = "label"

    when: str
    tag: str | None = None
    alias: str | None = None

    def __post_init__(self) -> None:
        check_text(self.when, what="when")
        if (self.tag is None) == (self.alias is None):
            raise InvalidInputError("a label is a tag or an alias; give one of both")
        if self.tag is not None:
            object.__setattr__(self, "tag", check_tag(self.tag))
        if self.alias is not None:
            object.__setattr__(self, "alias", check_alias(self.alias))


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Checkpoints become versions of the model: when they are the best so far, or a condition holds, or both.

    Each checkpoint once. A metric counts that was said with the checkpoint.

    Attributes:
        experiment: name of the experiment; None = any.
        best: a metric; the checkpoint must have more of it (`mode="max"`) or less (`"min"`) than all that were saved
            before it, in this experiment, or in any if none is named.
        mode: see `best`.
        when: a condition over checkpoints.
        version: what the version is called; `{experiment}`, `{checkpoint}`, `{step}` and `{epoch}` are put in.
            None = the next number.
        alias: moved to the new version, if gates let it pass.
    """

    kind: ClassVar[str] = "promotion"

    experiment: str | None = None
    best: str | None = None
    mode: Literal["max", "min"] = "max"
    when: str | None = None
    version: str | None = None
    alias: str | None = None

    def __post_init__(self) -> None:
        _check_choice("mode", self.mode, ("max", "min"))
        if self.best is None and self.when is None:
            raise InvalidInputError("a promotion of all checkpoints is none; say best= or when=")
        if self.experiment is not None:
            object.__setattr__(self, "experiment", check_name(self.experiment, what="experiment"))
        if self.best is not None:
            check_name(self.best, what="best")
        if self.when is not None:
            check_text(self.when, what="when")
        if self.version is not None:
            self.called(experiment="e", checkpoint="c", step=1, epoch=1)
        if self.alias is not None:
            object.__setattr__(self, "alias", check_alias(self.alias))

    def called(self, **said: object) -> str:
        """The version string for a checkpoint.

        Raises:
            InvalidInputError: the pattern has other names, or gives no version string.
        """
        pattern = str(self.version)
        try:
            names = {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
            if names <= said.keys():  # a field of a field would look into objects
                return check_version(pattern.format(**said))
        except (ValueError, TypeError) as error:
            if isinstance(error, InvalidInputError):
                raise
        raise InvalidInputError(
            f"version {shown_value(pattern)} cannot be filled in; it may hold {{experiment}}, {{checkpoint}}, {{step}} "
            "and {epoch}"
        )


@dataclass(frozen=True, kw_only=True)
class AliasGate:
    """An alias moves only to versions of which all criteria hold, whoever moves it.

    Attributes:
        alias: such as `production`.
        require: conditions over versions; each must hold.
        no_regression: there must be a saved comparison with the version that the alias points to as baseline, in whose
            newest no metric regressed: True, or the name of the test suite that it must be on. The first version that
            gets the alias has nobody to be compared with.
    """

    kind: ClassVar[str] = "gate"

    alias: str
    require: tuple[str, ...] = ()
    no_regression: bool | str = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "alias", check_alias(self.alias))
        given: object = self.require
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InvalidInputError(f"require is {shown_value(given)}; write a list of conditions")
        object.__setattr__(self, "require", tuple(check_text(each, what="require") for each in given))
        if not isinstance(self.no_regression, bool):
            object.__setattr__(self, "no_regression", check_name(self.no_regression, what="no_regression"))
        if not self.require and self.no_regression is False:
            raise InvalidInputError("a gate that asks for nothing lets all pass; say require= or no_regression=")


@dataclass(frozen=True, kw_only=True)
class Action:
    """A function of yours that is called when an event comes, by `registry.run_pending()`, at least once for each.

    Once for each commit that brings the event, however often it does. What policies do sets off none.

    It gets the version, model, checkpoint or experiment that the event is of, and returns None, the path of a file or
    folder, bytes, or a dict of names with these: they become artifacts of it.

    Attributes:
        run: `module:function`.
        on: what is done to a version, model or checkpoint, by the verb of its audit event, such as `promote`, `create`
            or `set_alias`; `set_alias:production` for one alias; or `event:` and a name that is reported with
            `event()`.
        when: a condition over versions; then events of other things count for nothing.
        attempts: how often it is tried.
    """

    kind: ClassVar[str] = "action"

    run: str
    on: str
    when: str | None = None
    attempts: int = 3

    def __post_init__(self) -> None:
        if _FUNCTION.fullmatch(check_text(self.run, what="run")) is None:
            raise InvalidInputError(f"run is {shown_value(self.run)}; write module:function")
        check_text(self.on, what="on")
        if not self.on.strip() or self.on in ("event:", "set_alias:"):
            raise InvalidInputError(f"on is {shown_value(self.on)}; write a verb such as promote, or event:NAME")
        if self.when is not None:
            check_text(self.when, what="when")
        if check_whole(self.attempts, what="attempts") == 0:
            raise InvalidInputError("attempts is 0; write 1 or more")


Rule: TypeAlias = Retention | Label | Promotion | AliasGate | Action

RULES: dict[str, type[Rule]] = {each.kind: each for each in (Retention, Label, Promotion, AliasGate, Action)}
"""The classes by the kind that stands in the log."""


def rule_json(rule: Rule) -> JsonObject:
    """A rule as it is stored: what is not the default."""
    told = {field.name: (getattr(rule, field.name), field.default) for field in fields(rule)}
    said = {name: value for name, (value, default) in told.items() if value != default}
    return cast(JsonObject, {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()})


def rule_from(kind: str, said: Mapping[str, Any]) -> Rule:
    """A stored rule.

    Raises:
        FormatError: a later release wrote it.
    """
    known = RULES.get(kind)
    if known is None or said.keys() - {field.name for field in fields(known)}:
        raise FormatError(f"a later release made this {kind} policy; upgrade localreg")
    try:
        return known(**said)
    except InvalidInputError as error:
        raise FormatError(f"a later release made this {kind} policy; upgrade localreg: {error}") from error


def seconds_of(age: timedelta | str) -> float:
    """An age in seconds.

    Raises:
        InvalidInputError: it is none.
    """
    if isinstance(age, timedelta):
        return age.total_seconds()
    found = _AGE.fullmatch(age.strip()) if isinstance(age, str) else None
    if found is None:
        raise InvalidInputError(f"{shown_value(age)} is no age; write such as 30d, 12h or 2w, or give a timedelta")
    return float(found[1]) * _SECONDS[found[2]]


def _age_text(age: timedelta | str) -> str:
    seconds = seconds_of(age)
    if not seconds > 0:
        raise InvalidInputError(f"an age of {shown_value(age)} is none; write such as 30d")
    return age.strip() if isinstance(age, str) else f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidInputError(f"{what} is {shown_value(value)}; write {' or '.join(map(repr, choices))}")
