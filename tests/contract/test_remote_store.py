"""Remote stores, held to the contract of all stores: S3 as moto's server speaks it, and fsspec's memory."""

from __future__ import annotations

import pytest

from localreg.storage import Store
from tests.contract.store_contract import StoreContract
from tests.remote import Server, options, store_at


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
