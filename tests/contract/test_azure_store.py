"""Azure's blobs, as Azurite speaks them, held to the contract of all stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import localreg
from localreg.storage import Store
from localreg.storage.address import parse_address
from localreg.storage.probe import probe
from tests.contract.store_contract import StoreContract
from tests.flow import compare_two_models
from tests.npm import azurite
from tests.remote import store_at

pytestmark = pytest.mark.npm


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("adlfs", reason="no adlfs here: pip install 'localreg-registry[azure]'")
    with azurite(tmp_path_factory.mktemp("azurite")) as connection_string:
        yield connection_string


@pytest.fixture
def uri(account: str) -> str:
    uri = f"abfs://container-{uuid4().hex}"
    fs, root = parse_address(uri, {"connection_string": account}).connect()
    fs.mkdir(root)
    return f"{uri}/registry"


class TestAzure(StoreContract):
    rounds = 5

    @pytest.fixture
    def store(self, uri: str, account: str) -> Store:
        return store_at(uri, {"connection_string": account})


def test_it_creates_files_exclusively(uri: str, account: str) -> None:
    assert probe(store_at(uri, {"connection_string": account})) == ""


def test_a_registry_there_is_like_one_in_a_folder(
    uri: str, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = compare_two_models(localreg.open(uri, storage_options={"connection_string": account}))
    assert shown == compare_two_models(localreg.open(tmp_path / "local"))
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "of another machine"))
    other = localreg.open(uri, storage_options={"connection_string": account})
    assert str(other.compare("old", "new", suite="animals")) == shown
    assert other.verify().ok
