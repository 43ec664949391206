"""Which store an address names."""

from __future__ import annotations

from pathlib import Path

import pytest

import localreg
from localreg.errors import InvalidInputError, NotFoundError
from localreg.session.location import root_store


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST"])
def test_a_file_uri_of_this_machine_is_its_path(host: str) -> None:
    assert root_store(f"file://{host}/a%20folder/r").uri == str(Path("/a folder/r").absolute())


@pytest.mark.parametrize("host", ["share", "share:80", "ana@localhost", "."])
def test_a_file_uri_of_another_host_is_refused(host: str) -> None:
    """Named for a bug: the host was dropped, and a registry made in a folder of this machine."""
    with pytest.raises(InvalidInputError, match=r"it names the host .*; write file:///folder"):
        root_store(f"file://{host}/folder")


def test_a_registry_that_is_not_there_is_no_reason_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        localreg.open(tmp_path / "notreg", read_only=True)
    step = "check the path, or open it without read_only to make one"
    assert str(caught.value) == f"no registry at {tmp_path / 'notreg'}; {step}"


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_file_is_no_folder(tmp_path: Path, below: str, read_only: bool) -> None:
    file = tmp_path / "plain"
    file.write_text("x")
    with pytest.raises(InvalidInputError, match=f"{file} is a file, not a folder"):
        localreg.open(file / below, read_only=read_only)
    assert file.read_text() == "x"


@pytest.mark.parametrize("scheme", ["zip", "tar"])
def test_an_archive_that_is_none_is_told_as_such(tmp_path: Path, scheme: str) -> None:
    nowhere, file = tmp_path / f"nope.{scheme}", tmp_path / "plain"
    file.write_text("x" * 2_000)
    for location in (f"{scheme}://{nowhere}", f"{scheme}://nope"):
        with pytest.raises(NotFoundError, match=r"no archive at .*nope.*; check the path"):
            localreg.open(location)
    with pytest.raises(InvalidInputError, match=f"{tmp_path} is a folder, not an archive; open it by its path"):
        localreg.open(f"{scheme}://{tmp_path}")
    with pytest.raises(InvalidInputError, match="it names no archive"):
        localreg.open(f"{scheme}://")
    for location in (f"{scheme}://{file}", f"{scheme}::{nowhere}"):
        with pytest.raises(localreg.LocalregError, match="check the path") as caught:
            localreg.open(location)
        assert "network" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "what"),
    [("s3://", "bucket"), ("s3:///x", "bucket"), ("gs://", "bucket"), ("az://", "bucket"), ("https:///x", "host")],
)
def test_an_address_without_a_place_is_told_what_it_lacks(location: str, what: str) -> None:
    with pytest.raises(
        InvalidInputError, match=f"it names no {what}; write {location.partition(':')[0]}://{what}/folder"
    ):
        root_store(location)


@pytest.mark.parametrize("options", [{"endpont_url": "http://127.0.0.1:9"}, {"client_kwargs": {"endpont_url": "x"}}])
def test_an_unknown_storage_option_is_named(options: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        localreg.open("s3://bucket/r", storage_options={"key": "a", "secret": "b", **options})
    assert "'endpont_url', which s3:// does not take; did you mean 'endpoint_url'?" in str(caught.value)
    assert caught.value.code == "unknown_option"
