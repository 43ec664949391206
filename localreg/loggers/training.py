"""One training of a framework, kept as an experiment: what the adapters of all frameworks share.

What cannot begin raises. From then on what goes wrong is told in the log of Python, and training goes on, unless it is
strict. An experiment that is handed over while it runs is its owner's to end; any other is ended here: by the
framework, or, if that never comes to it, at the end of the process, with the exception that ended it.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from localreg.api import open_registry
from localreg.errors import ConflictError, InvalidInputError, NotFoundError
from localreg.experiments import Experiment
from localreg.experiments.points import points_of
from localreg.experiments.watching import save_beside
from localreg.loggers.plain import numbers, params_of
from localreg.names import check_flag, check_name, did_you_mean, shown_value
from localreg.registry import Registry

__all__ = ["Options", "Place", "Training", "raised"]

LOGGER = logging.getLogger("localreg")

Place: TypeAlias = "Experiment | Registry | str | os.PathLike[str] | None"
"""An experiment; or where to begin one: an open registry, its address, or None as for `localreg.open`."""


class Options(TypedDict, total=False):
    """What `Registry.experiment` takes beside a name; see there."""

    owner: str | None
    framework: str | None
    task: str | None
    params: Mapping[str, object] | None
    external_id: str | None
    description: str | None
    tags: Iterable[str]
    metadata: Mapping[str, object] | None
    resume: bool
    flush_every: float
    system_metrics: float | None
    code: bool


_RUNNING: set[Training] = set()
"""Those of this process that somebody has to end."""


class Training:
    """An experiment that begins with the first thing that is told to it.

    Args:
        place: see `Place`.
        name: of the experiment; None if `place` is one.
        options: how it begins.
        framework: what trains, unless the options say it.
        strict: let everything raise.
        unended: what it failed with if the process ends before the framework said that training did; None = nothing.

    Raises:
        InvalidInputError: neither an experiment nor the name of one, or both; an option that there is not.
    """

    def __init__(
        self, place: Place, name: str | None, options: Options, *, framework: str, strict: bool, unended: str | None
    ) -> None:
        check_flag(strict, what="strict")
        if not isinstance(place, Experiment | Registry | str | os.PathLike | None):
            raise InvalidInputError(f"registry is {shown_value(place)}; give an experiment, a registry, or a path")
        for option in options:
            if option not in Options.__annotations__:
                hint = did_you_mean(option, Options.__annotations__)
                raise InvalidInputError(f"there is no option {option!r}{hint}; see Registry.experiment")
        self._place, self._strict, self._unended = place, strict, unended
        self._options: Options = {"framework": framework, **options}
        self._handle: Experiment | None = None
        if isinstance(place, Experiment):
            if name is not None or options:
                raise InvalidInputError(f"{place!r} has its name and options; leave others out, or give a registry")
            self._handle, self.name = place, place.name
        else:
            self.name = check_name(name, what="name of the experiment")
        self._runs, self._ends, self._process, self._sent = False, True, 0, False
        self._told: set[str] = set()
        self._summed_up = False

    def __getstate__(self) -> dict[str, Any]:
        """For processes that a framework starts by itself: the first begins the experiment, others go on with it."""
        if isinstance(self._place, Experiment | Registry):
            raise InvalidInputError(
                "an open registry cannot be sent to another process; give the logger its address, and a name"
            )
        is_begun = self._sent or self._handle is not None
        self._sent = True
        return {**self.__dict__, "_sent": is_begun, "_handle": None, "_runs": False}

    # --- its life -----------------------------------------------------------------------------------------------------

    @property
    def experiment(self) -> Experiment:
        """The experiment, begun if it never was; one that has ended stays so.

        Raises:
            LocalregError: it cannot begin; see `Registry.experiment`.
        """
        if self._handle is None and self._sent:
            with suppress(NotFoundError):  # the other process did not come to it
                self._handle = self._registry().get_experiment(self.name)
        if self._handle is None:
            self.begin()
        assert self._handle is not None, "it has begun"
        return self._handle

    def begin(self) -> None:
        """Let the experiment run, from now on or again; nothing if it does.

        Raises:
            LocalregError: it cannot; see `Registry.experiment`.
        """
        if self._runs:
            return
        if self._handle is None:
            self._handle = self._begun()
        else:
            try:
                self._handle.resume(strict=self._strict)
            except ConflictError as error:
                if error.code != "running":
                    raise
                self._ends = False  # whoever runs it ends it
        self._runs, self._process = True, os.getpid()
        if self._ends:
            atexit.unregister(_end_all)
            atexit.register(_end_all)  # now, so that it comes before what registered earlier
            _RUNNING.add(self)

    def _registry(self) -> Registry:
        place = self._place
        assert not isinstance(place, Experiment), "it is the handle"
        return place if isinstance(place, Registry) else open_registry(place)

    def _begun(self) -> Experiment:
        registry = self._registry()
        options: Options = {**self._options, "resume": self._options.get("resume", False) or self._sent}
        if options["resume"]:
            # A cell of a notebook that failed, and is run again, leaves one that still runs.
            for each in list(_RUNNING):
                if each.name == self.name and each._lies_in(registry):
                    each.end("another training goes on with the experiment")
        return registry.experiment(self.name, strict=self._strict, **options)

    def _lies_in(self, registry: Registry) -> bool:
        session = self.experiment._session
        return (session.file.registry, session.namespace) == (registry.id, registry.namespace_name)

    def end(self, error: BaseException | str | None = None) -> None:
        """End the experiment as finished, or as failed with an error; nothing if it does not run."""
        if not self._runs or self._handle is None:
            return
        with self.spared("its end"):
            if not self._ends:
                self._handle.flush()
                return
            if error is None:
                self._handle.finish()
            else:
                self._handle.fail(error)
            self._runs = False
            _RUNNING.discard(self)

    @contextmanager
    def spared(self, what: str, *, of: str = "") -> Iterator[None]:
        """Whatever a block raises is told, once for each kind, and training goes on; if strict, it is raised."""
        try:
            yield
        except Exception as error:
            if self._strict:
                raise
            kind = f"{what} {of} {type(error).__name__}"
            if kind not in self._told:
                self._told.add(kind)
                LOGGER.warning("experiment %r: %s: %s", self.name, what, error)

    # --- what is told to it -------------------------------------------------------------------------------------------

    def log(self, metrics: Mapping[str, Any], *, step: int | None) -> None:
        """Points of a step; a value that cannot be logged keeps no other from it."""
        with self.spared("points"):
            self.begin()
            taken = {}
            for name, value in metrics.items():
                with self.spared("a point", of=name):
                    points_of({name: value})
                    taken[name] = value
            self.experiment.log(taken, step=step)

    def log_params(self, params: Mapping[str, Any] | Namespace) -> None:
        """Hyperparameters, but for those that the options say otherwise."""
        with self.spared("hyperparameters"):
            said = self._options.get("params") or {}
            self.experiment.log_params({name: value for name, value in params_of(params).items() if name not in said})

    def checkpoint(
        self, path: str, *, name: str, step: int | None, epoch: int | None = None, metrics: Mapping[str, Any]
    ) -> None:
        """A file or folder that the framework saved; under a name that is taken, beside the other."""
        with self.spared(f"checkpoint {name!r}"):
            save_beside(self.experiment, Path(path), name, step=step, epoch=epoch, metrics=numbers(metrics))

    def sum_up(self, summary: str) -> None:
        """The structure of the model, once."""
        if not self._summed_up:
            self._summed_up = True
            self.experiment.log_model_summary(summary)


def raised(before: BaseException | None = None) -> BaseException | None:
    """The exception that is being handled; None if it was handled before already."""
    error = sys.exc_info()[1]
    return None if error is before else error


def _end_all() -> None:
    """At the end of the process: frameworks that call nothing when training fails leave this to us."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    for each in list(_RUNNING):
        if each._process == os.getpid():
            each._strict = False
            each.end(error or each._unended)
