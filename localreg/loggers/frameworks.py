"""Classes of frameworks to build upon, which need not be installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from localreg.errors import InvalidInputError

__all__ = ["class_of"]


def class_of(name: str, modules: Sequence[str], *, extra: str) -> type[Any]:
    """A class of a framework; where there is none of its packages, a class that tells so when it is made.

    Args:
        name: of the class.
        modules: where it may be, the best place first; one whose package is loaded already comes before others.
        extra: of ours, which installs it.
    """
    first: ImportError | None = None
    for module in sorted(modules, key=lambda each: _package(each) not in sys.modules):
        try:
            found = getattr(import_module(module), name)
        except ImportError as error:
            first = first or error
        else:
            assert isinstance(found, type)
            return found
    assert first is not None, "there is a module to look into"
    return _absent(name, _package(modules[0]), first, extra)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _absent(name: str, package: str, reason: ImportError, extra: str) -> type[Any]:
    told = "is not installed" if reason.name == package else f"cannot be imported ({reason})"

    def refuse(*_: object, **__: object) -> NoReturn:
        raise InvalidInputError(f"{package} {told}: pip install 'localreg-registry[{extra}]'") from reason

    return type(name, (), {"__new__": refuse})
