"""A member of a group who works on a shared registry with a private umask; `test_shared_folder.py` starts several.

`python -m tests.integration.colleague FOLDER NAME UID GID GROUPS`: as root, rehearses, so that all modules are loaded
while they can be read; becomes the user; does everything that makes files; says how often it met other writers' locks.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import localreg
from localreg import Registry
from localreg.log.log import SNAPSHOT_EVERY
from localreg.storage import LocalStore
from localreg.workflow import test
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel


def work(registry: Registry, name: str) -> None:
    """Entries, snapshots, hints, bulk files, a namespace, and reading all that is there."""
    with localreg.use(registry):
        case = TestCase(f"case of {name}", test_samples=[(Picture(len(name)), Truth(name))])
        suite = TestSuite(f"suite of {name}", test_cases=[case])
        test(TypedModel(f"typed of {name}", lambda sample: Guess(str(sample.number))), suite)
    for number in range(SNAPSHOT_EVERY + 1):
        registry.create_model(f"{name} {number}")
    registry.namespace(f"{name}/own").create_model("x")
    registry.namespace("common").create_model(name)
    assert len(registry.models(where="name LIKE '% 0'")) > 0
    assert len(registry.sql("SELECT * FROM inferences")) > 0
    assert registry.verify().ok


def main(folder: Path, name: str, uid: int, gid: int, groups: list[int]) -> None:
    """See above."""
    work(localreg.open(f"memory://{name}", actor=name), name)
    queue = LocalStore(folder / "namespaces/default", shared="group").queue()
    assert queue is not None
    import_module("filelock")
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)
    os.umask(0o077)
    registry = localreg.open(folder, actor=name, shared="group")
    assert not registry.read_only
    work(registry, name)
    with queue.take(0, lambda: None) as turn:
        assert turn.taken


if __name__ == "__main__":
    place, name, uid, gid, *groups = sys.argv[1:]
    main(Path(place), name, int(uid), int(gid), [int(group) for group in groups])
