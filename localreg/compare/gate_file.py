"""Gates in files: YAML, of which JSON is a part.

    metrics:
      accuracy: {min_value: 0.9, max_drop: 0.01}
      f1_macro: {margin: 0.02}
    critical: [night]
    require_improvement: false
    by: [metadata.weather]
    strict: true

A gate that is misread lets through what it was written to stop, so whatever is not understood is refused, with its
path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from localreg.compare.gate import Gate, check_critical
from localreg.compare.verdicts import Adjust
from localreg.errors import InvalidInputError, NotFoundError, StorageError
from localreg.names import did_you_mean, shown_value

if TYPE_CHECKING:
    import yaml

__all__ = ["GateFile", "read_gate"]

T = TypeVar("T")


@dataclass(frozen=True)
class GateFile:
    """What a gate file says; None = nothing of that.

    Attributes:
        metrics: the rules.
        critical: test cases or slices in which they hold, too.
        require_improvement: whether the first metric must have improved.
        by: expressions that make slices.
        bins: into how many slices numbers are cut.
        strict: whether a sample without an inference counts as wrong.
        confidence: of the intervals.
        adjust: how p-values are adjusted.
        fmr: which sets thresholds, in verification.
    """

    metrics: Mapping[str, Gate] = field(default_factory=dict)
    critical: list[str] = field(default_factory=list)
    require_improvement: bool = False
    by: list[str] | None = None
    bins: int | None = None
    strict: bool | None = None
    confidence: float | None = None
    adjust: Adjust | None = None
    fmr: float | None = None

    def asked(self) -> dict[str, Any]:
        """What it says of how to compare, as arguments of `Registry.compare`."""
        names = ("by", "bins", "strict", "confidence", "adjust", "fmr")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


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
        checks: dict[str, Callable[[object, str], Any]] = {
            "metrics": self._metrics,
            "critical": lambda value, _: check_critical(value),
            "require_improvement": self._flag,
            "by": self._texts,
            "bins": self._whole,
            "strict": self._flag,
            "confidence": self._share,
            "adjust": self._adjust,
            "fmr": self._share,
        }
        said = self._mapping(content, "")
        self._refuse_unknown(said, checks, "")
        return GateFile(**{key: self._checked(checks[key], value, key) for key, value in said.items()})

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

    def _adjust(self, value: object, path: str) -> Any:
        if value not in get_args(Adjust):
            raise InvalidInputError(f"{shown_value(value)}; it must be one of {', '.join(get_args(Adjust))}")
        return value

    def _of(self, kind: type[T], value: object, wanted: str) -> T:
        if not isinstance(value, kind) or type(value) is not kind:  # True is an int, but no number
            raise InvalidInputError(f"{shown_value(value)}; it must be {wanted}")
        return value
