"""A YAML file as definitions: first the YAML, then its variables, then its keys; all that is wrong is told at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localreg.definitions.document import Document, read_document
from localreg.definitions.faults import Faults, Path
from localreg.definitions.mending import UNKNOWN, mended
from localreg.definitions.schema import UNIVERSAL, Definition, Runtime, checked, without_empty
from localreg.definitions.secrets import (
    input_fault,
    is_secret,
    literal_fault,
    stays_template,
    url_fault,
    variable_fault,
)
from localreg.definitions.templates import Environment, Template, parsed
from localreg.definitions.variables import check_variables
from localreg.names import did_you_mean, shown_value

__all__ = ["Entry", "Parsed", "checked_entry", "parse"]

MODELS = "models"
SECTIONS = ("project", "datasets", "domains", "reports", "triggers")
"""Of files that describe more than models; others are ignored, too."""


@dataclass(frozen=True)
class Entry:
    """One definition, and where it stands.

    Attributes:
        definition: what it says.
        path: where.
        lines: of its values, by the path within the entry; {} = it was said in Python.
    """

    definition: Definition
    path: Path
    lines: Mapping[Path, int]


@dataclass(frozen=True)
class Parsed:
    """A file of definitions.

    Attributes:
        name: of the file.
        entries: in their order.
        names: of all entries, also of those that were not looked at.
        notes: what was ignored, in words.
        faults: to add what is found later.
        urls: of the files of all entries, as they are written.
    """

    name: str
    entries: list[Entry]
    names: list[str]
    notes: list[str]
    faults: Faults
    urls: list[str]


def parse(
    text: str,
    name: str,
    environment: Mapping[str, str],
    *,
    only: Collection[str] | None = None,
    for_others: bool = False,
) -> Parsed:
    """Read definitions. What is wrong is in `faults`; entries that have some are there as far as they can be told.

    Args:
        text: YAML.
        name: of the file, for messages.
        environment: environment variables.
        only: names of entries; others are not looked at, but for the one for all models if one of these relies on it.
            None = all.
        for_others: whether their runtimes are for versions that bring files of their own.

    Raises:
        DefinitionError: it is no YAML.
    """
    document = read_document(text, name)
    faults = Faults(name, document.lines)
    listed = _listed(document, faults)
    notes = [f"section {key!r} is ignored" for key in _foreign(document, faults)]
    lines = _lines_by_entry(document.lines)
    names: dict[str, int] = {}
    wanted = []
    for number, value in enumerate(listed):
        path: Path = (MODELS, number)
        own = _name(value, environment)
        if own is not None and (first := names.setdefault(own, number)) != number:
            there = faults.place((MODELS, first, "name"))
            faults.add((*path, "name"), f"is {own!r}, which {there} is already; names are unique")
        if only is None or own in only:
            wanted.append(number)
    if UNIVERSAL in names and any(_lacks_runtime(listed[number]) for number in wanted):
        wanted = sorted({*wanted, names[UNIVERSAL]})
    entries = []
    for number in wanted:
        path = (MODELS, number)
        definition = checked_entry(listed[number], path, faults, environment, for_others=for_others)
        if definition is not None:
            entries.append(Entry(definition, path, lines[number]))
    return Parsed(name, entries, list(names), notes, faults, list(_local_files(listed)))


def _lacks_runtime(entry: object) -> bool:
    """Whether an entry relies on the one for all models."""
    return isinstance(entry, dict) and not entry.get("runtime")


def _local_files(listed: list[Any]) -> Iterator[str]:
    """What stands as the address of a file in any entry."""
    for entry in listed:
        files = entry.get("files") if isinstance(entry, dict) else None
        for file in files if isinstance(files, list) else []:
            if isinstance(file, dict) and isinstance(url := file.get("url"), str):
                yield url


def _lines_by_entry(lines: Mapping[Path, int]) -> dict[int, dict[Path, int]]:
    found: dict[int, dict[Path, int]] = {}
    for path, line in lines.items():
        if len(path) >= 2 and path[0] == MODELS and isinstance(path[1], int):
            found.setdefault(path[1], {})[path[2:]] = line
    return found


def _listed(document: Document, faults: Faults) -> list[Any]:
    top = document.value
    if not isinstance(top, dict):
        faults.add((), f"holds {shown_value(top)}; it must have a list named models")
        return []
    if MODELS not in top:
        near = did_you_mean(MODELS, [key for key in top if key not in SECTIONS]).replace("did you mean", "is it")
        faults.add((), f"has no list named models{near}")
        return []
    listed = top[MODELS]
    if not isinstance(listed, list) or not listed:
        faults.add((MODELS,), "must be a list of one model or more: each begins with '- name:'")
        return []
    return listed


def _foreign(document: Document, faults: Faults) -> list[str]:
    if not isinstance(document.value, dict) or MODELS not in document.value:
        return []
    return [key for key in document.value if key != MODELS]


def _name(value: object, environment: Mapping[str, str]) -> str | None:
    """What an entry is called, as far as that can be told."""
    name = value.get("name") if isinstance(value, dict) else None
    name = getattr(name, "text", name)
    if not isinstance(name, str) or name == UNIVERSAL:
        return name if isinstance(name, str) else None
    try:
        template = parsed(name)
    except ValueError:
        return None
    if template.runtime or any(map(variable_fault, template.environment)):
        return None
    parts = [each.value(environment) if isinstance(each, Environment) else each for each in template.parts]
    return None if None in parts else "".join(map(str, parts)).strip()


def checked_entry(
    value: object, path: Path, faults: Faults, environment: Mapping[str, str], *, for_others: bool = False
) -> Definition | None:
    """One entry, with its variables resolved where they are not kept.

    Returns:
        What it says; if it has faults, as far as that can be told. None = it says nothing that can be looked at.
    """
    value = _Reading(path, faults, environment, value).resolved(value, ())
    definition: Definition | None = checked(value, path, faults) or mended(without_empty(value), Definition)
    _check_addresses(value if isinstance(value, dict) else {}, path, faults)
    if definition is None:
        return None
    _check_names(definition, path, faults)
    if definition.runtime is not None:
        are_known = not (for_others or definition.is_universal or faults.under((*path, "files")))
        files = [each.name for each in definition.files] if are_known else None
        runtime = definition.runtime
        check_variables(runtime, (*path, "runtime"), faults, files=files, device=runtime.device)
    return definition


class _Reading:
    """The texts of one entry."""

    def __init__(self, path: Path, faults: Faults, environment: Mapping[str, str], value: object) -> None:
        self._path = path
        self._faults = faults
        self._environment = environment
        own = value if isinstance(value, dict) else {}
        name, version = (getattr(own.get(key), "text", own.get(key)) for key in ("name", "version"))
        self._own = {"model.name": None if name == UNIVERSAL else _name(own, environment), "model.version": version}

    def resolved(self, value: Any, place: Path) -> Any:
        """A value with the variables of its texts resolved, but for those that are kept."""
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, dict):
            return {key: self.resolved(each, (*place, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self.resolved(each, (*place, number)) for number, each in enumerate(value)]
        if is_secret(place) and hasattr(value, "text"):  # a number is written out as well as a text
            return self._text(value.text, place)
        return value

    def _text(self, text: str, place: Path) -> str:
        if "${" not in text and not is_secret(place):
            return text
        if place == ("name",) and text == UNIVERSAL:
            return text
        try:
            template = parsed(text)
        except ValueError as error:
            self._add(place, "is a secret that is not written as ${NAME}" if is_secret(place) else str(error))
            return text
        if stays_template(place):
            reason = literal_fault(template) if is_secret(place) else _default_fault(template)
            if reason is not None:
                self._add(place, reason)
            return text
        return "".join(self._part(part, place) for part in template.parts)

    def _part(self, part: Any, place: Path) -> str:
        if isinstance(part, str):
            return part
        if not hasattr(part, "default"):
            return self._of_model(part.name, place)
        reason, value = variable_fault(part), part.value(self._environment)
        if reason is None and value is None:
            reason = (
                f"refers to the environment variable {part.name}, which is not set; set it, or write "
                f"${{{part.name}:-default}}"
            )
        if reason is not None:
            self._add(place, reason)
            return UNKNOWN
        return value or ""

    def _of_model(self, name: str, place: Path) -> str:
        value = self._own.get(name) if place not in (("name",), ("version",)) else None
        if value is None:
            have = "model.name, and model.version where it is given, can be used here"
            self._add(place, f"refers to ${{{name}}}; {have}, and everything in values of inputs")
        return UNKNOWN if value is None else str(value)

    def _add(self, place: Path, reason: str) -> None:
        self._faults.add((*self._path, *place), reason)


def _default_fault(template: Template) -> str | None:
    named = next((each for each in template.environment if each.default and variable_fault(each)), None)
    if named is None:
        return None
    return f"writes out what is used in place of ${{{named.name}}}, which is named as a secret; leave that out"


def _check_names(definition: Definition, path: Path, faults: Faults) -> None:
    """Names that must tell one thing from another."""
    groups: list[tuple[Path, list[str]]] = [(("files",), [each.name for each in definition.files])]
    if definition.runtime is not None:
        _check_keys(definition.runtime, (*path, "runtime", "predict", "output"), faults)
        for name, call in definition.runtime.calls():
            for number, each in enumerate(call.inputs):
                reason = input_fault(each.name, each.value)
                if reason is not None:
                    faults.add((*path, "runtime", name, "inputs", number, "value"), reason)
            groups.append((("runtime", name, "inputs"), [each.name for each in call.inputs]))
    for place, names in groups:
        for number, name in enumerate(names):
            if name in names[:number]:
                faults.add((*path, *place, number, "name"), f"is {name!r}, as another one; names are unique")
    if definition.is_universal:
        for key in ("version", "files", "description", "tags", "metadata", "task", "owner"):
            if getattr(definition, key):
                faults.add((*path, key), f"belongs to one model, and {UNIVERSAL} stands for all; leave it out")
        if definition.runtime is None:
            faults.add((*path, "runtime"), f"is missing; it is what {UNIVERSAL} is there for")


def _check_keys(runtime: Runtime, path: Path, faults: Faults) -> None:
    output = runtime.predict.output
    keys = output.keys or []
    for number, key in enumerate(keys):
        if key in keys[:number]:
            faults.add((*path, "keys", number), f"is {key!r}, as another one; keys are unique")
    if keys and isinstance(output.mapping, Mapping):
        for field, key in output.mapping.items():
            if key not in keys:
                near = did_you_mean(key, keys) or f"; they are {', '.join(keys)}"
                faults.add((*path, "mapping", field), f"takes {key!r}, which is none of the keys{near}")


def _check_addresses(entry: Mapping[str, Any], path: Path, faults: Faults) -> None:
    places: list[tuple[Path, object, str]] = [(("repository",), entry.get("repository"), "access_token: ${GIT_KEY}")]
    files = entry.get("files")
    for number, each in enumerate(files if isinstance(files, list) else []):
        places.append((("files", number), each, "credentials: ${BUCKET_KEY}"))
    for place, value, advice in places:
        url = value.get("url") if isinstance(value, dict) else None
        reason = url_fault(url, advice) if isinstance(url, str) else None
        if reason is not None:
            faults.add((*path, *place, "url"), reason)
