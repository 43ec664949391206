"""From `module:function` to a function that may be called, or what stands against it."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from localreg.definitions.plan import Call, Plan
from localreg.definitions.worker.requirements import advice
from localreg.definitions.worker.sources import Code
from localreg.errors import InvalidInputError

__all__ = ["Function", "Part", "callable_of", "function_of", "not_installed"]

Part = Literal["load", "predict"]
"""Which of the two functions of a model is meant."""

UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
NAMED = 8
"""So many names a message lists."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the code that takes its inputs.

    Attributes:
        call: the function.
        inputs: keyword arguments, the device among them; holes are not filled yet.
    """

    call: Callable[..., Any]
    inputs: Mapping[str, object]


def function_of(plan: Plan, part: Part, code: Code) -> Function:
    """A function of the code, found, and its inputs compared with its parameters.

    Raises:
        InvalidInputError: see `callable_of`; or it cannot be called with these inputs (`wrong_inputs`).
    """
    call = _call_of(plan, part)
    found = callable_of(call.entrypoint, code, plan.place(f"{part}.entrypoint"))
    return Function(found, _inputs(plan, part, call, found))


def callable_of(entrypoint: str, code: Code, place: str) -> Callable[..., Any]:
    """A function of the code by its name.

    Args:
        entrypoint: `module:function`.
        code: where it is looked for.
        place: where it was said, for messages.

    Raises:
        InvalidInputError: there is no such module (`no_such_module`), it needs a package that is not installed
            (`missing_package`), it cannot be imported (`import_failed`), has no such function (`no_such_function`), or
            one that cannot be called (`not_callable`).
    """
    name, colon, path = entrypoint.partition(":")
    if not (colon and name and path and all((*name.split("."), *path.split(".")))):
        raise InvalidInputError(
            f"{place}: {entrypoint!r} is no entrypoint; write module:function, such as inference:predict",
            code="bad_entrypoint",
        )
    found: Any = _imported(code, name, place)
    so_far = name
    for each in path.split("."):
        try:
            found = getattr(found, each)
        except AttributeError:
            raise _no_function(found, each, so_far, place) from None
        so_far = f"{so_far}:{each}" if so_far == name else f"{so_far}.{each}"
    if not callable(found):
        raise InvalidInputError(
            f"{place}: {entrypoint} is no function but {_a(found)}; name something that can be called",
            code="not_callable",
        )
    return found  # type: ignore[no-any-return]


def _call_of(plan: Plan, part: Part) -> Call:
    call = plan.load if part == "load" else plan.predict
    assert call is not None, "a plan without load loads nothing"
    return call


# --- modules ----------------------------------------------------------------------------------------------------------


def _imported(code: Code, name: str, place: str) -> ModuleType:
    """The module of an entrypoint."""
    try:
        module = code.import_module(name)
    except (Exception, SystemExit) as error:
        told = not_installed(error, code, place)
        if told is None and _lacks(error, name, code):
            raise _no_module(code, name, place) from None
        raise told or _failed(error, code, name, place) from error
    file = getattr(module, "__file__", None)
    if code.has_module(name.partition(".")[0]) and not (file and code.within(file)):
        raise InvalidInputError(
            f"{place}: module {name!r} of the code has the name of one that Python itself uses "
            f"({file or 'built in'}); rename it",
            code="no_such_module",
        )
    return module


def _lacks(error: BaseException, name: str, code: Code) -> bool:
    """Whether it is the module itself that is not there, and not one that it imports."""
    if not isinstance(error, ModuleNotFoundError) or code.frame(error):
        return False
    lacking = code.name_of(error.name or "")
    return bool(lacking) and f"{name}.".startswith(f"{lacking}.")


def _no_module(code: Code, name: str, place: str) -> InvalidInputError:
    files = code.files()
    modules = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in files]
    near = _near(name, modules)
    has = f"It has {_listed(files)}" if files else f"There is no Python file in {code.root}"
    return InvalidInputError(f"{place}: no module {name!r} in the code{near or '.'} {has}", code="no_such_module")


def not_installed(error: BaseException, code: Code, place: str) -> InvalidInputError | None:
    """What to say of a module that the code imports and that is not there; None if that is not what happened."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    frame, lacking = code.frame(error), code.name_of(error.name)
    if not frame:
        return None  # nothing of the code was on the way
    top = lacking.partition(".")[0]
    if code.is_own(top):
        said = f"{frame}, imports {lacking!r}, which is not in the code; it has {_listed(code.files())}"
        told = InvalidInputError(f"{place}: {said}", code="no_such_module")
    else:
        said = f"{frame}, needs package {top!r}, which is not installed here; {advice(code.root, top)}"
        told = InvalidInputError(f"{place}: {said}", code="missing_package")
    return _noted(told, error, code)


def _failed(error: BaseException, code: Code, name: str, place: str) -> InvalidInputError:
    frame = code.frame(error)
    at = f"{frame}, raised " if frame else ""
    told = InvalidInputError(
        f"{place}: module {name!r} cannot be imported: {at}{type(error).__name__}: {error}", code="import_failed"
    )
    return _noted(told, error, code)


def _noted(told: InvalidInputError, error: BaseException, code: Code) -> InvalidInputError:
    text = "".join(traceback.format_exception(type(error), error, code.traceback(error)))
    told.add_note(f"localreg: in the model's code:\n{text}")
    return told


# --- functions --------------------------------------------------------------------------------------------------------


def _no_function(owner: object, name: str, of: str, place: str) -> InvalidInputError:
    held = getattr(owner, "__dict__", {})
    there = [
        each
        for each, value in held.items()
        if not each.startswith("_") and callable(value) and not isinstance(value, ModuleType)
    ]
    own = [each for each in there if getattr(held[each], "__module__", None) == getattr(owner, "__name__", None)]
    listed = f"; it has {_listed(own or there)}" if there else ""
    return InvalidInputError(
        f"{place}: {of} has no {name!r}{_near(name, there) or listed}",
        code="no_such_function",
    )


def _inputs(plan: Plan, part: Part, call: Call, function: Callable[..., Any]) -> dict[str, object]:
    """What a function is called with.

    Raises:
        InvalidInputError: it does not take that, or needs more.
    """
    inputs = dict(call.inputs)
    try:
        parameters = inspect.signature(function).parameters
    except (ValueError, TypeError):  # some that are written in C do not say
        return inputs
    named = [each for each in parameters.values() if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    names = [each.name for each in named]
    if "device" in names and plan.device is not None:
        inputs.setdefault("device", plan.device)
    takes = f"{call.entrypoint} takes {', '.join(names)}" if names else f"{call.entrypoint} takes no inputs"
    if not any(each.kind == each.VAR_KEYWORD for each in parameters.values()):
        for name in inputs:
            if name not in names:
                place = plan.place(f"{part}.inputs.{name}")
                near = _near(name, [each for each in names if each not in inputs])
                raise InvalidInputError(
                    f"{place}: {call.entrypoint} has no parameter {name!r}{near or '; ' + takes}", code="wrong_inputs"
                )
    needed = [each for each in parameters.values() if each.default is each.empty and each.kind not in UNNAMED]
    lacking = [each.name for each in needed if each.name not in inputs or each.kind is each.POSITIONAL_ONLY]
    if lacking:
        place = plan.place(f"{part}.inputs")
        raise InvalidInputError(f"{place}: {takes}, and is not given {', '.join(lacking)}", code="wrong_inputs")
    return inputs


# --- words ------------------------------------------------------------------------------------------------------------


def _near(name: str, there: Iterable[str]) -> str:
    from localreg.names import did_you_mean  # only an error needs it

    return did_you_mean(name, there)


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _a(value: object) -> str:
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"
