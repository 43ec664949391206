"""Code of a model that lives in a git repository: which commit is meant, its files, and a copy of them in a folder.

Needs the `git` program, of 2.31 or later. Nothing that a repository holds is ever run: files are written by us, out of
a bare mirror in the cache, so that no hook, filter or attribute of it has a say.
"""

from localreg.definitions.repositories.materialising import materialise
from localreg.definitions.repositories.remote import UNREACHABLE
from localreg.definitions.repositories.resolving import Resolved, cached, open_tree, resolve
from localreg.definitions.repositories.tree import Tree, TreeFile
from localreg.definitions.repositories.url import Repository, absolute_url
from localreg.definitions.repositories.working import WorkingTree, working_tree

__all__ = [
    "UNREACHABLE",
    "Repository",
    "Resolved",
    "Tree",
    "TreeFile",
    "WorkingTree",
    "absolute_url",
    "cached",
    "materialise",
    "open_tree",
    "resolve",
    "working_tree",
]
