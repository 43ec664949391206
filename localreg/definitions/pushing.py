"""A file of definitions, checked and registered: what `Registry.push` and `localreg check` do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from localreg.definitions.finding import AT_THE_ROOT, has_registered_runtime
from localreg.definitions.gathering import Gathered, Gathering, local_path
from localreg.definitions.parsing import MODELS, Parsed, parse
from localreg.definitions.registering import Registered, register
from localreg.definitions.schema import UNIVERSAL
from localreg.errors import InvalidInputError, NotFoundError, StorageError
from localreg.garbage import without_collector
from localreg.names import did_you_mean, shown_value
from localreg.records.access import WRITER
from localreg.session import Session
from localreg.storage.new_file import checked_local

__all__ = ["Checked", "check", "push"]


class Checked(NamedTuple):
    """A file of definitions that can be registered.

    Attributes:
        names: of the models that it describes; `${model.name}` stands for all.
        notes: what was ignored or could not be known, in words.
    """

    names: tuple[str, ...]
    notes: tuple[str, ...]


def check(path: str | os.PathLike[str], *, only: Iterable[str] | None = None) -> Checked:
    """Look for everything that would keep a file of definitions from being registered.

    Needs no registry and no network: of repositories only what is said of them is checked. No code is run.

    Args:
        path: of the YAML file.
        only: names of entries; None = all.

    Raises:
        DefinitionError: something is wrong; all of it is told, each with its line.
        NotFoundError: there is no such file.
    """
    gathered, notes = _gathered(path, only, network=False)
    return Checked(tuple(each.entry.definition.name for each in gathered), tuple(notes))


def push(
    session: Session, path: str | os.PathLike[str], *, only: Iterable[str] | None, network: bool
) -> list[Registered]:
    """See `Registry.push`."""
    session.refuse_without(WRITER)
    gathered, notes = _gathered(path, only, network=network)
    registered = [
        each._replace(notes=(*each.notes, *_lonely(session, each, brought)))
        for each, brought in zip(register(session, gathered, source=Path(path).name), gathered, strict=True)
    ]
    first, *others = registered
    return [first._replace(notes=(*notes, *first.notes)), *others]


def _lonely(session: Session, registered: Registered, gathered: Gathered) -> Iterator[str]:
    """Says of a version that nobody says yet how it is run, as far as that can be seen."""
    if registered.version is None or gathered.entry.definition.runtime is not None or gathered.repository is not None:
        return
    if not {name for name, _ in gathered.snapshot or ()}.isdisjoint(AT_THE_ROOT):
        return
    if not has_registered_runtime(session, registered.version.model):
        yield f"model {registered.name!r} has no runtime, nor is one registered for it or for {UNIVERSAL!r} yet"


def _gathered(
    path: str | os.PathLike[str], only: Iterable[str] | None, *, network: bool
) -> tuple[list[Gathered], list[str]]:
    file = checked_local(path, what="path")
    with without_collector():
        return _looked_for(file, _parsed(file, only), network=network)


def _looked_for(file: Path, parts: Parsed, *, network: bool) -> tuple[list[Gathered], list[str]]:
    folder = file.resolve().parent
    urls = [*parts.urls, *(each.url for entry in parts.entries for each in entry.definition.files)]
    named = [place for url in dict.fromkeys(urls) if (place := local_path(url, folder)) is not None]
    gathering = Gathering(folder, folder, [file, *named], parts.faults, os.environ, network=network)
    gathered = [gathering.gathered(each) for each in parts.entries]
    parts.faults.refuse()
    return gathered, parts.notes


def _parsed(file: Path, only: Iterable[str] | None) -> Parsed:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {str(file)!r}; correct the path") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{file} is no text in UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror or error}") from error
    wanted = _names(only)
    parts = parse(text, file.name, os.environ, only=wanted)
    for each in sorted((wanted or set()) - set(parts.names)):
        parts.faults.add((MODELS,), f"has no entry {shown_value(each)}{did_you_mean(each, parts.names)}")
    return parts


def _names(only: Iterable[str] | None) -> set[str] | None:
    if only is None:
        return None
    names = [only] if isinstance(only, str) else list(only) if isinstance(only, Iterable) else [only]
    for each in names:
        if not isinstance(each, str):
            raise InvalidInputError(f"only holds {shown_value(each)}; give names of entries, as text")
    if not names:
        raise InvalidInputError("only is empty; give names of entries, or None for all")
    return set(names)
