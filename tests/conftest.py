from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import localreg
from localreg import Registry

# No test depends on the machine's speed, or on luck: the same examples each time, however long they take.
settings.register_profile(
    "localreg", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("localreg")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A fresh registry, which class-style workflows use, too."""
    with localreg.open(tmp_path / "registry", actor="ana") as registry, localreg.use(registry):
        yield registry


@pytest.fixture
def other(registry: Registry) -> Registry:
    """A second handle on the same folder, as another process would have."""
    return localreg.open(registry.uri, actor="ben")
