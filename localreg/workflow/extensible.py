"""Frozen dataclasses whose constructor takes, beside their fields, any further keywords: `BoundingBox(a, b, iou=0.9)`.

What such a keyword brings, an *extra*, becomes an attribute, counts in `==`, stands in `repr`, and goes along wherever
the fields of an object go: pickle, copy, `dataclasses.replace`, `dataclasses.asdict`. The hash is that of the fields.
Type checkers know the fields alone.

A subclass made with the standard `@dataclass(frozen=True)` takes extras as well. One made with pydantic's takes what
its configuration says: extras with `extra="allow"`.

The standard decorator writes no method that a class has already. So each subclass is given its methods before the
decorator sees it; the constructor, which must know the fields, writes itself when it is first called.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, InitVar, dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakSet

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.tables import note_extras

__all__ = ["Extensible", "complete", "extras_of"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Extensible:
    """Base of the classes that take extras; see the module."""

    __localreg_extras__ = True  # with an annotation it would be among the type hints of each class
    """What tells the tables, which do not know this class, that its objects hold more than their fields."""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if vars(cls).get("__slots__"):
            raise InvalidInputError(f"{cls.__name__} has slots, which leave extras no room; leave slots=True out")
        methods: dict[str, object] = {"__init__": _first_init(cls), "__eq__": _first_eq(cls), "__repr__": _shown}
        # An object that is unpickled was not constructed here, and must find its class complete all the same.
        if getattr(cls, "__setstate__", None) is None or getattr(cls.__setstate__, "__localreg__", False):  # type: ignore[attr-defined]
            methods["__setstate__"] = _setstate(cls)
        for name in methods.keys() - vars(cls).keys():
            setattr(cls, name, methods[name])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        complete(cls)  # pydantic's decorator writes a constructor of its own: this is where it meets the class
        return handler(source)

    if not TYPE_CHECKING:  # it would allow any assignment

        def __setattr__(self, name: str, value: object) -> None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name: str) -> None:
            raise FrozenInstanceError(f"cannot delete field {name!r}")


def extras_of(value: object) -> dict[str, object]:
    """The extras of an object, in the order in which they were given; also those that pydantic let in."""
    cls, attributes = type(value), vars(value)
    names = attributes.keys() - cls.__dataclass_fields__.keys()  # type: ignore[attr-defined]
    if not names:
        return {}
    return {name: attributes[name] for name in attributes if name in names and not _is_taken(cls, name)}


def _is_taken(cls: type, name: str) -> bool:
    """Whether a name is no extra: private, or an attribute of the class, such as a method or a cached property."""
    return name.startswith("_") or hasattr(cls, name)


def _shown(self: object) -> str:
    declared = fields(type(self))  # type: ignore[arg-type]
    parts = {field.name: getattr(self, field.name) for field in declared if field.repr} | extras_of(self)
    return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in parts.items())})"


# --- completing a class once its fields are known ---------------------------------------------------------------------


def _first_init(cls: type) -> Callable[..., None]:
    @_first
    def __init__(self: object, /, *values: object, **named: object) -> None:
        complete(cls)
        cast(Any, cls).__init__(self, *values, **named)

    return __init__


def _first_eq(cls: type) -> Callable[[object, object], bool]:
    @_first
    def __eq__(self: object, other: object) -> bool:
        complete(cls)
        return cast(bool, cast(Any, cls).__eq__(self, other))

    return __eq__


def _setstate(cls: type) -> Callable[[object, Mapping[str, object]], None]:
    def __setstate__(self: object, state: Mapping[str, object]) -> None:
        complete(cls)
        vars(self).update(state)
        if len(state) > len(fields(cls)):
            note_extras(cls)

    __setstate__.__localreg__ = True  # type: ignore[attr-defined]
    return __setstate__


_FIRST: WeakSet[Callable[..., Any]] = WeakSet()
"""Methods that stand in for those that `complete` writes."""


def _first(method: FunctionT) -> FunctionT:
    _FIRST.add(method)
    return method


_completing = threading.Lock()  # two threads may make the first objects of a class


def complete(cls: type) -> None:
    """Write what must know the fields, and let `fields` of an object, as `replace` and `asdict` call it, tell extras.

    Happens by itself before there is an object; called earlier, `help` knows the parameters.
    """
    with _completing:
        own = vars(cls)
        for name, write in {"__init__": _written_init, "__eq__": _written_eq}.items():
            if own.get(name) in _FIRST:
                setattr(cls, name, write(cls))
        declared = own.get("__dataclass_fields__")
        if declared is not None and not isinstance(declared, _Fields):
            setattr(cls, "__dataclass_fields__", _Fields(declared))  # noqa: B010 - mypy knows no such assignment


class _Fields(dict[str, Field[Any]]):
    """The fields of a class; asked for through an object, those and its extras."""

    def __get__(self, instance: object, owner: type) -> Mapping[str, Field[Any]]:
        extras = {} if instance is None else extras_of(instance)
        return self if not extras else {**self, **{name: _extra_field(name) for name in extras}}


@dataclass
class _Template:
    extra: object


def _extra_field(name: str) -> Field[Any]:
    field = copy.copy(fields(_Template)[0])
    field.name = name
    return field


def _written_eq(cls: type) -> Callable[[object, object], bool]:
    names = [field.name for field in fields(cls) if field.compare] or ["__class__"]
    values = attrgetter(*names, names[0])  # two at least, so that they come as a tuple, in which NaN is itself

    def __eq__(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other) and (vars(self) == vars(other) or extras_of(self) == extras_of(other))

    return __eq__


def _written_init(cls: type) -> Callable[..., None]:
    """As the standard decorator would write it, but for the last parameter.

    `object.__setattr__` rather than `self.__dict__`: the objects then share their keys and take no dict of their own.
    """
    _refuse_init_only(cls)
    declared = fields(cls)
    taken = {field.name for field in declared}
    this, extra = _free("self", taken), _free("extra", taken)
    ordinary: list[str] = []
    by_keyword: list[str] = []
    lines: list[str] = []
    known: dict[str, object] = {"_set": object.__setattr__, "_take": _take, "_MISSING": MISSING}
    for field in declared:
        name, value = field.name, field.name
        known |= {f"_default_{name}": field.default, f"_factory_{name}": field.default_factory}
        made = field.default_factory is not MISSING
        if made:
            value = f"_factory_{name}() if {name} is _MISSING else {name}" if field.init else f"_factory_{name}()"
        if field.init:
            default = "=_MISSING" if made else "" if field.default is MISSING else f"=_default_{name}"
            (by_keyword if field.kw_only else ordinary).append(name + default)
        if field.init or made:
            lines.append(f"_set({this}, {name!r}, {value})")
    lines.append(f"if {extra}: _take({this}, {extra})")
    if hasattr(cls, "__post_init__"):
        lines.append(f"{this}.__post_init__()")
    parameters = [this, "/", *ordinary, *(["*", *by_keyword] if by_keyword else []), f"**{extra}"]
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), known)
    init = cast(Any, known["__init__"])
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    init.__annotations__ = {field.name: field.type for field in declared if field.init} | {"return": None}
    return cast("Callable[..., None]", init)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _refuse_init_only(cls: type) -> None:
    for name, field in cls.__dataclass_fields__.items():  # type: ignore[attr-defined]
        if isinstance(field.type, InitVar) or "InitVar[" in str(field.type):
            raise InvalidInputError(f"{cls.__name__}.{name} is an InitVar, which is not kept; declare a field instead")


def _take(value: object, extras: Mapping[str, object]) -> None:
    cls = type(value)
    for name, extra in extras.items():
        if _is_taken(cls, name) or name in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            why = "begins with an underscore" if name.startswith("_") else f"means something else in {cls.__name__}"
            raise InvalidInputError(f"{cls.__name__}({name}={shown_value(extra)}): {name!r} {why}; choose another name")
        object.__setattr__(value, name, extra)
    note_extras(cls)
