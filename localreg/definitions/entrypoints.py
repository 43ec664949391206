"""Whether the functions that a definition names are there, as far as that can be told without running anything."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from localreg.definitions.faults import Faults, Path
from localreg.definitions.schema import Load, Predict, Runtime
from localreg.names import did_you_mean

__all__ = ["Code", "check_entrypoints"]


class Code(NamedTuple):
    """The files of a model's code.

    Attributes:
        paths: relative, parted by `/`.
        read: gives the bytes of one.
    """

    paths: Collection[str]
    read: Callable[[str], bytes]


_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def check_entrypoints(runtime: Runtime, path: Path, code: Code, faults: Faults) -> None:
    """Note entrypoints of which it is certain that they cannot be called as the definition says.

    Modules that are not in the code may be those of a package, but not those of the definition: an entrypoint is in
    the repository.
    """
    for name, call in runtime.calls():
        if faults.under((*path, name, "entrypoint")):
            continue
        reason = _fault(call, code, runtime.device)
        if reason is not None and not faults.under((*path, name, *reason.place[:1])):
            faults.add((*path, name, *reason.place), reason.text)


class _Reason(NamedTuple):
    place: Path
    text: str


def _fault(call: Load | Predict, code: Code, device: str | None) -> _Reason | None:
    module, _, function = call.entrypoint.partition(":")
    place: Path = ("entrypoint",)
    files = (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py")
    there = next((each for each in files if each in code.paths), None)
    if there is None:
        if any(each.startswith(f"{module.replace('.', '/')}.") for each in code.paths):
            return None  # compiled: nobody knows what is in it
        modules = sorted(each.removesuffix(".py").replace("/", ".") for each in code.paths if each.endswith(".py"))
        have = f"; there are {', '.join(modules[:10])}" if modules else "; there is no module at all"
        return _Reason(
            place,
            f"is {call.entrypoint!r}, and the code has no module {module!r}{did_you_mean(module, modules) or have}",
        )
    try:
        defined = _names_in(code.read(there))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        told = f", line {line}" if line else ""
        return _Reason(place, f"is {call.entrypoint!r}, and {there}{told} is no Python: {getattr(error, 'msg', error)}")
    first, *inner = function.split(".")
    if first not in defined.names:
        if defined.is_open:
            return None
        near = did_you_mean(first, defined.functions)
        have = f"; there are {', '.join(sorted(defined.functions)[:10])}" if defined.functions else ""
        return _Reason(place, f"is {call.entrypoint!r}, and {there} defines no {first!r}{near or have}")
    found = defined.functions.get(first)
    return None if inner or found is None else _wrong_keywords(call, found, there, device)


@lru_cache(maxsize=32)
def _names_in(source: bytes) -> _Names:
    """What a module defines; the models of one file mostly share one."""
    return _Names(ast.parse(source))


class _Names:
    """What a module defines at its top."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: set[str] = set()
        self.functions: dict[str, _Function] = {}
        self.is_open = False
        """It may define more than can be seen."""
        for node in _statements(tree.body):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[node.name] = node
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.names.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.is_open |= any(each.name == "*" for each in node.names)
                self.names |= {(each.asname or each.name).partition(".")[0] for each in node.names}
            else:
                self.names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        self.is_open |= "__getattr__" in self.names or "globals" in self.names


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those below `if` and `try` as well."""
    for node in body:
        yield node
        for field in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(node, field, []))
        for handler in getattr(node, "handlers", ()):
            yield from _statements(handler.body)


def _wrong_keywords(call: Load | Predict, function: _Function, file: str, device: str | None) -> _Reason | None:
    """Inputs that a function does not take, or parameters that it is not given; what decorators change nobody knows."""
    if function.decorator_list:
        return None
    arguments = function.args
    named = [*arguments.args, *arguments.kwonlyargs]
    names = [each.arg for each in named]
    only_positional = [each.arg for each in arguments.posonlyargs]
    given = [each.name for each in call.inputs]
    takes = f"{function.name} in {file}, line {function.lineno}, takes {', '.join(names) or 'nothing by keyword'}"
    for number, name in enumerate(given):
        if name in only_positional or (name not in names and arguments.kwarg is None):
            return _Reason(("inputs", number, "name"), f"is {name!r}, and {takes}{did_you_mean(name, names)}")
    with_default = set(names[len(arguments.args) - _defaults(arguments) : len(arguments.args)])
    with_default |= {
        each.arg
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    }
    injected = {"device"} if device is not None else set()
    lacking = [name for name in names if name not in with_default and name not in given and name not in injected]
    lacking += only_positional[: max(0, len(only_positional) - max(0, len(arguments.defaults) - len(arguments.args)))]
    if lacking:
        return _Reason(("inputs",), f"lacks {', '.join(map(repr, lacking))}: {takes}")
    return None


def _defaults(arguments: ast.arguments) -> int:
    """How many of the last plain parameters have a default."""
    return min(len(arguments.defaults), len(arguments.args))
