"""What is run, with everything that is known before it runs: the last form of a definition, made when it is loaded.

Only the standard library is imported here and in `localreg.definitions.worker`: a process that runs a model should
hold that model and little else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Call", "Hole", "Plan"]


class Hole(Enum):
    """A value that is known only while the model runs; it may stand within lists and mappings, too."""

    LOADED = "what load returned"
    DATAPOINTS = "the datapoints of one call"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the registered code, and what it is called with.

    Attributes:
        entrypoint: `module:function`; both may have dots.
        inputs: keyword arguments; a `Hole` is filled at the call.
    """

    entrypoint: str
    inputs: Mapping[str, object] = field(repr=False)  # which may be secrets


@dataclass(frozen=True, slots=True)
class Plan:
    """A model as it is run. Can be pickled.

    Attributes:
        model: what it is called in messages, such as `plate-reader@6`.
        root: folder of the code.
        load: is called once; None = there is nothing to load.
        predict: is called for each batch.
        device: goes to functions that have a parameter `device`, unless their inputs name one; None = to none.
        keys: what each prediction must hold; None = anything.
        max_size: how many datapoints one call of `predict` is given at most; None = all.
        convert: `module:function`, called with each prediction that is not None for what is handed over in its place;
            None = predictions are.
        places: where something was said, for messages: by `load.entrypoint`, `load.inputs.<name>`,
            `predict.output.keys` and so on, such as `models[0].runtime.load.entrypoint, line 27 of models.yaml`.
        secrets: what stands in messages in place of what inputs took from the environment: `${NAME}` by the value, as
            it reads, and as texts may spell it.
    """

    model: str
    root: str
    load: Call | None
    predict: Call
    device: str | None = None
    keys: tuple[str, ...] | None = None
    max_size: int | None = None
    convert: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def place(self, path: str) -> str:
        """Where something was said; of what has no place of its own, where that stands which holds it."""
        while path not in self.places and "." in path:
            path = path.rpartition(".")[0]
        return self.places.get(path, f"runtime.{path}")
