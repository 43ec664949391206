"""A definition written back from what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localreg.definitions.definition import Definition

__all__ = ["yaml_of"]


def yaml_of(definition: Definition) -> str:
    """The definition as a file that registers the same again, beside the files that it names."""
    raise NotImplementedError
