from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import localreg
from localreg import Registry
from tests.remote import Server, served
from tests.world import World

# No test depends on the machine's speed, or on luck: the same examples each time, however long they take.
settings.register_profile(
    "localreg", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("localreg")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads, or leaves, anything in the user's cache, or among what a machine must not lose."""
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("LOCALREG_STATE", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    """An S3 server for the whole run; each test takes a bucket of its own."""
    with served() as server:
        yield server


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> World:
    """Sessions whose leases live in one world, where nobody waits."""
    world = World()
    world.adopt_leases(monkeypatch)
    return world


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A fresh registry, which class-style workflows use, too."""
    with localreg.open(tmp_path / "registry", actor="ana") as registry, localreg.use(registry):
        yield registry


@pytest.fixture
def other(registry: Registry) -> Registry:
    """A second handle on the same folder, as another process would have."""
    return localreg.open(registry.uri, actor="ben")


@pytest.fixture(scope="session", autouse=True)
def _temporary_folders_that_others_may_enter(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests that become another user have to reach their files; pytest lets nobody else into its folders."""
    if hasattr(os, "getuid") and os.getuid() == 0:
        base = tmp_path_factory.getbasetemp()
        for folder in (base, *base.parents):
            if folder.name.startswith(("pytest-", "popen-")):
                folder.chmod(0o755)


@pytest.fixture(scope="session", autouse=True)
def _committed_code() -> Iterator[None]:
    """Experiments of tests do not hang on what is changed in the working tree."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("localreg.experiments.opening.captured_code", lambda: None)
        yield
