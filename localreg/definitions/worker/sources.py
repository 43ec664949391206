"""The folder of a model's code, as one process imports it. Nothing is written there, so also no bytecode."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader  # which loads much else

__all__ = ["PRIVATE", "Code", "PathCode", "SourceLoader", "finder"]

PRIVATE = "_localreg_code_"
"""So the names begin under which isolated modules are known in their process."""

_LISTED = 200
"""So many files are looked at for messages, at most."""


class SourceLoader(SourceFileLoader):
    """Compiles, and keeps no bytecode."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def finder(
    folder: str,
    source: Callable[[str, str], Loader] = SourceLoader,
    sourceless: Callable[[str, str], Loader] = SourcelessFileLoader,
) -> FileFinder:
    """What finds the modules of one folder."""
    return FileFinder(
        folder,
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (source, SOURCE_SUFFIXES),  # type: ignore[arg-type]  # anything that makes a loader will do
        (sourceless, BYTECODE_SUFFIXES),  # type: ignore[arg-type]
    )


class Code:
    """The code of one model.

    Attributes:
        root: its folder.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self._entries: set[str] = set()
        if os.path.isdir(self.root):
            self._entries = set(os.listdir(self.root))

    def import_module(self, name: str) -> ModuleType:
        """A module by the name that the code has for it.

        Raises:
            Exception: what the import raises.
        """
        return importlib.import_module(name)

    def name_of(self, module: str) -> str:
        """The name that the code has for a module, which may have another one in this process."""
        return module

    def is_own(self, module: str) -> bool:
        """Whether the folder holds the module of this (dotted) name, or the package that should."""
        top = module.partition(".")[0]
        return self.has_module(top) or self.has_folder(top)

    def has_module(self, top: str) -> bool:
        """Whether there is such a module, or package with an `__init__`, at the top."""
        suffixes = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)
        if any(top + suffix in self._entries for suffix in suffixes):
            return True
        return any(os.path.isfile(os.path.join(self.root, top, "__init__" + suffix)) for suffix in suffixes)

    def has_folder(self, top: str) -> bool:
        """Whether there is such a folder at the top, which Python takes for a package if there is nothing better."""
        return top in self._entries and os.path.isdir(os.path.join(self.root, top))

    def files(self) -> list[str]:
        """Python files by their paths in the folder, sorted, the upper ones first; some of them if they are many."""
        found = [path for _, path in zip(range(_LISTED), self._walk(), strict=False)]
        return sorted(found, key=lambda path: (path.count("/"), path))

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(each for each in folders if not each.startswith((".", "__")))
            for name in sorted(files):
                if name.endswith(".py"):
                    yield os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, "/")

    def within(self, file: str) -> bool:
        """Whether a file is one of this folder."""
        return os.path.abspath(file).startswith(self.root + os.sep)

    def frame(self, error: BaseException) -> str:
        """Where in the code an exception came up, such as `inference.py, line 3`; empty if it was elsewhere."""
        told, each = "", error.__traceback__
        while each is not None:
            file = each.tb_frame.f_code.co_filename
            if self.within(file):
                told = f"{os.path.relpath(file, self.root)}, line {each.tb_lineno}"
            each = each.tb_next
        return told

    def traceback(self, error: BaseException) -> TracebackType | None:
        """Of an exception, from where the code was entered; all of it if that never was."""
        each = error.__traceback__
        while each is not None and not self.within(each.tb_frame.f_code.co_filename):
            each = each.tb_next
        return each or error.__traceback__

    def close(self) -> None:
        """Leave nothing behind in this process."""


class PathCode(Code):
    """Code in a process that is all its own: its folder comes first on `sys.path`."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        sys.path_hooks.insert(0, self._hook)
        sys.path.insert(0, self.root)
        sys.path_importer_cache.pop(self.root, None)

    def _hook(self, path: str) -> FileFinder:
        if os.path.isdir(path) and (path == self.root or self.within(path)):
            return finder(path)
        raise ImportError(path)
