"""What an evaluation hangs on, as a digest: while it stays the same, stored results are the results.

It covers the evaluator's code, its state and its configuration; what it is given is the caller's to add. Code is the
source of the modules that define the evaluator and of those of the same project that these use, as it lies on disk,
and what was loaded of it, so that a file that was edited and not loaded again is not taken for what ran. Installed
packages do not count. Where any of this cannot be known (a prompt, a notebook, an object from elsewhere), there is no
key, and nothing is taken from storage.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import sys
import sysconfig
from functools import cache, partial
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from localreg.canonical import JsonValue, canonical, sha256_hex
from localreg.version import __version__
from localreg.workflow.evaluator_function import EvaluatorForm
from localreg.workflow.versioned import Versioned

__all__ = ["evaluator_key"]

OURS = "localreg"
READS_FILES = "__localreg_reads_files__"
"""Attribute of an evaluator whose results hang on files, too, that samples name."""
PLAIN = (str, int, float, bool, type(None))


def evaluator_key(form: EvaluatorForm, configuration: object, inputs: str) -> str | None:
    """The key of an evaluation; None if it cannot be known.

    Args:
        form: the evaluator.
        configuration: the one that it is given; None = none.
        inputs: a digest of what else it is given.
    """
    if getattr(form.evaluator, READS_FILES, False):  # which may hold other bytes by now
        return None
    look = _Look()
    try:
        told = [look.at(form.evaluator), look.at(configuration)]
        return sha256_hex(canonical([inputs, __version__, form.display_name, told, look.modules]))
    except (_UnknownError, RecursionError):
        return None


class _UnknownError(Exception):
    """What something is cannot be told in a way that holds in another process."""


class _Look:
    """Values as JSON, with the modules that their code lies in.

    Attributes:
        modules: by name, digests of the source and of what was loaded of it.
    """

    def __init__(self) -> None:
        self.modules: dict[str, JsonValue] = {}
        self._within: list[int] = []

    def at(self, value: object) -> JsonValue:
        """A value; numbers as text, since JSON has no NaN, and 1 is not True."""
        if isinstance(value, PLAIN) and type(value) in PLAIN:
            return [type(value).__name__, repr(value)]
        if id(value) in self._within:
            return ["again", len(self._within) - self._within.index(id(value))]
        self._within.append(id(value))
        try:
            return self._inside(value)
        finally:
            self._within.pop()

    def _inside(self, value: Any) -> JsonValue:
        name = type(value).__name__
        if isinstance(value, bytes | bytearray):
            return [name, sha256_hex(bytes(value))]
        if isinstance(value, PurePath | datetime.date | datetime.time | datetime.timedelta | range):
            return [name, repr(value)]
        if isinstance(value, enum.Enum):
            return [self._class(type(value)), value.name]
        if type(value) in (list, tuple):
            return [name, [self.at(each) for each in value]]
        if type(value) in (set, frozenset):
            return [name, sorted((self.at(each) for each in value), key=canonical)]
        if type(value) is dict:
            return [name, [[self.at(key), self.at(each)] for key, each in value.items()]]
        if type(value).__module__ == "numpy":
            return self._numpy(value)
        if isinstance(value, Versioned):
            return [name, value.version_id]
        return self._code(value)

    def _numpy(self, value: Any) -> JsonValue:
        if getattr(value, "dtype", None) is None or value.dtype.hasobject:
            raise _UnknownError
        return [str(value.dtype), list(value.shape), sha256_hex(value.tobytes())]

    def _code(self, value: Any) -> JsonValue:
        """Functions, classes, and objects of classes whose code is known."""
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, MethodType):
            return ["method", self.at(value.__func__), self.at(value.__self__)]
        if isinstance(value, partial):
            return ["partial", self.at(value.func), self.at(value.args), self.at(value.keywords)]
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, ModuleType):
            if _is_own(value.__name__):
                self._module(value.__name__)
            return ["module", value.__name__]
        if getattr(type(value), "__slots__", None) or not hasattr(value, "__dict__"):
            raise _UnknownError
        is_ours = type(value).__module__.partition(".")[0] == OURS
        if not (is_ours and dataclasses.is_dataclass(value)) and not _is_own(type(value).__module__):
            raise _UnknownError
        return [self._class(type(value)), self.at(dict(sorted(vars(value).items())))]

    def _function(self, function: FunctionType) -> JsonValue:
        if _top(function.__module__) in (OURS, *sys.stdlib_module_names) and function.__module__ != "__main__":
            return ["function", function.__module__, function.__qualname__]
        self._module(function.__module__, function.__code__.co_filename)
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        wrapped = vars(function).get("__wrapped__")
        state = [cells, function.__defaults__, function.__kwdefaults__, wrapped]
        return ["function", function.__module__, function.__qualname__, _loaded(function.__code__), self.at(state)]

    def _class(self, cls: type) -> JsonValue:
        said: dict[str, JsonValue] = {}
        for each in reversed(cls.__mro__):
            said |= {name: self.at(value) for name, value in vars(each).items() if _is_setting(name, value)}
            if _top(each.__module__) not in (OURS, *sys.stdlib_module_names) or each.__module__ == "__main__":
                self._module(each.__module__)
                methods = (value for value in vars(each).values() if isinstance(value, FunctionType))
                for method in methods:
                    if method.__module__ == each.__module__ and not _is_made(method):
                        self._module(method.__module__, method.__code__.co_filename)
        return ["class", cls.__module__, cls.__qualname__, said]

    def _module(self, name: str, file: str | None = None) -> None:
        """Note a module, and those of the same project that it uses."""
        module = sys.modules.get(name)
        place = getattr(module, "__file__", None)
        if module is None or place is None or Path(place).suffix != ".py":
            raise _UnknownError
        if file is not None and file != place:  # code that was made elsewhere, such as at a prompt, or by a decorator
            self.modules[file] = _source(file)
        if name in self.modules:
            return
        self.modules[name] = [_source(place)]
        codes, used = [], set()
        for value in vars(module).values():
            home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if home == name:
                codes += _codes_of(value)
            elif isinstance(home, str) and (_is_own(home) or _top(home) == _top(name) != OURS):
                self._module(home)
        for code in codes:
            used |= _names(code)
        there = vars(module)
        globals_ = {each: repr(there[each]) for each in used & there.keys() if _is_setting(each, there[each])}
        self.modules[name] = [_source(place), [*sorted(map(_loaded, codes))], {**globals_}]


def _is_setting(name: str, value: object) -> bool:
    """Whether a global, or an attribute of a class, is a plain value, which may have been set since it was loaded."""
    return type(value) in PLAIN and not name.startswith("__")


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # not yet
        return False


def _is_made(method: FunctionType) -> bool:
    """Whether a method was written by a decorator, such as `dataclass`."""
    return method.__code__.co_filename == "<string>"


def _source(file: str) -> str:
    try:
        return sha256_hex(Path(file).read_bytes())
    except OSError as error:
        raise _UnknownError from error


def _top(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _is_own(name: str) -> bool:
    """Whether a module is of somebody's project: neither ours, nor Python's, nor of an installed package."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or _top(name) == OURS or (_top(name) in sys.stdlib_module_names and name != "__main__"):
        return False
    return not any(Path(file).is_relative_to(folder) for folder in _installed())


@cache
def _installed() -> tuple[str, ...]:
    import site

    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(folder for folder in {*folders, site.getusersitepackages()} if folder)


def _codes_of(value: object) -> list[CodeType]:
    """The code of a function, or of the methods of a class, as it was loaded."""
    if isinstance(value, type):
        return [code for each in vars(value).values() for code in _codes_of_member(each) if code.co_filename[:1] != "<"]
    return _codes_of_member(value)


def _codes_of_member(value: object) -> list[CodeType]:
    parts = (value, *(getattr(value, name, None) for name in ("__func__", "fget", "func", "__wrapped__")))
    return [part.__code__ for part in parts if isinstance(part, FunctionType)]


def _names(code: CodeType) -> set[str]:
    return {*code.co_names}.union(*(_names(each) for each in code.co_consts if isinstance(each, CodeType)))


def _loaded(code: CodeType) -> str:
    """Digest of code as it was loaded, wherever it stands in its file."""
    constants: list[JsonValue] = [
        _loaded(each)
        if isinstance(each, CodeType)
        else repr(sorted(map(repr, each)))  # the order of a set differs from one process to the next
        if isinstance(each, frozenset)
        else repr(each)
        for each in code.co_consts
    ]
    return sha256_hex(canonical([code.co_code.hex(), [*code.co_names], [*code.co_varnames], constants]))
