"""Which namespaces there are, and which of them are closed to this user: by the folder, or by the grants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localreg.errors import AccessDeniedError, LocalregError, StorageError

__all__ = ["Namespaces", "is_refusal", "left_out_if_closed"]


class Namespaces(list[str]):
    """Names of the namespaces that may be read, in order.

    Attributes:
        inaccessible: those that may not be, by name, each with the reason; whether anything was committed in one
            that the file system closes cannot be told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inaccessible: dict[str, str] = {}

    def __repr__(self) -> str:
        closed = f", inaccessible: {', '.join(self.inaccessible)}" if self.inaccessible else ""
        return f"{super().__repr__()}{closed}"

    @contextmanager
    def closed_if_refused(self, name: str) -> Iterator[None]:
        """Note a namespace as inaccessible if the block may not read it."""
        try:
            yield
        except LocalregError as error:
            if not is_refusal(error):
                raise
            self.inaccessible[name] = error.message


def is_refusal(error: LocalregError) -> bool:
    """Whether an error says that this user may not read, and not that anything is wrong."""
    return isinstance(error, AccessDeniedError) or (isinstance(error, StorageError) and error.code == "forbidden")


@contextmanager
def left_out_if_closed() -> Iterator[None]:
    """What this user may not read is not there, where all that may be read is asked for."""
    try:
        yield
    except LocalregError as error:
        if not is_refusal(error):
            raise
