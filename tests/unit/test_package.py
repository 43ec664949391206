from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import localreg

HEAVY = {"duckdb", "pyarrow", "numpy", "pandas", "polars", "fsspec", "filelock", "pydantic", "typer", "rich", "sklearn"}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(localreg.__path__, "localreg.")
    if not module.name.endswith("__main__")
]


def in_a_fresh_process(code: str) -> object:
    """What a process prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_all_names_of_the_package_can_be_had() -> None:
    for name in localreg.__all__:
        assert getattr(localreg, name) is not None
    assert set(localreg.__all__) <= set(dir(localreg))
    with pytest.raises(AttributeError, match="'localreg' has no attribute 'opne'"):
        localreg.opne  # noqa: B018


def test_all_lists_each_name_once_and_what_type_checkers_see_is_what_is_there() -> None:
    assert len(set(localreg.__all__)) == len(localreg.__all__)
    tree = ast.parse(Path(localreg.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*seen, "__version__"} == set(localreg.__all__)
    for name, home in seen.items():
        module, _, attribute = home.partition(":")
        assert getattr(localreg, name) is getattr(importlib.import_module(module), attribute), name


def test_every_error_is_a_name_of_the_package() -> None:
    from localreg import errors

    assert set(errors.__all__) <= set(localreg.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_all_of_a_module_can_be_had_and_is_listed_once(name: str) -> None:
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    missing = [each for each in listed if not hasattr(module, each)]
    assert missing == []
    assert module.__doc__, "a module says what it is for"


def test_the_names_of_the_workflow_package_are_sorted_and_reachable_by_their_modules() -> None:
    from localreg import workflow

    names = workflow.__all__
    assert names == sorted(names, key=lambda name: (name[0].islower(), name))
    assert set(names) <= set(dir(workflow))
    for path in ("define_workflow", "annotation", "test_sample", "ground_truth", "inference", "model", "test_case"):
        assert importlib.import_module(f"localreg.workflow.{path}")
    with pytest.raises(AttributeError, match=r"'localreg\.workflow' has no attribute 'defnie_workflow'"):
        workflow.defnie_workflow  # noqa: B018


def test_type_checkers_see_the_names_of_the_workflow_package_where_they_are() -> None:
    from localreg import workflow

    tree = ast.parse(Path(workflow.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert {*seen, "define_workflow"} == set(workflow.__all__)
    for name, home in seen.items():
        assert getattr(workflow, name) is getattr(importlib.import_module(home), name), name


def test_the_vocabulary_of_workflows_loads_without_the_rest() -> None:
    code = (
        "import json, sys, localreg.workflow as w; w.Image, w.Evaluator, w.CurvePlot, w.TestCases, w.asset.ImageAsset\n"
        "w.annotation.BoundingBox; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    loaded = in_a_fresh_process(code)
    assert isinstance(loaded, list)
    assert HEAVY.isdisjoint(loaded)


@pytest.mark.parametrize("first", ["localreg.workflow.define_workflow", "localreg.workflow.model"])
def test_define_workflow_is_the_function_whatever_is_imported_first(first: str) -> None:
    code = f"import json, {first}; from localreg.workflow import define_workflow as d; print(json.dumps(callable(d)))"
    assert in_a_fresh_process(code) is True


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import json, sys, localreg; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    loaded = in_a_fresh_process(code)
    assert isinstance(loaded, list)
    assert HEAVY.isdisjoint(loaded)


@pytest.mark.slow
def test_each_package_can_be_imported_first() -> None:
    """That there is no circle is told from the source (`test_layers`); what packages do when they load is tried here.

    Each in a process of its own, which has all libraries.
    """
    packages = [name for name in MODULES if hasattr(importlib.import_module(name), "__path__")]
    assert len(packages) > 20
    code = (
        "import json, os, sys, importlib\n"
        "import duckdb, filelock, fsspec, numpy, pyarrow.compute, pyarrow.parquet, pydantic, typer\n"
        f"failed = []\nfor name in {packages!r}:\n"
        "    if (child := os.fork()) == 0:\n"
        "        try: importlib.import_module(name)\n"
        "        except BaseException: os._exit(1)\n"
        "        os._exit(0)\n"
        "    if os.waitpid(child, 0)[1]: failed.append(name)\n"
        "print(json.dumps(failed))"
    )
    assert in_a_fresh_process(code) == []


def test_the_package_is_typed_and_says_its_version() -> None:
    assert (Path(localreg.__file__).parent / "py.typed").exists()
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", localreg.__version__)


def test_users_see_the_public_home_of_each_class() -> None:
    for name in localreg.__all__:
        value = getattr(localreg, name)
        if isinstance(value, type):
            assert (value.__module__, getattr(localreg, value.__name__)) == ("localreg", value)
