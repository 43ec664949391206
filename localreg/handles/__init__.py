"""What handles of all kinds of records share: identity, change, deletion, differences, and the words of messages."""

from localreg.handles.deletion import delete
from localreg.handles.differences import Differences
from localreg.handles.handle import UNCHANGED, Handle, Unchanged, warn_of_differences

__all__ = ["UNCHANGED", "Differences", "Handle", "Unchanged", "delete", "warn_of_differences"]
