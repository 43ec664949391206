"""Remote stores, held to the contract of all stores: S3 as moto's server speaks it, and fsspec's memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localreg.storage import Store
from tests.contract.store_contract import StoreContract
from tests.remote import Server, options, served, store_at


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))


class TestS3(StoreContract):
    rounds = 5

    @pytest.fixture
    def store(self, s3: Server) -> Store:
        return store_at(f"s3://{s3.bucket()}/registries/first", options(s3.endpoint))


class TestScopeOnS3(StoreContract):
    rounds = 5

    @pytest.fixture
    def store(self, s3: Server) -> Store:
        return store_at(f"s3://{s3.bucket()}", options(s3.endpoint)).scope("namespaces/vision")
