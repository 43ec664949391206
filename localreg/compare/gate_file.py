"""Gates in files: YAML, of which JSON is a part.

    metrics:
      accuracy: {min_value: 0.9, max_drop: 0.01}
      f1_macro: {margin: 0.02}
    critical: [night]
    require_improvement: false
    by: [metadata.weather]
    strict: true

Beside the rules stand the arguments of `Registry.compare`, as they are written there, but for `metrics`. What they may
be is for the comparison to say; here only their types are looked at.

A gate that is misread lets through what it was written to stop, so whatever is not understood is refused, with its
path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, get_args

from localreg.compare.asked import Asked
from localreg.compare.detected import F1_OPTIMAL
from localreg.compare.gate import Gate, check_critical
from localreg.compare.question import Question
from localreg.compare.scores import ScoreOf
from localreg.compare.verdicts import Adjust
from localreg.errors import InvalidInputError, NotFoundError, StorageError
from localreg.names import did_you_mean, shown_value
from localreg.query.text import plain
from localreg.workflow.shape_lists import IouType

if TYPE_CHECKING:
    import yaml

__all__ = ["GateFile", "read_gate"]

T = TypeVar("T")

_Checks: TypeAlias = "dict[str, Callable[[object, str], Any]]"
"""By key; each gets the value and its path."""


@dataclass(frozen=True)
class GateFile:
    """What a gate file says; None = nothing of that.

    Attributes:
        metrics: the rules.
        critical: test cases or slices in which they hold, too.
        require_improvement: whether the first metric must have improved.
        options: how to compare.
    """

    metrics: Mapping[str, Gate] = field(default_factory=dict)
    critical: list[str] = field(default_factory=list)
    require_improvement: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def asked(self) -> dict[str, Any]:
        """What it says of how to compare, as arguments of `Registry.compare`."""
        return dict(self.options)

    def refuse_other(self, question: Question | None) -> None:
        """Rules were written for a comparison of their kind: one that was asked otherwise might pass by that.

        Args:
            question: what the comparison was asked for; None = that was not kept.

        Raises:
            InvalidInputError: the file asks for something else; it may slice by less.
        """
        if question is None and self.options:
            raise InvalidInputError(
                f"the gate file says how to compare ({', '.join(self.options)}), and an earlier release did not keep "
                "how this comparison was asked; compare anew, with the file"
            )
        asked = {} if question is None else cast("dict[str, Any]", question.to_json()["asked"])
        for name, wanted in self.options.items():
            found = asked.get(name, Asked._field_defaults[name])
            is_so = set(wanted) <= set(_listed(found)) if name == "by" else plain(found) == plain(wanted)
            if not is_so:
                raise InvalidInputError(
                    f"the gate file asks for {name}: {shown_value(wanted)}, and the comparison was made without; "
                    "compare as the file says (localreg compare … --gate does), or take that out of it"
                )


def _listed(by: str | Sequence[str] | None) -> Sequence[str]:
    return [by] if isinstance(by, str) else by or ()


def read_gate(path: str | PathLike[str]) -> GateFile:
    """A gate from its file.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: it says something that no gate can; the key is named by its path.
    """
    shown = fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            content = _loaded(file.read(), shown)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no gate file {shown!r}; write one, or correct the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read the gate file {shown!r}: {error}") from error
    return _Reader(shown).gate(content)


def _loaded(text: str, shown: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """A key that stands twice is refused: YAML would forget the first rule without a word."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [str(key.value) for key, _ in node.value]
            twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
            if twice is not None:
                line = node.start_mark.line + 1
                raise InvalidInputError(f"{shown}: key {twice!r} stands twice in the mapping at line {line}")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{shown} is no YAML: {' '.join(str(error).split())}") from error


def _gate(limits: Any, _: str) -> Gate:
    return Gate(**limits)


class _Reader:
    """Takes what a file holds apart, and knows where it stands."""

    def __init__(self, file: str) -> None:
        self._file = file

    def gate(self, content: object) -> GateFile:
        rules: _Checks = {
            "metrics": self._metrics,
            "critical": lambda value, _: check_critical(value),
            "require_improvement": self._flag,
        }
        options = self._options()
        said = self._mapping(content, "")
        self._refuse_unknown(said, [*rules, *options], "")
        checks = {**rules, **options}
        read = {key: self._checked(checks[key], value, key) for key, value in said.items()}
        held = {key: read.pop(key) for key in rules if key in read}
        return GateFile(**held, options=read)

    def _options(self) -> _Checks:
        return {
            "by": self._texts,
            "bins": self._whole,
            "strict": self._flag,
            "confidence": self._share,
            "adjust": partial(self._one_of, get_args(Adjust)),
            "group_by": self._text,
            "evaluator": self._text,
            "configuration": self._text,
            "better": self._better,
            "positive": self._text,
            "score_of": partial(self._one_of, get_args(ScoreOf)),
            "bootstrap": self._whole,
            "score_threshold": self._threshold,
            "iou": self._share,
            "executor": self._text,
            "fmr": self._share,
            "iou_type": partial(self._one_of, get_args(IouType)),
        }

    def _checked(self, check: Callable[[object, str], Any], value: object, path: str) -> Any:
        try:
            return check(value, path)
        except InvalidInputError as error:
            if str(error).startswith(self._file):
                raise
            raise InvalidInputError(f"{self._file}: {path}: {error}") from error

    def _metrics(self, value: object, path: str) -> dict[str, Gate]:
        names = [each.name for each in fields(Gate)]
        rules = {}
        for metric, said in self._mapping(value, path).items():
            own = f"{path}.{metric}"
            limits = self._mapping(said, own)
            self._refuse_unknown(limits, names, f"{own}.")
            rules[metric] = self._checked(_gate, limits, own)
        return rules

    def _refuse_unknown(self, said: Mapping[str, object], known: Any, path: str) -> None:
        for key in said:
            if key not in known:
                hint = did_you_mean(key, known) or f"; there are {', '.join(known)}"
                raise InvalidInputError(f"{self._file}: no key {path + key!r} in a gate{hint}")

    def _mapping(self, value: object, path: str) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            where = path or "the file"
            raise InvalidInputError(f"{self._file}: {where} is {shown_value(value)}; it must be a mapping, name: value")
        return value

    def _flag(self, value: object, path: str) -> bool:
        return self._of(bool, value, "true or false")

    def _whole(self, value: object, path: str) -> int:
        return self._of(int, value, "a whole number")

    def _share(self, value: object, path: str) -> float:
        return self._of(float, value, "a number such as 0.95")

    def _texts(self, value: object, path: str) -> list[str]:
        texts = [value] if isinstance(value, str) else self._of(list, value, "a list of texts")
        return [self._of(str, each, "a list of texts") for each in texts]

    def _text(self, value: object, path: str) -> str:
        return self._of(str, value, "a text")

    def _threshold(self, value: object, path: str) -> float | str:
        if value == F1_OPTIMAL:
            return F1_OPTIMAL
        return float(value) if type(value) is int else self._of(float, value, f"a number, or {F1_OPTIMAL}")

    def _better(self, value: object, path: str) -> dict[str, str]:
        words = self._mapping(value, path)
        return {name: self._one_of(("higher", "lower"), word, f"{path}.{name}") for name, word in words.items()}

    def _one_of(self, words: Sequence[str], value: object, path: str) -> Any:
        if value not in words:
            raise InvalidInputError(f"{self._file}: {path}: {shown_value(value)}; it must be one of {', '.join(words)}")
        return value

    def _of(self, kind: type[T], value: object, wanted: str) -> T:
        if not isinstance(value, kind) or type(value) is not kind:  # True is an int, but no number
            raise InvalidInputError(f"{shown_value(value)}; it must be {wanted}")
        return value
