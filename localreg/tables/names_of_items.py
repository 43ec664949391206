"""Names for the items of a tuple, so that SQL can reach them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Names"]


@dataclass(frozen=True, init=False)
class Names:
    """Names the items of a tuple in an annotation: `Annotated[tuple[float, float], Names("x", "y")]`."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)
