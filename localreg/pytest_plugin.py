"""A fixture for test suites: `localreg_registry`, a fresh registry for each test, made in milliseconds.

def test_the_new_model_is_registered(localreg_registry):
    train_and_register(localreg_registry)
    assert localreg_registry.get_model("meadow-5").metadata["framework"] == "pytorch"
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["localreg_registry"]


@pytest.fixture
def localreg_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """An empty registry in the test's own folder; class-style workflows and `localreg.open()` use it, too."""
    from localreg.api import open_registry, use

    folder = tmp_path / "localreg_registry"
    monkeypatch.setenv("LOCALREG_URI", str(folder))
    with open_registry(folder) as registry, use(registry):
        yield registry
