"""Copies of a registry that is written to meanwhile, file by file."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import localreg
from localreg import Registry
from localreg.canonical import sha256_hex
from localreg.workflow import test
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel

__all__ = ["FOLDERS", "Writer", "assert_consistent", "copied", "zipped"]

FOLDERS = ("artifacts", "data", "history", "log", "snapshots", "tmp")
"""Of a namespace, in rsync's order."""


class Writer:
    """Commits without end, of all kinds: records, samples, inferences, artifacts."""

    def __init__(self, folder: Path) -> None:
        self.registry = localreg.open(folder, actor="ana")
        self.file = folder.parent / f"{folder.name}.bin"
        self._steps = 5 * self.registry.commit  # other names than those that are there

    def step(self) -> None:
        """One commit, or a few."""
        number, self._steps = self._steps, self._steps + 1
        [self._record, self._artifact, self._sample, self._record, self._run][number % 5](number)

    def _record(self, number: int) -> None:
        self.registry.create_model(f"model {number}")

    def _artifact(self, number: int) -> None:
        self.file.write_bytes(b"%d" % number * 10)
        self.registry.get_model("model 0").create_version(str(number)).upload(self.file)

    def _sample(self, number: int) -> None:
        with localreg.use(self.registry):
            case = TestCase(f"case {number}", test_samples=[(Picture(number), Truth(str(number)))])
            TestSuite(f"suite {number}", test_cases=[case])

    def _run(self, number: int) -> None:
        with localreg.use(self.registry):
            suite = TestSuite(f"suite {number - 2}")
            test(TypedModel("typed", lambda sample: Guess(str(sample.number))), suite)


def files_of(namespace: Path, folders: Sequence[str]) -> Iterator[Path]:
    """All files, each folder listed when its turn comes, as a copying program does."""
    for folder in folders:
        for parent, inside, names in os.walk(namespace / folder):
            inside.sort()
            for name in sorted(names):
                yield Path(parent, name)


def copied(source: Path, target: Path, folders: Sequence[str], between: Callable[[], object]) -> None:
    """Copy a registry, with something done between each two files."""
    target.mkdir(parents=True)
    shutil.copy(source / "localreg.json", target)
    for namespace in sorted((source / "namespaces").iterdir()):
        for path in files_of(namespace, folders):
            goal = target / path.relative_to(source)
            goal.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copy(path, goal)
            except FileNotFoundError:
                continue  # deleted since it was listed: programs that copy say so, and go on
            between()


def zipped(source: Path, target: Path) -> None:
    """Make an archive of a registry; `shutil.make_archive` does not survive that a temporary file vanishes."""
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(source / "localreg.json", "localreg.json")
        for namespace in sorted((source / "namespaces").iterdir()):
            for path in files_of(namespace, FOLDERS):
                with suppress(FileNotFoundError):
                    archive.writestr(str(path.relative_to(source)), path.read_bytes())


def assert_consistent(copy: Registry, source: Registry, begun: int) -> None:
    """That a copy shows just what its source showed at some commit, and has all that this state names.

    Args:
        copy: opened to be read.
        source: what it was copied from.
        begun: the newest commit when copying began: no less may be shown.
    """
    commit = copy.commit
    assert begun <= commit <= source.commit
    state, store = copy._session.state(), copy._session.store
    rows = {(row.kind, row.id): row for row in state.rows()}
    assert rows == {(row.kind, row.id): row for row in source.at(commit=commit)._session.state().rows()}
    for row in state.rows("file"):
        data = store.get(row.name)
        assert data is not None, f"{row.name} is named, and not there"
        assert sha256_hex(data) == row.fields["sha256"]
    for table in ("test_samples", "inferences"):
        assert (
            copy.sql(f"SELECT count(*) AS n FROM {table}").dicts()
            == source.at(commit=commit).sql(f"SELECT count(*) AS n FROM {table}").dicts()
        )
