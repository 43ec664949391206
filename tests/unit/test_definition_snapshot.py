"""Which files of a folder are code: what is left out, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localreg.definitions.snapshot import code_files
from localreg.errors import InvalidInputError
from tests.definitions import write


def names(folder: Path, *leave_out: Path) -> list[str]:
    """What belongs to the code."""
    return [name for name, _ in code_files(folder, leave_out)]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with one module, and weights beside it."""
    write(tmp_path, {"code/a.py": "", "weights/w.bin": "cat"})
    return tmp_path / "code"


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["w.bin", "./w.bin", "../code/w.bin", "../weights/w.bin"])
def test_weights_that_are_a_link_out_of_the_code_are_left_out_by_its_name_or_by_theirs(code: Path, named: str) -> None:
    os.symlink("../weights/w.bin", code / "w.bin")
    assert names(code, code / named) == ["a.py"]
    with pytest.raises(InvalidInputError, match="leads out of the code"):
        names(code)


def test_a_folder_of_weights_that_is_a_link_is_left_out(code: Path) -> None:
    os.symlink("../weights", code / "weights")
    assert names(code, code / "weights") == ["a.py"]


def test_links_are_left_out_of_a_folder_that_is_reached_by_a_link(code: Path) -> None:
    os.symlink("../weights/w.bin", code / "w.bin")
    other = code.parent / "other"
    os.symlink("code", other)
    assert names(other, other / "w.bin") == ["a.py"]


@pytest.mark.parametrize("target", ["loop.py", "circle.py"])
def test_links_in_a_circle_are_refused(code: Path, target: str) -> None:
    os.symlink(target, code / "loop.py")
    os.symlink("loop.py", code / "circle.py")
    with pytest.raises(InvalidInputError, match=r"circle\.py is a link to nothing; name it in \.gitignore"):
        names(code)
    write(code, {".gitignore": "loop.py\ncircle.py"})
    assert names(code) == [".gitignore", "a.py"]


@pytest.mark.parametrize("named", ["a\0b", "\0/b", "x" * 5_000, "x/" * 5_000, "a\ud800b", "loop.py", "absent/w.bin"])
def test_what_is_no_path_leaves_nothing_out(code: Path, named: str) -> None:
    assert names(code, code / named) == ["a.py"]
