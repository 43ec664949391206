"""Which files of a folder are code: what is left out, and what is refused; and what is a secret in a definition."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localreg.definitions.secrets import input_fault, is_secret_name, url_fault, variable_fault
from localreg.definitions.snapshot import code_files
from localreg.definitions.templates import Environment
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


# --- what is a secret in a definition ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("DB_PWD", "GIT_PAT", "DB_PASS", "smtpPass", "DB_PASS_2", "AUTH", "BASIC_AUTH", "APIKEY", "OPENAI_APIKEY"),
        *("BEARER", "SSH_PASSPHRASE", "PRIVATE", "private-part", "apiKey", "GIT_TOKEN", "password"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert "named as a secret" in (variable_fault(Environment(name, None)) or "")


@pytest.mark.parametrize(
    "name", ["PWD", "PAT", "PASS", "pass_rate", "OLDPWD", "COMPASS", "PATH", "DB_PATH", "AUTHOR", "keys", "tokenizer"]
)
def test_names_that_only_look_like_that(name: str) -> None:
    assert not is_secret_name(name)
    assert variable_fault(Environment(name, None)) is None


@pytest.mark.parametrize(
    "query", ["apikey", "apiKey", "api_key", "api-key", "auth", "access_token", "accessToken", "pat", "pass", "sig"]
)
def test_addresses_with_secrets_are_refused(query: str) -> None:
    assert "holds a secret behind its ?" in (url_fault(f"https://host/w?a=1&{query}=x", "x") or "")


@pytest.mark.parametrize("query", ["author", "path", "patch", "bypass", "compass", "monkey", "keyed"])
def test_addresses_without_are_not(query: str) -> None:
    assert url_fault(f"https://host/w?{query}=x", "x") is None


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "apiKey", "API-KEY", "apikey", "openai_api_key", "secret_key", "aws_secret_access_key", "token"),
        *("hf_token", "password", "passphrase", "secret", "credentials", "bearer", "db_pwd", "db_pass", "git_pat"),
    ],
)
def test_an_input_that_is_a_secret_is_not_written_out(name: str) -> None:
    for value in ("hunter22", "$${hunter}"):
        assert input_fault(name, value) == "is named as a secret and written out; write ${NAME}"
    for other in (
        "hunter2",
        " hunter2 ",
        "",
        "${NAME}",
        "Bearer ${NAME}",
        "${model.files.w.url}",
        "${unclosed",
        12345678,
    ):
        assert input_fault(name, other) is None
    assert input_fault(name, ["hunter22"]) is None


@pytest.mark.parametrize(
    "name",
    [
        *("key", "label_key", "keys", "tokens", "tokenizer", "max_tokens", "token_type", "password_file", "pass"),
        *("eos_token", "tokenizer.pad_token", "first_pass_rate", "weights", "compass"),
    ],
)
def test_an_input_that_only_looks_like_a_secret_may_be_written_out(name: str) -> None:
    assert input_fault(name, "hunter22") is None


@pytest.mark.parametrize("value", ["<|endoftext|>", "[END OF TEXT]"])
def test_a_token_of_a_language_model_is_no_secret(value: str) -> None:
    assert input_fault("start_token", value) is None
    assert input_fault("start_token", "hunter22") is not None
    assert input_fault("password", value) is not None
