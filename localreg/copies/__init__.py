"""Copies: a namespace as a whole, into a mirror or another registry; and a test suite, into another namespace.

A copy is sound at every moment: files are there before the entries that name them, and entries come in order, byte for
byte. What was begun goes on where it stopped, and what is there already is not copied again. Not guaranteed: that two
copies into one place at once do not get in each other's way; run one at a time.
"""

from localreg.copies.adopting import ImportReport, import_namespace
from localreg.copies.namespace import copy_namespace, import_folder
from localreg.copies.report import CopyReport
from localreg.copies.target import open_target

__all__ = ["CopyReport", "ImportReport", "copy_namespace", "import_folder", "import_namespace", "open_target"]
