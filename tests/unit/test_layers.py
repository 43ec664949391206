"""The layers of `localreg/ARCHITECTURE.md`, held by a walk over every import, and what `import localreg` costs.

Imports within functions and under `TYPE_CHECKING` count as well: a type that is named is a dependency of the reader,
if not of the interpreter.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import localreg

PACKAGE = Path(localreg.__file__).parent
ROOT = "localreg"
HEAVY = ("duckdb", "pyarrow", "numpy", "pandas", "fsspec", "filelock", "typer", "rich")


class Import(NamedTuple):
    """One import of a module of the package by another."""

    importer: str
    imported: str
    place: str
    """File and line."""
    at_load: bool
    """It is carried out when the importer is loaded: not in a function, not for types only."""


class Place(NamedTuple):
    """Where a top-level module stands: its layer, and its place in the table."""

    layer: int
    order: int


# --- what the package says --------------------------------------------------------------------------------------------


def layers(page: str) -> dict[str, Place]:
    """Each top-level module or package by name, from the page's table `| layer | modules | purpose |`."""
    rows = re.findall(r"^\| *(\d+) *\|([^|]*)\|", page, re.MULTILINE)
    names = [(int(layer), name.strip("/")) for layer, cell in rows for name in re.findall(r"`([^`]+)`", cell)]
    return {name.removeprefix(f"{ROOT}."): Place(layer, order) for order, (layer, name) in enumerate(names)}


def modules(package: Path) -> dict[str, Path]:
    """Each module's dotted name and file."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = [ROOT, *path.relative_to(package).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(package: Path) -> list[Import]:
    """Every import of one module of the package by another."""
    known = modules(package)
    found = []
    for name, path in known.items():
        for node, at_load in _import_nodes(ast.parse(path.read_bytes()), at_load=True):
            place = f"{path.relative_to(package.parent)}:{node.lineno}"
            for target in _targets(node, name, known, is_package=path.name == "__init__.py"):
                found.append(Import(name, target, place, at_load))
    return found


def _import_nodes(node: ast.AST, *, at_load: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_load
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _import_nodes(ast.Module([part], []), at_load=False)
            for part in child.orelse:
                yield from _import_nodes(ast.Module([part], []), at_load=at_load)
        else:
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _import_nodes(child, at_load=at_load and not in_function)


def _targets(
    node: ast.Import | ast.ImportFrom, importer: str, known: Mapping[str, Path], *, is_package: bool
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == ROOT)
        return
    base = node.module or ""
    if node.level:
        parts = importer.split(".")
        parts = parts[: len(parts) - node.level + is_package]
        base = ".".join([*parts, base] if base else parts)
    if base.partition(".")[0] == ROOT:
        for alias in node.names:
            submodule = f"{base}.{alias.name}"
            yield submodule if submodule in known else base


def unit(module: str) -> str:
    """The top-level module or package that a module belongs to; "" = the root."""
    return module.partition(".")[2].partition(".")[0]


# --- what must hold ---------------------------------------------------------------------------------------------------


def breaches(found: list[Import], table: Mapping[str, Place]) -> list[str]:
    """Imports against the order of the layers, as messages."""
    wrong = []
    for each in found:
        importer, imported = unit(each.importer), unit(each.imported)
        if importer in ("", imported):
            continue  # the root assembles all; within a package imports are free of layers
        if imported == "":
            wrong.append(f"{each.place} imports the package root")
        elif imported not in table or importer not in table:
            missing = imported if imported not in table else importer
            wrong.append(f"{each.place}: `{missing}` stands in no layer of ARCHITECTURE.md")
        elif table[importer] < table[imported]:
            here, there = table[importer].layer, table[imported].layer
            wrong.append(f"{each.place}: `{importer}` (layer {here}) imports `{imported}` (layer {there})")
    return wrong


def cycle(found: list[Import]) -> list[str]:
    """A ring of modules that import each other when they are loaded; empty = there is none."""
    graph: dict[str, set[str]] = {}
    for each in found:
        if each.at_load and each.importer != each.imported:
            graph.setdefault(each.importer, set()).update(_loaded(each))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _loaded(each: Import) -> set[str]:
    """The module, and the packages above it that are loaded first, but for those that are being loaded already."""
    parts = each.imported.split(".")
    above = {".".join(parts[:length]) for length in range(2, len(parts))}
    return {each.imported, *(package for package in above if not f"{each.importer}.".startswith(f"{package}."))}


def test_every_import_follows_the_layers() -> None:
    page = (PACKAGE / "ARCHITECTURE.md").read_text(encoding="utf-8")
    wrong = breaches(imports(PACKAGE), layers(page))
    assert not wrong, "\n".join(wrong)


def test_the_table_of_layers_names_what_there_is() -> None:
    table = layers((PACKAGE / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    there = {unit(name) for name in modules(PACKAGE)} - {""}
    assert sorted(there - set(table)) == [], "modules that stand in no layer"
    assert sorted(set(table) - there) == [], "layers of modules that are not there"
    assert [place.layer for place in table.values()] == sorted(place.layer for place in table.values())


def untrue(page: str, package: Path) -> list[str]:
    """Files, and methods of classes, that a page speaks of and that are not there."""
    folders = (package, package.parent / "tests")
    files = [f"/{path.relative_to(package.parent).as_posix()}" for each in folders for path in each.rglob("*.py")]
    named = set(re.findall(r"`([a-z_/]+\.py)`", page))
    gone = sorted(name for name in named if not any(file.endswith(f"/{name}") for file in files))
    trees = (ast.parse(path.read_bytes()) for path in package.rglob("*.py"))
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    has = {(each.name, child.name) for each in classes for child in each.body if isinstance(child, ast.FunctionDef)}
    inherits = [(each.name, ast.unparse(base)) for each in classes for base in each.bases]
    known = 0
    while known < len(has):  # heirs of heirs
        known = len(has)
        has |= {(heir, method) for heir, base in inherits for owner, method in has if owner == base}
    spoken = set(re.findall(r"`([A-Z][A-Za-z]+)\.(\w+)", page))
    return gone + [f"{owner}.{method}" for owner, method in sorted(spoken - has)]


def test_the_page_speaks_of_what_there_is() -> None:
    page = (PACKAGE / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert untrue(page, PACKAGE) == []


def test_no_modules_import_each_other_when_loaded() -> None:
    assert cycle(imports(PACKAGE)) == []


def test_imports_are_absolute() -> None:
    relative = [
        f"{path}:{node.lineno}"
        for path in modules(PACKAGE).values()
        for node, _ in _import_nodes(ast.parse(path.read_bytes()), at_load=True)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


@pytest.mark.parametrize("use", ["localreg", "localreg.Registry", "localreg.errors.LocalregError"])
def test_import_localreg_loads_nothing_heavy(use: str) -> None:
    code = f"import sys, localreg, localreg.errors; {use}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert run.stdout.split() == []


def test_every_public_name_resolves_once_and_the_errors_are_complete() -> None:
    from localreg import errors

    names = localreg.__all__
    assert len(names) == len(set(names))
    assert [name for name in names if getattr(localreg, name, None) is None] == []
    assert set(errors.__all__) <= set(names)
    assert set(names) <= set(dir(localreg))
    with pytest.raises(AttributeError, match="no_such_name"):
        localreg.no_such_name  # noqa: B018


def test_type_checkers_see_what_users_see() -> None:
    """The names under TYPE_CHECKING and those of `__all__` are kept by hand: they must agree."""
    tree = ast.parse((PACKAGE / "__init__.py").read_bytes())
    typed = {
        alias.asname or alias.name
        for node, at_load in _import_nodes(tree, at_load=True)
        if isinstance(node, ast.ImportFrom) and not at_load
        for alias in node.names
    }
    assert typed - {"import_module"} == set(localreg.__all__) - {"__version__"}


# --- the walk itself --------------------------------------------------------------------------------------------------

PAGE = "| layer | modules | purpose |\n|---|---|---|\n| 0 | `low` | x |\n| 1 | `first`, `second/` | x |\n"


def write(package: Path, **files: str) -> Path:
    for name, text in {"__init__": "", **files}.items():
        path = package / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


@pytest.mark.parametrize(
    "text",
    [
        "import localreg.second",
        "from localreg import second",
        "from localreg.second import thing",
        "def f():\n    from localreg.second import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from localreg.second import thing",
        "from . import second",
    ],
)
def test_a_breach_is_seen_wherever_it_stands(tmp_path: Path, text: str) -> None:
    package = write(tmp_path / ROOT, low="", first=text, second="")
    assert layers(PAGE)["second"] == Place(1, 2)
    (breach,) = breaches(imports(package), layers(PAGE))
    assert "`first` (layer 1) imports `second` (layer 1)" in breach


def test_the_other_way_round_is_fine(tmp_path: Path) -> None:
    package = write(tmp_path / ROOT, low="", first="import localreg.low", second="from localreg.first import x")
    assert breaches(imports(package), layers(PAGE)) == []


def test_an_import_of_the_root_is_seen(tmp_path: Path) -> None:
    package = write(tmp_path / ROOT, low="from localreg import Registry", first="import localreg", second="")
    assert [breach.partition(" ")[2] for breach in breaches(imports(package), layers(PAGE))] == [
        "imports the package root"
    ] * 2


def test_a_page_that_speaks_of_what_is_gone_is_seen(tmp_path: Path) -> None:
    package = write(tmp_path / ROOT, a__in__one="class Base:\n    def kept(self): ...\nclass Both(Base):\n    pass")
    assert untrue("`a/one.py`, `one.py` and `localreg/a/one.py`: `Both.kept()`, `Base.kept`", package) == []
    assert untrue("`a/two.py`: `Both.gone`, `Other.kept`", package) == ["a/two.py", "Both.gone", "Other.kept"]


def test_a_cycle_is_seen_and_lazy_imports_are_none(tmp_path: Path) -> None:
    package = write(
        tmp_path / ROOT, a__in__one="import localreg.a.two", a__in__two="def f():\n    import localreg.a.one"
    )
    assert cycle(imports(package)) == []
    (package / "a/two.py").write_text("import localreg.a.one")
    assert set(cycle(imports(package))) == {"localreg.a.one", "localreg.a.two"}


def test_a_module_that_imports_its_own_package_is_a_cycle(tmp_path: Path) -> None:
    package = write(
        tmp_path / ROOT, a__in__one="from localreg.a import name", a__in____init__="from localreg.a.one import x"
    )
    assert set(cycle(imports(package))) == {"localreg.a.one", "localreg.a"}
