"""Code that shares a process with other code, where two models may both have a module `inference`.

All modules of one model's folder are modules of a package that has a name of its own in `sys.modules`. What they import
by its own name, they find there: their `import` statements, at the top or within functions, are answered by an
`__import__` of their own, which stands in their `__builtins__`. All other code imports as ever, and `sys.path` stays as
it is.

So it does not help where a name reaches Python another way: `importlib.import_module("helpers")` and `"helpers"` in
`sys.modules`; pickles that name modules of the code (as `torch.save` of a whole model writes); processes that the code
starts; modules written in C that import others. Such code needs a process.
"""

from __future__ import annotations

import builtins
import importlib
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import FileFinder, ModuleSpec, PathFinder, SourcelessFileLoader
from types import ModuleType
from typing import Any

from localreg.definitions.worker.sources import PRIVATE, Code, SourceLoader, finder

__all__ = ["IsolatedCode"]

_numbers = itertools.count(1)


class IsolatedCode(Code):
    """The code of one model, known to this process under a name of its own.

    Args:
        root: its folder.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._package = f"{PRIVATE}{next(_numbers)}"
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._is_own: dict[str, bool] = {}
        package = ModuleType(self._package)
        package.__path__ = [self.root]
        package.__spec__ = ModuleSpec(self._package, None, is_package=True)
        sys.modules[self._package] = package
        self._finder = _Finder(self._package, self._builtins)
        sys.meta_path.insert(0, self._finder)

    def import_module(self, name: str) -> ModuleType:
        """See `Code.import_module`; what the folder does not hold is imported as ever."""
        return importlib.import_module(self._private(name))

    def name_of(self, module: str) -> str:
        """See `Code.name_of`."""
        return module.removeprefix(f"{self._package}.")

    def close(self) -> None:
        """See `Code.close`. Functions of the code that still run can import nothing more of it."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for name in list(sys.modules):
            if f"{name}.".startswith(f"{self._package}."):
                del sys.modules[name]

    def _private(self, name: str) -> str:
        return f"{self._package}.{name}" if self._takes(name.partition(".")[0]) else name

    def _takes(self, top: str) -> bool:
        """Whether a name means a module of the folder, as it would if the folder came first on the path."""
        if top not in self._is_own:
            own = self.has_module(top)
            if not own and self.has_folder(top):  # Python takes such a folder if there is nothing better anywhere
                elsewhere = PathFinder.find_spec(top)
                own = elsewhere is None or elsewhere.loader is None or elsewhere.origin is None
            self._is_own[top] = own and top not in sys.builtin_module_names
        return self._is_own[top]

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What `import` statements of the code call."""
        if level or not self._takes(name.partition(".")[0]):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        private = f"{self._package}.{name}"
        if fromlist:
            return builtins.__import__(private, globals, locals, fromlist, 0)
        importlib.import_module(private)
        return sys.modules[f"{self._package}.{name.partition('.')[0]}"]


class _Finder:
    """Finds the modules of one package, and has them import by `builtins`."""

    def __init__(self, package: str, builtins: dict[str, Any]) -> None:
        self._prefix, self._builtins = f"{package}.", builtins
        self._finders: dict[str, FileFinder] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module."""
        if not fullname.startswith(self._prefix):
            return None
        folders: list[str] = []
        for folder in path or ():
            spec = self._in(folder).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
            folders += (spec.submodule_search_locations or ()) if spec else ()
        if not folders:
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = folders
        return spec

    def invalidate_caches(self) -> None:
        """Look at the folders again."""
        for each in self._finders.values():
            each.invalidate_caches()

    def _in(self, folder: str) -> FileFinder:
        if folder not in self._finders:
            self._finders[folder] = finder(folder, self._loader(_Source), self._loader(_Sourceless))
        return self._finders[folder]

    def _loader(self, kind: type[_Source | _Sourceless]) -> Callable[[str, str], _Source | _Sourceless]:
        def made(fullname: str, path: str) -> _Source | _Sourceless:
            loader = kind(fullname, path)
            loader.builtins = self._builtins
            return loader

        return made


class _Source(SourceLoader):
    builtins: dict[str, Any]

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, with builtins of its own."""
        module.__dict__["__builtins__"] = self.builtins
        super().exec_module(module)


class _Sourceless(SourcelessFileLoader):
    builtins: dict[str, Any]

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, with builtins of its own."""
        module.__dict__["__builtins__"] = self.builtins
        super().exec_module(module)
