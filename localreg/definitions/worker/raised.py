"""Exceptions on their way from the process of a model: as they are where that can be, else in words.

An exception is made again where its class, and all else that it needs, comes from modules that this process has loaded
or would load lightly: no code of a model is ever imported by who only asked for its predictions. One that shows a
secret is told in words, without it: what is raised is logged, printed and recorded.
"""

from __future__ import annotations

import io
import pickle
import sys
import traceback
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple

from localreg.definitions.worker.secrets import Secrets
from localreg.definitions.worker.sources import Code
from localreg.errors import InvalidInputError, LocalregError

__all__ = ["Raised", "received", "sent", "told_here"]

LIGHT = sys.stdlib_module_names | {"localreg", "numpy"}


class Raised(NamedTuple):
    """An exception on its way.

    Attributes:
        data: it, as bytes; None if it cannot be made again from any.
        summary: its type and message.
        text: its traceback, from where the model's code was entered.
        is_ours: it says what is wrong already: nothing needs to be added.
    """

    data: bytes | None
    summary: str
    text: str
    is_ours: bool


class _Pickler(pickle.Pickler):
    """Refuses what only the model's code knows."""

    def __init__(self, file: io.BytesIO, code: Code) -> None:
        super().__init__(file, protocol=5)
        self._code = code

    def reducer_override(self, value: object) -> Any:
        """Let all be written as ever that other processes know."""
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            module = sys.modules.get(value.__module__ or "")
            if value.__module__ == "__main__" or self._code.within(getattr(module, "__file__", None) or ""):
                raise pickle.PicklingError(f"{value!r} is of the model's code")
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Look up a class without importing much."""
        if module not in sys.modules and module.partition(".")[0] not in LIGHT:
            raise pickle.UnpicklingError(f"{module} is not loaded here")
        return super().find_class(module, name)


def sent(error: BaseException, code: Code, secrets: Secrets) -> Raised:
    """An exception, to be `received` in another process, where it shows no secrets."""
    error = _hidden(error, secrets) or error
    summary = f"{type(error).__qualname__}: {error}"
    text = "".join(traceback.format_exception(type(error), error, code.traceback(error)))
    data: bytes | None = None
    # Others than `Exception` end a program; this one ends whatever generator it is raised in again.
    if isinstance(error, Exception) and not isinstance(error, StopIteration) and not secrets.are_in(summary):
        with suppress(Exception):  # what it holds may raise anything when it is written or read
            file = io.BytesIO()
            _Pickler(file, code).dump(error)
            pickle.loads(file.getvalue())
            data = None if secrets.are_in_bytes(file.getvalue()) else file.getvalue()
    return Raised(data, secrets.hidden(summary), secrets.hidden(text), isinstance(error, LocalregError))


def received(raised: Raised, model: str) -> Exception:
    """An exception as `sent` took it; told in words where it cannot be made again."""
    error: object = None
    with suppress(Exception):  # its module may not be here
        error = None if raised.data is None else _Unpickler(io.BytesIO(raised.data)).load()
    if not isinstance(error, Exception):
        return _in_words(raised, model, "process")
    if not raised.is_ours:
        _note(error, raised, model, "process")
    return error


def told_here(error: BaseException, code: Code, secrets: Secrets, model: str) -> BaseException:
    """What a thread of this process tells of an exception: it, unless it shows secrets, or would end a generator."""
    if not isinstance(error, StopIteration) and not secrets.are_told_by(error):
        return error
    return _hidden(error, secrets) or _in_words(sent(error, code, secrets), model, "thread")


def _hidden(error: BaseException, secrets: Secrets) -> InvalidInputError | None:
    """What is raised in place of one of ours, which keeps its code; None if there is no need, or it is none of ours."""
    if type(error) is not InvalidInputError or not secrets.are_told_by(error):
        return None
    told = InvalidInputError(secrets.hidden(error.message), code=error.code)
    for note in getattr(error, "__notes__", ()):
        told.add_note(secrets.hidden(str(note)))
    return told


def _in_words(raised: Raised, model: str, where: str) -> InvalidInputError:
    """What is told in place of an exception, with its traceback as a note."""
    error = InvalidInputError(f"the code of model {model!r} raised {raised.summary}", code="raised_in_model")
    _note(error, raised, model, where)
    return error


def _note(error: Exception, raised: Raised, model: str, where: str) -> None:
    error.add_note(f"localreg: in the {where} of model {model!r}:\n{raised.text}")
