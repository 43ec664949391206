"""Values of a model that inputs refer to.

| variable | is | known to |
|---|---|---|
| `model.name`, `model.version` | text | load, predict |
| `model.runtime.device` | text | load, predict |
| `model.files.<name>.url` | a local path of what is stored, the address of what is tracked | load, predict |
| `model.runtime.load.inputs.<name>` | the value of that input | load, predict |
| `model.runtime.load.output.<name>` | what load returned | predict |
| `model.runtime.predict.inputs.<name>` | the value of that input | predict |
| `datapoints` | what is to be predicted | predict |
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from localreg.definitions.faults import Faults, Path
from localreg.definitions.plan import Hole
from localreg.definitions.schema import Input, Load, Predict
from localreg.definitions.schema import Runtime as RuntimePart
from localreg.definitions.templates import DATAPOINTS, Environment, Template, parsed, texts_in
from localreg.names import did_you_mean

__all__ = ["Known", "Unset", "check_variables", "resolved_inputs"]

FILES, DEVICE = "model.files.", "model.runtime.device"


class Known(NamedTuple):
    """What is known of a model beside its runtime.

    Attributes:
        name: of the model.
        version: its version.
        files: place of each file by its name.
        device: where it runs; None = not said.
    """

    name: str
    version: str
    files: Mapping[str, str]
    device: str | None


class Unset(Exception):
    """A variable has no value."""


# --- before anything runs ---------------------------------------------------------------------------------------------


def check_variables(
    runtime: RuntimePart, path: Path, faults: Faults, *, files: Collection[str] | None, device: str | None
) -> None:
    """Note variables that nobody knows, that come too late, or that go round in circles.

    Args:
        runtime: whose inputs refer to them.
        path: where it stands.
        faults: takes what is wrong.
        files: names of the files; None = not known yet.
        device: that the code will run on.
    """
    is_load_sure = not faults.under((*path, "load"))
    for name, call in runtime.calls():
        known = set(_names(runtime, name, device))
        for number, each in enumerate(call.inputs):
            place = (*path, name, "inputs", number, "value")
            for inner, text in texts_in(each.value):
                reason = _fault(text, known, files, runtime)
                if reason is not None and (is_load_sure or "${model.runtime.load." not in reason):
                    faults.add((*place, *inner), reason)
        _check_circles(name, call, path, faults)


def _names(runtime: RuntimePart, call: str, device: str | None) -> Iterator[str]:
    """All variables that the inputs of a call may refer to, but for files."""
    yield from ("model.name", "model.version")
    if device is not None or runtime.device is not None:
        yield DEVICE
    if runtime.load is not None:
        yield from (_input_name("load", each) for each in runtime.load.inputs)
    if call == "predict":
        if runtime.load is not None:
            yield f"model.runtime.load.output.{runtime.load.output.name}"
        yield from (_input_name("predict", each) for each in runtime.predict.inputs)
        yield DATAPOINTS


def _input_name(call: str, each: Input) -> str:
    return f"model.runtime.{call}.inputs.{each.name}"


def _fault(text: str, known: set[str], files: Collection[str] | None, runtime: RuntimePart) -> str | None:
    try:
        template = parsed(text)
    except ValueError as error:
        return str(error)
    for part in template.runtime:
        if part.name.startswith(FILES) and part.name.endswith(".url"):
            file = part.name[len(FILES) : -len(".url")]
            if files is not None and file not in files:
                have = f"; there are {', '.join(files)}" if files else "; there are no files"
                return f"refers to ${{{part.name}}}, and there is no file {file!r}{did_you_mean(file, files) or have}"
        elif part.name not in known:
            return f"refers to ${{{part.name}}}, {_why(part.name, known, runtime)}"
        elif len(template.parts) > 1 and _hole(part.name):
            return f"puts ${{{part.name}}} into a text, and it is an object; let the value be it alone"
    return None


def _why(name: str, known: set[str], runtime: RuntimePart) -> str:
    late = set(_names(runtime, "predict", "")) - known
    if name == DEVICE:
        return "and the runtime names no device"
    if name in late:
        return "which is not known yet when load is called"
    if name.startswith("model.runtime.predict.output."):
        return "which is not known before predict has returned"
    hint = did_you_mean(name, known)
    return f"which is no variable{hint or '; there are ' + ', '.join(sorted(known))}"


def _hole(name: str) -> Hole | None:
    if name == DATAPOINTS:
        return Hole.DATAPOINTS
    return Hole.LOADED if name.startswith("model.runtime.load.output.") else None


def _check_circles(name: str, call: Load | Predict, path: Path, faults: Faults) -> None:
    referred = {_input_name(name, each): set(_referred(each)) for each in call.inputs}
    for number, each in enumerate(call.inputs):
        seen: set[str] = set()
        waiting = list(referred[own := _input_name(name, each)])
        while waiting:
            other = waiting.pop()
            if other == own:
                faults.add((*path, name, "inputs", number, "value"), f"refers to itself, by way of ${{{own}}}")
                break
            if other not in seen:
                seen.add(other)
                waiting += referred.get(other, ())


def _referred(each: Input) -> Iterator[str]:
    for _, text in texts_in(each.value):
        try:
            yield from (part.name for part in parsed(text).runtime)
        except ValueError:
            continue  # told elsewhere


# --- when it is loaded ------------------------------------------------------------------------------------------------


def resolved_inputs(
    runtime: RuntimePart, known: Known, environment: Mapping[str, str], missing: Callable[[str, Path], None]
) -> dict[str, dict[str, object]]:
    """The keyword arguments of `load` and `predict`, with everything that is known by now.

    Args:
        runtime: a checked one.
        known: of the model.
        environment: environment variables.
        missing: is told of each variable of the environment that is not set, and of the input that refers to it.
    """
    return _Resolving(runtime, known, environment, missing).calls()


class _Resolving:
    def __init__(
        self,
        runtime: RuntimePart,
        known: Known,
        environment: Mapping[str, str],
        missing: Callable[[str, Path], None],
    ) -> None:
        self._runtime = runtime
        self._environment = environment
        self._missing = missing
        self._inputs: dict[str, tuple[Path, object]] = {}
        for name, call in runtime.calls():
            for number, each in enumerate(call.inputs):
                self._inputs[_input_name(name, each)] = (name, "inputs", number, "value"), each.value
        self._values: dict[str, object] = {
            "model.name": known.name,
            "model.version": known.version,
            DEVICE: known.device,
            **{f"{FILES}{name}.url": place for name, place in known.files.items()},
        }

    def calls(self) -> dict[str, dict[str, object]]:
        """By call and by name of the input."""
        return {
            name: {each.name: self._value(_input_name(name, each)) for each in call.inputs}
            for name, call in self._runtime.calls()
        }

    def _value(self, variable: str) -> object:
        if variable not in self._values:
            hole = _hole(variable)
            if hole is not None:
                return hole
            path, value = self._inputs[variable]
            self._values[variable] = self._filled(value, path)
        return self._values[variable]

    def _filled(self, value: Any, path: Path) -> object:
        if isinstance(value, str):
            return self._text(parsed(value), path)
        if isinstance(value, Mapping):
            return {key: self._filled(each, path) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._filled(each, path) for each in value]
        return value

    def _text(self, template: Template, path: Path) -> object:
        values: list[object] = []
        for part in template.parts:
            if isinstance(part, str):
                values.append(part)
            elif isinstance(part, Environment):
                found = part.value(self._environment)
                if found is None:
                    self._missing(part.name, path)
                values.append(found)
            else:
                values.append(self._value(part.name))
        return values[0] if len(values) == 1 else "".join(map(str, values))
