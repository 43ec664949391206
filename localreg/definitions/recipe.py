"""How a registered version is run: everything but the environment variables, which are those of where it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from localreg.definitions.definition import Definition
from localreg.definitions.faults import Path, path_text
from localreg.definitions.plan import Call, Plan
from localreg.definitions.schema import Runtime
from localreg.definitions.templates import parsed, texts_in
from localreg.definitions.variables import Known, resolved_inputs
from localreg.errors import DefinitionError

__all__ = ["Recipe", "Source"]

SHORTEST = 6
"""A value of fewer characters is part of too many words to be taken out of texts."""


@dataclass(frozen=True)
class Source:
    """Where a runtime was said.

    Attributes:
        name: of the file; "" = Python.
        path: of the runtime in it, such as `models[0].runtime`.
        lines: by path, from `path` on: `load.entrypoint`.
    """

    name: str
    path: str
    lines: Mapping[str, int]

    @classmethod
    def of(cls, definition: Definition) -> Source:
        """That of a registered runtime."""
        said = definition.info.source
        if said is None:
            return cls("", "runtime", {})
        lines = {path.removeprefix("runtime."): line for path, line in said["lines"].items() if path != "runtime"}
        return cls(said["name"], f"{said['path']}.runtime", lines)

    def place(self, path: str) -> str:
        """Where something of the runtime stands, in words."""
        shown, of = f"{self.path}.{path}", f" of {self.name}" if self.name else ""
        while path not in self.lines and path:
            path = path.rpartition(".")[0] if not path.endswith("]") else path[: path.rindex("[")]
        return f"{shown}, line {self.lines[path]}{of}" if path else f"{shown}{of}"


@dataclass(frozen=True)
class Recipe:
    """How a version is run on this machine. Can be pickled, and holds no secret.

    Attributes:
        known: of the model.
        root: folder of the code.
        runtime: a checked one.
        source: where that was said.
    """

    known: Known
    root: str
    runtime: Runtime
    source: Source

    @property
    def model(self) -> str:
        """What it is called in messages."""
        return f"{self.known.name}@{self.known.version}"

    @property
    def max_size(self) -> int | None:
        """How many datapoints one call of `predict` is given at most."""
        return None if self.runtime.batch is None else self.runtime.batch.max_size

    def plan(self, *, converted: bool = False) -> Plan:
        """The plan, with the environment variables of this process.

        Args:
            converted: whether predictions go through the function that the definition names as `mapping`, if it does.

        Raises:
            DefinitionError: some are not set; all of them are named.
        """
        missing: dict[str, Path] = {}

        def note(name: str, path: Path) -> None:
            missing.setdefault(name, path)

        environment = dict(os.environ)
        inputs = resolved_inputs(self.runtime, self.known, environment, note)
        self._refuse(missing)
        keys = self.runtime.predict.output.keys
        load, mapping = self.runtime.load, self.runtime.predict.output.mapping
        return Plan(
            self.model,
            self.root,
            None if load is None else Call(load.entrypoint, inputs["load"]),
            Call(self.runtime.predict.entrypoint, inputs["predict"]),
            self.known.device,
            None if keys is None else tuple(keys),
            self.max_size,
            mapping if converted and isinstance(mapping, str) else None,
            self._places(),
            self._secrets(environment),
        )

    def _refuse(self, missing: Mapping[str, Path]) -> None:
        if not missing:
            return
        told = [f"{self.source.place(path_text(path))}: ${{{name}}}" for name, path in missing.items()]
        raise DefinitionError(
            f"model {self.model} refers to environment variables that are not set: {'; '.join(told)}; set them where "
            "it is loaded",
            faults=told,
            code="variable_missing",
        )

    def _secrets(self, environment: Mapping[str, str]) -> dict[str, str]:
        """See `Plan.secrets`; defaults are none, as they are written in the definition."""
        secrets: dict[str, str] = {}
        for _, call in self.runtime.calls():
            for _, text in texts_in([each.value for each in call.inputs]):
                for variable in parsed(text).environment:
                    for spelled in _spellings(environment.get(variable.name, "")):
                        secrets.setdefault(spelled, f"${{{variable.name}}}")
        return secrets

    def _places(self) -> dict[str, str]:
        """For the messages of workers, which name inputs by their names."""
        places = {}
        for name, call in self.runtime.calls():
            paths = [f"{name}.entrypoint", f"{name}.output.keys", f"{name}.output.mapping"]
            places.update({path: self.source.place(path) for path in paths})
            for number, each in enumerate(call.inputs):
                places[f"{name}.inputs.{each.name}"] = self.source.place(f"{name}.inputs[{number}]")
            places[f"{name}.inputs"] = self.source.place(f"{name}.inputs")
        return places


def _spellings(value: str) -> Iterator[str]:
    """A value as texts may show it: as it is, by its lines, as Python writes it, in an address."""
    lines = [line.strip() for line in value.splitlines()]
    for each in (value, *lines, repr(value)[1:-1], quote(value, errors="replace"), quote(value, "", errors="replace")):
        if len(each) >= SHORTEST and len(value) >= SHORTEST:
            yield each
