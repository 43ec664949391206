"""Which store an address names."""

from __future__ import annotations

from pathlib import Path

import pytest

from localreg.errors import InvalidInputError
from localreg.session.location import root_store


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST"])
def test_a_file_uri_of_this_machine_is_its_path(host: str) -> None:
    assert root_store(f"file://{host}/a%20folder/r").uri == str(Path("/a folder/r").absolute())


@pytest.mark.parametrize("host", ["share", "share:80", "ana@localhost", "."])
def test_a_file_uri_of_another_host_is_refused(host: str) -> None:
    """Named for a bug: the host was dropped, and a registry made in a folder of this machine."""
    with pytest.raises(InvalidInputError, match=r"it names the host .*; write file:///folder"):
        root_store(f"file://{host}/folder")
