"""Whether the functions that a definition names are there, as far as that can be told without running anything."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
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


COMPILED = (".so", ".pyd")
"""Endings of modules of which nobody knows what is in them; Python prefers them to others of the same name."""

DEFINING = frozenset(("exec", "eval", "setattr", "globals", "vars", "locals", "__import__"))
"""Functions that can define names of a module without naming them there."""

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def check_entrypoints(runtime: Runtime, path: Path, code: Code, faults: Faults) -> None:
    """Note entrypoints of which it is certain that they cannot be called as the definition says.

    Modules that are not in the code may be those of a package, but not those of the definition: an entrypoint is in
    the repository. So is the function of `output.mapping`, of which only that it is there is looked at.
    """
    for name, call in runtime.calls():
        found = _checked(call.entrypoint, (*path, name, "entrypoint"), code, faults)
        if found is not None and not faults.under((*path, name, "inputs")):
            reason = _wrong_keywords(call, found, runtime.device)
            if reason is not None:
                faults.add((*path, name, *reason.place), reason.text)
    mapping = runtime.predict.output.mapping
    if isinstance(mapping, str):
        _checked(mapping, (*path, "predict", "output", "mapping"), code, faults)


class _Reason(NamedTuple):
    place: Path
    text: str


class _Found(NamedTuple):
    """A function, and the file that defines it."""

    function: _Function
    file: str


def _checked(text: str, place: Path, code: Code, faults: Faults) -> _Found | None:
    """What `module:function` certainly is; None if nobody can know, or it is not there, which is then a fault."""
    if faults.under(place):
        return None
    found = _look_up(text, code)
    if isinstance(found, str):
        faults.add(place, f"is {text!r}, and {found}")
        return None
    return found


def _look_up(text: str, code: Code) -> _Found | str | None:
    """A function; what is wrong, in words; or None, where nobody can know."""
    module, _, function = text.partition(":")
    stem = module.replace(".", "/")
    if any(each.startswith(f"{stem}.") and each.endswith(COMPILED) for each in code.paths):
        return None
    # Of a package and a module of one name Python takes the package.
    there = next((each for each in (f"{stem}/__init__.py", f"{stem}.py") if each in code.paths), None)
    if there is None:
        return None if any(each.startswith(f"{stem}.") for each in code.paths) else _no_module(module, code)
    try:
        defined = _names_in(code.read(there))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        told = f", line {line}" if line else ""
        return f"{there}{told} is no Python: {getattr(error, 'msg', error)}"
    except (RecursionError, MemoryError):
        return None  # nested too deeply for the parser here, which says nothing of another one
    first, *inner = function.split(".")
    if defined.is_open or (there.endswith("/__init__.py") and _has_part(stem, first, code)):
        return None
    if first not in defined.names:
        near = did_you_mean(first, defined.functions)
        have = f"; there are {', '.join(sorted(defined.functions)[:10])}" if defined.functions else ""
        return f"{there} defines no {first!r}{near or have}"
    certain = None if inner else defined.certain(first)
    return None if certain is None else _Found(certain, there)


def _no_module(module: str, code: Code) -> str:
    modules = sorted(each.removesuffix(".py").replace("/", ".") for each in code.paths if each.endswith(".py"))
    have = f"; there are {', '.join(modules[:10])}" if modules else "; there is no module at all"
    return f"the code has no module {module!r}{did_you_mean(module, modules) or have}"


def _has_part(package: str, name: str, code: Code) -> bool:
    """Whether a package has a module of a name, which becomes one of its names when anything imports it."""
    return any(each.startswith((f"{package}/{name}.", f"{package}/{name}/")) for each in code.paths)


@lru_cache(maxsize=32)
def _names_in(source: bytes) -> _Names:
    """What a module defines; the models of one file mostly share one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the code's style, such as "\d": its authors are told when it is run
        return _Names(ast.parse(source))


class _Names:
    """What a module defines at its top, at whatever depth of `if`, `try`, loops and the like."""

    def __init__(self, tree: ast.Module) -> None:
        self.functions: dict[str, _Function] = {}
        self._bound: Counter[str] = Counter()
        for node in _at_top(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[node.name] = node
            self._bound.update(_bound_by(node))
        nodes = list(ast.walk(tree))
        self._bound.update(name for node in nodes if isinstance(node, ast.Global) for name in node.names)
        self.is_open = "__getattr__" in self._bound or _may_define_more(nodes)
        """It may define, and redefine, more than can be seen."""

    @property
    def names(self) -> Collection[str]:
        """All of them."""
        return self._bound.keys()

    def certain(self, name: str) -> _Function | None:
        """The function of a name, if that can mean nothing else: an `else` or a later line may bind it anew."""
        return self.functions.get(name) if self._bound[name] == 1 else None


def _at_top(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes of a module but those of the bodies of functions and classes, whose names are their own."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        has_own = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        waiting += [each for each in ast.iter_child_nodes(node) if not (has_own and isinstance(each, ast.stmt))]


def _bound_by(node: ast.AST) -> list[str]:
    """The names that a node itself binds."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Import() | ast.ImportFrom():
            return [(each.asname or each.name).partition(".")[0] for each in node.names]
        case ast.Name(ctx=ast.Store() | ast.Del()):
            return [node.id]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
        case ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def _may_define_more(nodes: list[ast.AST]) -> bool:
    """Whether any code of a module, also of its functions, is able to define names that stand nowhere."""
    imports = [node for node in nodes if isinstance(node, ast.Import)]
    aliases = {each.asname or each.name: each.name for node in imports for each in node.names}
    for node in nodes:
        match node:
            case ast.ImportFrom(names=names, module=module):
                if any(each.name == "*" or (module, each.name) == ("sys", "modules") for each in names):
                    return True
            case ast.Name(id=name) if name in DEFINING:
                return True
            case ast.Attribute(value=ast.Name(id=holder), attr=name):
                holder = aliases.get(holder, holder)
                if (holder, name) == ("sys", "modules") or (holder == "builtins" and name in DEFINING):
                    return True
    return False


def _wrong_keywords(call: Load | Predict, found: _Found, device: str | None) -> _Reason | None:
    """Inputs that a function does not take, or parameters that it is not given; what decorators change nobody knows."""
    function, file = found
    if function.decorator_list:
        return None
    arguments = function.args
    named = [*arguments.args, *arguments.kwonlyargs]
    names = [each.arg for each in named]
    only_positional = [each.arg for each in arguments.posonlyargs]
    given = [each.name for each in call.inputs]
    takes = f"{function.name} in {file}, line {function.lineno}, takes {', '.join(names) or 'nothing by keyword'}"
    for number, name in enumerate(given):
        if name not in names and arguments.kwarg is None:
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
