"""Model definitions: what a model is made of and how it is run, said once in YAML, registered, loaded and tested.

`Registry.push`, `load` and `test` are the doors; the keys of a definition stand in `localreg.definitions.schema`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localreg.definitions.definition import Definition
    from localreg.definitions.loading import Loaded
    from localreg.definitions.pushing import Checked
    from localreg.definitions.pushing import check as check_definitions
    from localreg.definitions.registering import Registered

__all__ = ["Checked", "Definition", "Loaded", "Registered", "check_definitions"]

_PLACES = {
    "Checked": ("pushing", "Checked"),
    "Definition": ("definition", "Definition"),
    "Loaded": ("loading", "Loaded"),
    "Registered": ("registering", "Registered"),
    "check_definitions": ("pushing", "check"),
}


def __getattr__(name: str) -> Any:  # a process that runs a model imports this package, and little else
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
