"""The runtime of a version: its own, or that of another definition; and what is needed to run it here.

A version with code or files and no runtime takes one when it is loaded: one that was said under its model's name goes
before one for all models (`${model.name}`), wherever it stands. It is looked for among what is registered, and in the
file `localreg.yaml`, or `efemarai.yaml`, at the root of the version's code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from localreg.definitions.definition import Definition, definition_of
from localreg.definitions.faults import Faults, path_text
from localreg.definitions.materialising import code_folder, link_files
from localreg.definitions.parsing import parse
from localreg.definitions.recipe import Recipe, Source
from localreg.definitions.schema import UNIVERSAL, Runtime, checked
from localreg.definitions.templates import parsed
from localreg.definitions.variables import Known, check_variables
from localreg.errors import DefinitionError, NotFoundError
from localreg.log import State
from localreg.models import Model, ModelVersion
from localreg.records.definitions import DefinitionRecord
from localreg.session import Session

__all__ = ["AT_THE_ROOT", "has_registered_runtime", "recipe_of", "runtime_of"]

AT_THE_ROOT = ("localreg.yaml", "efemarai.yaml")


class _Found(NamedTuple):
    """A runtime.

    Attributes:
        runtime: it.
        source: where it was said.
        definition: in which it is registered; None = it stands in the version's code.
    """

    runtime: Runtime
    source: Source
    definition: Definition | None


def recipe_of(session: Session, version: ModelVersion, device: str | None, folder: Path) -> Recipe:
    """How a version is run on this machine.

    Args:
        session: where it lies.
        version: which one.
        device: goes before that of the definition.
        folder: in which links to its files come to lie.

    Raises:
        NotFoundError: nothing is registered of it, or no runtime is there for it.
        DefinitionError: a runtime that stands in its code, or that of another definition, does not fit it.
        LocalregError: its code or its files cannot be had.
    """
    own = definition_of(session, version.id)
    if own is None:
        raise NotFoundError(
            f"nothing says how {version!r} is run; push a definition that does (`localreg push models.yaml`)"
        )
    root = code_folder(own, _token(own))
    found = _own(own) or _of_others(session, version, root)
    if found.definition is not None and not _has_module(root, found.runtime):
        root = code_folder(found.definition, _token(found.definition)) or root
    if root is None:
        raise NotFoundError(f"{version!r} has no code, nor has the definition of its runtime")
    device = device if device is not None else found.runtime.device
    files = link_files(own, folder)
    _refuse_unknown(version, found, list(files), device)
    known = Known(version.model.name, version.name, files, device)
    return Recipe(known, os.fspath(root), found.runtime, found.source)


def _has_module(root: Path | None, runtime: Runtime) -> bool:
    """Whether code has the module that a runtime names: a folder with weights and a note has none."""
    if root is None:
        return False
    module = root.joinpath(*runtime.predict.entrypoint.partition(":")[0].split("."))
    return module.is_dir() or any(module.parent.glob(f"{module.name}.*"))


def _refuse_unknown(version: ModelVersion, found: _Found, files: list[str], device: str | None) -> None:
    """Raise for variables that this version has no value for: its runtime may be another's."""
    faults = Faults("")
    check_variables(found.runtime, (), faults, files=files, device=device)
    told = [f"{found.source.place(path_text(path))}: {reason}" for path, reason in faults.found()]
    if told:
        raise DefinitionError(f"{version!r} cannot be run: {'; '.join(told)}", faults=told)


def _token(definition: Definition) -> Callable[[], str | None]:
    """What opens the repository of a definition, resolved when it is asked for."""

    def resolved() -> str | None:
        said = (definition.info.repository or {}).get("access_token")
        if said is None:
            return None
        values = [each.value(os.environ) for each in parsed(said).environment]
        if None in values:
            raise DefinitionError(
                f"the code of {definition!r} is fetched with {said}, which is not set; set it",
                code="variable_missing",
            )
        return "".join(map(str, values))

    return resolved


# --- whose runtime ----------------------------------------------------------------------------------------------------


def _own(definition: Definition) -> _Found | None:
    runtime = runtime_of(definition)
    return None if runtime is None else _Found(runtime, Source.of(definition), definition)


def runtime_of(definition: Definition) -> Runtime | None:
    """What a definition itself says of how it is run; None = nothing.

    Raises:
        DefinitionError: it was registered by a later release.
    """
    said = definition.info.runtime
    faults = Faults("")
    found: Runtime | None = None if said is None else checked(said, ("runtime",), faults, Runtime)
    if faults:
        raise DefinitionError(
            f"{definition!r} was registered by a later release of localreg: {'; '.join(faults.told())}; update this one"
        )
    return found


def _of_others(session: Session, version: ModelVersion, root: Path | None) -> _Found:
    state, model = session.state(), version.model
    within = {} if root is None else _in_code(root, {model.name, UNIVERSAL})
    ways: tuple[Callable[[], _Found | None], ...] = (
        lambda: _of_versions(session, state, model.id),
        lambda: within.get(model.name),
        lambda: _registered(session, state),
        lambda: within.get(UNIVERSAL),
    )
    for way in ways:
        found = way()
        if found is not None:
            return found
    raise NotFoundError(
        f"{version!r} has no runtime of its own, and there is none for {model.name!r} or {UNIVERSAL!r}, neither "
        f"registered nor in {' or '.join(AT_THE_ROOT)} at the root of its code; push a definition with one"
    )


def has_registered_runtime(session: Session, model: Model) -> bool:
    """Whether a version of a model without a runtime of its own would find one among what is registered."""
    state = session.state()
    return (_of_versions(session, state, model.id) or _registered(session, state)) is not None


def _of_versions(session: Session, state: State, model: str) -> _Found | None:
    """That of the newest version of the model that has one."""
    for outline in reversed(state.outlines("model_version", model)):
        definition = definition_of(session, outline.id, state)
        found = None if definition is None else _own(definition)
        if found is not None:
            return found
    return None


def _registered(session: Session, state: State) -> _Found | None:
    row = state.find(DefinitionRecord.kind, UNIVERSAL)
    return None if row is None else _own(Definition(session, row.id))


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{file.name} at the root of the code is no text in UTF-8: {error.reason}") from error


def _in_code(root: Path, names: set[str]) -> dict[str, _Found]:
    """The runtimes in the file at the root of the code, by the names of their entries.

    Raises:
        DefinitionError: the file is wrong.
    """
    for name in AT_THE_ROOT:
        if (root / name).is_file():
            parts = parse(_text_of(root / name), name, os.environ, only=names, for_others=True)
            parts.faults.refuse()
            return dict(_runtimes(parts.entries, name))
    return {}


def _runtimes(entries: list[Any], name: str) -> Iterator[tuple[str, _Found]]:
    for entry in entries:
        if entry.definition.runtime is not None:
            lines = {
                path_text(path[1:]): line for path, line in entry.lines.items() if path[:1] == ("runtime",) and path[1:]
            }
            source = Source(name, f"{path_text(entry.path)}.runtime", lines)
            yield entry.definition.name, _Found(entry.definition.runtime, source, None)
