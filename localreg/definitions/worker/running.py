"""A model that is loaded, where it is loaded: its functions, called with what a plan says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from localreg.definitions.plan import Hole, Plan
from localreg.definitions.worker.entrypoints import Function, Part, callable_of, function_of, not_installed
from localreg.definitions.worker.outputs import Outputs
from localreg.definitions.worker.sources import Code
from localreg.errors import InvalidInputError

__all__ = ["LoadedModel"]


class LoadedModel:
    """A model in this process.

    Both functions are looked up before the first of them is called: what is wrong with `predict` need not wait for the
    weights.

    Args:
        plan: what it is.
        code: where it comes from.

    Raises:
        InvalidInputError: see `function_of`.
        Exception: what `load` raises.
    """

    def __init__(self, plan: Plan, code: Code) -> None:
        self._plan, self._code = plan, code
        self._outputs = Outputs(plan)
        load = None if plan.load is None else function_of(plan, "load", code)
        self._predict = function_of(plan, "predict", code)
        self._convert: Callable[[object], object] | None = None
        if plan.convert is not None:
            self._convert = callable_of(plan.convert, code, plan.place("predict.output.mapping"))
        self._loaded = None if load is None else self._called("load", load, {})

    def pieces(self, batch: Sequence[object]) -> Iterator[Sequence[object]]:
        """A batch in as many pieces as its size asks for; none if it is empty."""
        size = self._plan.max_size or len(batch) or 1
        if len(batch) <= size:
            if len(batch):
                yield batch
            return
        for begin in range(0, len(batch), size):
            yield batch[begin : begin + size]

    def predicted(self, datapoints: Sequence[object]) -> list[object]:
        """What one call of `predict` says, one prediction for each datapoint.

        Raises:
            InvalidInputError: these are no such predictions.
            Exception: what the function raises.
        """
        holes = {Hole.LOADED: self._loaded, Hole.DATAPOINTS: datapoints}
        made = self._outputs.checked(self._called("predict", self._predict, holes), len(datapoints))
        if self._convert is None:
            return made
        return [None if each is None else self._outputs.made(self._convert(each)) for each in made]

    def _called(self, part: Part, function: Function, holes: Mapping[Hole, object]) -> object:
        call: Callable[..., Any] = function.call
        try:
            return call(**{name: _filled(value, holes) for name, value in function.inputs.items()})
        except ModuleNotFoundError as error:
            told = not_installed(error, self._code, self._plan.place(f"{part}.entrypoint"))
            if told is None:
                raise
            raise told from error
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:  # which would end more than the model
            raise InvalidInputError(
                f"{part} of model {self._plan.model!r} raised {type(error).__name__}: {error}", code="raised_in_model"
            ) from error


def _filled(value: object, holes: Mapping[Hole, object]) -> object:
    """A value with what is known now; lists and mappings are new ones, so that a call cannot change the next one's."""
    if isinstance(value, Hole):
        return holes[value]
    if isinstance(value, Mapping):
        return {key: _filled(each, holes) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, holes) for each in value]
    if type(value) is tuple:
        return tuple(_filled(each, holes) for each in value)
    return value
