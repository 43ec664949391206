"""Which files of a folder are code: what is left out, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localreg.definitions.materialising import LISTED
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


@pytest.mark.parametrize("target", ["loop.py", "circle.pem"])
def test_links_in_a_circle_are_refused(code: Path, target: str) -> None:
    os.symlink(target, code / "loop.py")
    os.symlink("loop.py", code / "circle.pem")
    with pytest.raises(InvalidInputError, match=r"circle\.pem is a link to nothing; name it in \.gitignore"):
        names(code)
    write(code, {".gitignore": "circle.pem"})
    assert names(code, code / "loop.py") == [".gitignore", "a.py"]


@pytest.mark.parametrize("named", ["a\0b", "\0/b", "x" * 5_000, "x/" * 5_000, "a\ud800b", "loop.py", "absent/w.bin"])
def test_what_is_no_path_leaves_nothing_out(code: Path, named: str) -> None:
    assert names(code, code / named) == ["a.py"]


# --- what is no code --------------------------------------------------------------------------------------------------

PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize("within", ["", "package/"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((f".env{ending}", "KEY=1") for ending in ("", ".local", ".production", ".example.local")),
        *((name, "") for name in (".git-credentials", ".netrc", ".pgpass")),
        *((f"id_{kind}", "") for kind in ("rsa", "dsa", "ecdsa", "ed25519")),
        ("server.pem", CERTIFICATE + PRIVATE_KEY),
        ("server.key", PRIVATE_KEY),
        (".aws/credentials", ""),
        (".ssh/config", ""),
    ],
)
def test_what_holds_secrets_is_no_code(code: Path, within: str, name: str, text: str) -> None:
    write(code, {f"{within}{name}": text})
    assert names(code) == ["a.py"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((f".env.{ending}", "KEY=") for ending in ("example", "sample", "template", "dist")),
        ("environment.py", ""),
        ("id_rsa.pub", ""),
        ("ca.pem", CERTIFICATE),
        ("sort.key", "name"),
        ("keys.py", PRIVATE_KEY),
        ("late.pem", " " * 4096 + PRIVATE_KEY),
        ("aws/a.py", ""),
        ("namespaces/b.py", ""),
    ],
)
def test_what_only_looks_like_that_is_code(code: Path, name: str, text: str) -> None:
    write(code, {name: text})
    assert names(code) == sorted(["a.py", name])


@pytest.mark.parametrize("target", [".env", "server.key"])
def test_a_link_to_a_secret_is_left_out_with_it(code: Path, target: str) -> None:
    write(code, {target: PRIVATE_KEY})
    os.symlink(target, code / "settings.txt")
    assert names(code) == ["a.py"]


def test_environments_of_conda_are_no_code(code: Path) -> None:
    write(code, {"env/conda-meta/history": "", "env/lib/b.py": ""})
    assert names(code) == ["a.py"]


def test_of_a_registry_that_holds_code_the_code_is_taken(code: Path) -> None:
    write(code, {"localreg.json": "{}", "namespaces/default/log/b.parquet": "", "package/namespaces/b.py": ""})
    assert names(code) == ["a.py", "package/namespaces/b.py"]


def test_what_the_cache_wrote_is_no_code(code: Path) -> None:
    write(code, {LISTED: "{}"})
    assert names(code) == ["a.py"]
