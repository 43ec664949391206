"""Functions made bytes for another process: a model's `infer` with all that it holds, the types of its workflow too.

`pickle` writes functions and classes of modules, by name, as what the other process imports. What has no name there,
such as lambdas, functions within functions and what was defined in a notebook, is written with its code, by
`cloudpickle`, if that is installed. What stands in the script that was started (`__main__`) has a name only in
processes that import the script, too, as those of `multiprocessing` do; which is why such a script must start its work
below `if __name__ == "__main__":`.

Who reads such bytes runs what they say: they come from this program, and are kept nowhere.
"""

from __future__ import annotations

import io
import pickle
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from localreg.errors import InvalidInputError

__all__ = ["loaded", "portable"]

MAIN = "__main__"


def portable(value: object, what: str, *, named: object = None, imports_main: bool = False) -> bytes:
    """A value as bytes that `loaded` reads in another process.

    Args:
        value: a function, or an object that holds functions and classes; what it shares within stays shared.
        what: is meant, for messages, such as `infer of model 'm'`.
        named: the function that messages name; None = the value.
        imports_main: whether the other process imports the script that was started here, as `multiprocessing` does.

    Raises:
        InvalidInputError: it cannot be written; the message says which part if that is known, and what to do.
    """
    reason: Exception
    try:
        data, uses_main = _pickled(value)
        if not uses_main or (imports_main and _main_is_importable()):
            return data
        reason = LookupError(f"it was defined in {_main_name()}, which other processes do not import")
    except Exception as error:  # __reduce__ and __getstate__ are the user's, and may raise anything
        reason = error
    return _by_value(value, f"{what}, {_shown(value if named is None else named)},", reason)


def loaded(data: bytes) -> Any:
    """What `portable` wrote.

    Raises:
        Exception: what the import of a module raised that is not there, or what a `__setstate__` did.
    """
    return pickle.loads(data)


def _by_value(value: object, what: str, reason: Exception) -> bytes:
    """Write code where there is no name for it.

    Raises:
        InvalidInputError: see `portable`.
    """
    try:
        import cloudpickle  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise InvalidInputError(
            f"{what} cannot be sent to another process ({_told(reason)}); pip install cloudpickle, "
            "which sends lambdas, functions within functions and those of notebooks, or write it as a def at the top "
            "of a module"
        ) from reason
    try:
        return bytes(cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))
    except Exception as error:
        raise InvalidInputError(
            f"{what} cannot be sent to another process ({_told(error)}); make what it holds within "
            "the function, at its first call, instead of beside it, or run it with threads or without executor"
        ) from error


class _Noting(pickle.Pickler):
    """Notes whether something is written by its name in `__main__`."""

    uses_main = False

    def reducer_override(self, value: object) -> Any:
        """Let all be written as ever."""
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            self.uses_main = self.uses_main or value.__module__ == MAIN
        return NotImplemented


def _pickled(value: object) -> tuple[bytes, bool]:
    """By `pickle`, and whether it takes something from `__main__`."""
    written = io.BytesIO()
    pickler = _Noting(written, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dump(value)
    return written.getvalue(), pickler.uses_main


def _main() -> ModuleType | None:
    return sys.modules.get(MAIN)


def _main_is_importable() -> bool:
    """Whether the program is a script or a module, and no prompt, notebook, `python -c` or standard input."""
    main = _main()
    if main is None or hasattr(sys, "ps1") or "ipykernel" in sys.modules:
        return False
    file = getattr(main, "__file__", None)
    return getattr(main, "__spec__", None) is not None or (file is not None and not file.startswith("<"))


def _main_name() -> str:
    file = getattr(_main(), "__file__", None)
    return f"the script {file}" if file is not None and _main_is_importable() else "a prompt or a notebook"


def _shown(value: object) -> str:
    """The function that a person wrote."""
    function: Any = value
    for within in getattr(value, "__localreg_calls__", ())[:1]:
        function = within
    if not hasattr(function, "__qualname__"):
        function = type(function)
    return f"{function.__module__}.{function.__qualname__}"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
