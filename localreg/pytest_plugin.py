"""Registries for test suites, and an assertion that no model got worse.

    def test_the_new_model_is_registered(localreg_registry):
        train_and_register(localreg_registry)
        assert localreg_registry.get_model("meadow-5").metadata["framework"] == "pytorch"

Fixtures: `localreg_registry`, a fresh one for each test, made in milliseconds; `localreg_factory`, as many of them as a
test wants; `localreg_shared_registry`, one for the whole run, which the workers of pytest-xdist share;
`assert_no_regression`. Options: `--localreg-uri`, `--localreg-update-baseline`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from localreg.compare import Comparison
    from localreg.registry import Registry

__all__ = ["assert_no_regression", "localreg_factory", "localreg_registry", "localreg_shared_registry"]

MOVED = "localreg_baseline"
"""The property of a test in which the baselines that it moved are told: properties come home from other processes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("localreg")
    group.addoption(
        "--localreg-uri",
        metavar="URI",
        help="Folder or URI of the registry that localreg_shared_registry is; else a new one for each run.",
    )
    group.addoption(
        "--localreg-update-baseline",
        action="store_true",
        help="assert_no_regression moves the alias 'baseline' of the model to the candidate instead of failing.",
    )


@pytest.fixture
def localreg_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """An empty registry in the test's own folder; class-style workflows and `localreg.open()` use it, too."""
    from localreg.api import open_registry, use

    folder = tmp_path / "localreg_registry"
    monkeypatch.setenv("LOCALREG_URI", str(folder))
    with open_registry(folder) as registry, use(registry):
        yield registry


@pytest.fixture
def localreg_factory(tmp_path: Path) -> Iterator[Callable[[], Registry]]:
    """Makes empty registries in the test's own folder, one at each call; none is in use until `localreg.use`."""
    from localreg.api import open_registry

    with ExitStack() as stack:
        made: list[Registry] = []

        def make() -> Registry:
            made.append(stack.enter_context(open_registry(tmp_path / f"localreg_registry_{len(made) + 1}")))
            return made[-1]

        yield make


@pytest.fixture(scope="session")
def localreg_shared_registry(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """One registry for all tests of the run, in all workers of pytest-xdist on this machine.

    It is the one of `--localreg-uri`, which is made if there is none, else a new one. Several workers may fill it at
    once with what localreg makes once anyway: `create_model(…, exist_ok=True)`, `test(model, suite)`. It is not in use
    until `with localreg.use(localreg_shared_registry)`.
    """
    from localreg.api import open_registry

    uri = pytestconfig.getoption("--localreg-uri")
    with open_registry(uri or _shared_folder(pytestconfig, tmp_path_factory.getbasetemp())) as registry:
        yield registry


def _shared_folder(config: pytest.Config, base: Path) -> Path:
    """The same folder in all workers: theirs lie in that of the run."""
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None:
        return base / "localreg_shared_registry"
    return base.parent / f"localreg_shared_registry-{worker['testrunuid']}"


@pytest.fixture
def assert_no_regression(request: pytest.FixtureRequest) -> Callable[..., Comparison | None]:
    """`localreg.testing.assert_no_regression` in the registry that the test asks for.

    That is `localreg_registry` if the test has it, else `localreg_shared_registry`; `registry=` names another one. With
    `--localreg-update-baseline` it moves the alias `baseline` instead of failing, and the end of the run tells of it.
    """
    from localreg.testing.regression import BASELINE, assert_no_regression

    name = "localreg_registry" if "localreg_registry" in request.fixturenames else "localreg_shared_registry"
    update = bool(request.config.getoption("--localreg-update-baseline"))

    @wraps(assert_no_regression)
    def asserting(
        candidate: Any, baseline: Any, suite: Any, *, registry: Registry | None = None, **rest: Any
    ) -> Comparison | None:
        __tracebackhide__ = True
        place: Registry = registry if registry is not None else request.getfixturevalue(name)
        model = place.get_version(candidate).model
        before = model.aliases().get(BASELINE)
        rest = {"update_baseline": update, **rest}
        comparison = assert_no_regression(candidate, baseline, suite, registry=place, **rest)
        after = model.aliases().get(BASELINE)
        if after is not None and before != after:
            was = "none" if before is None else before.version
            request.node.user_properties.append((MOVED, f"{model.name}: {was} → {after.version}"))
        return comparison

    return asserting


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell which baselines were moved."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    moved = [
        f"{report.nodeid}: {text}"
        for report in reports
        if report.when == "call"
        for name, text in report.user_properties
        if name == MOVED
    ]
    if moved:
        terminalreporter.section("localreg: baselines that were moved")
        terminalreporter.write_line("\n".join(moved))
