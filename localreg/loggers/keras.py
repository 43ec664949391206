"""Keras 3: `model.fit(…, callbacks=[LocalregCallback("registry", "lr 0.1")])`.

| Keras | the experiment |
|---|---|
| epochs, steps, optimizer, loss | params |
| logs of an epoch, and `learning_rate` | points under the same names (`loss`, `val_loss`), at the epoch, from 0 |
| logs of every so many batches (`batches=`) | points `batch/loss`…, at the batch, from 0, through all epochs |
| files of a pattern (`checkpoints=`) | checkpoints with the logs of their epoch, once an epoch ends |
| `evaluate` outside `fit` | points `test/loss`… |
| `model.summary()` | artifact `model summary` |
| the end of `fit`, or `evaluate` | finished |

Of an exception in `fit` Keras tells its callbacks nothing (but with JAX). An experiment that is handed over in its
`with` block fails with it: `with registry.experiment("lr 0.1") as e: model.fit(…, callbacks=[LocalregCallback(e)])`;
any other one when the process ends, with what ended it.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from localreg.errors import InvalidInputError
from localreg.loggers.frameworks import class_of
from localreg.loggers.training import Options, Place, Training, raised
from localreg.names import check_flag, check_whole, shown_value

if TYPE_CHECKING:
    from keras.callbacks import Callback

    from localreg.experiments import Experiment
else:
    Callback = class_of("Callback", ("keras.callbacks",), extra="keras")

__all__ = ["LocalregCallback"]

UNENDED = "the process ended before training did"


class LocalregCallback(Callback):
    """Keeps what `fit` does as an experiment.

    Args:
        registry: an experiment, which its owner ends if it runs; or an open registry, its address, or None as for
            `localreg.open`.
        name: of the experiment, if `registry` is none.
        batches: log also every so many batches; None = epochs alone, which costs batches nothing.
        checkpoints: pattern of files, such as `ckpts/*.keras`, that a `ModelCheckpoint` writes; those that are written
            from the beginning of training on are kept, when their epoch ends. None = none.
        summary: keep the structure of the model.
        strict: let everything raise, which else is told in the log of Python.
        **options: as of `Registry.experiment`, such as `params`, `tags` and `resume`.

    Raises:
        InvalidInputError: a malformed argument, or Keras is not installed.
    """

    def __init__(
        self,
        registry: Place = None,
        name: str | None = None,
        *,
        batches: int | None = None,
        checkpoints: str | os.PathLike[str] | None = None,
        summary: bool = True,
        strict: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        if batches is not None and check_whole(batches, what="batches") < 1:
            raise InvalidInputError(f"batches is {batches}; write 1 or more, or None")
        if not isinstance(checkpoints, str | os.PathLike | None):
            raise InvalidInputError(f"checkpoints are {shown_value(checkpoints)}; write a pattern of paths, or None")
        self._every = batches
        self._pattern = None if checkpoints is None else os.path.abspath(checkpoints)
        self._keeps_summary = check_flag(summary, what="summary")
        self._training = Training(registry, name, options, framework="keras", strict=strict, unended=UNENDED)
        # Keras waits for callbacks that look at batches, but for those that say that they need not be waited for.
        self.async_safe = batches is None
        self._fits, self._before = False, raised()
        self._epoch, self._batch = 0, 0
        self._logs: Mapping[str, Any] = {}
        self._files: dict[str, tuple[int, int]] = {}

    @property
    def experiment(self) -> Experiment:
        """The experiment.

        Raises:
            LocalregError: it cannot begin; see `Registry.experiment`.
        """
        return self._training.experiment

    # --- training -----------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Params and structure; an experiment that cannot begin raises here."""
        if _rank():
            return
        self._training.begin()
        self._fits, self._before, self._batch, self._logs = True, raised(), 0, {}
        self._files = self._written()
        with self._training.spared("hyperparameters"):
            self._training.log_params(_params(self.model, self.params or {}))
        if self._keeps_summary:
            with self._training.spared("model summary"):
                self._training.sum_up(_summary(self.model))

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Checkpoints that callbacks after this one saved of the epoch before."""
        if not _rank():
            self._keep_checkpoints()
            self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Points of every so many batches."""
        if self._every is None or _rank():
            return
        at, self._batch = self._batch, self._batch + 1
        if at % self._every == 0:
            self._training.log({f"batch/{name}": value for name, value in (logs or {}).items()}, step=at)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Points of an epoch, and its checkpoints."""
        if _rank():
            return
        self._epoch, self._logs = epoch, dict(logs or {})
        self._training.log({**_learning_rate(self.model), **self._logs}, step=epoch)
        self._keep_checkpoints()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The end; of an exception, if Keras comes to it in spite of one."""
        if not _rank():
            self._keep_checkpoints()
            self._fits = False
            self._training.end(raised(self._before))

    # --- evaluation ---------------------------------------------------------------------------------------------------

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Points of `evaluate`; those of the validation within `fit` come with the epoch."""
        if not self._fits and not _rank():
            self._training.log({f"test/{name}": value for name, value in (logs or {}).items()}, step=None)
            self._training.end()

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def _written(self) -> dict[str, tuple[int, int]]:
        """How the files of the pattern look: size and time."""
        found = {}
        for path in sorted(glob.glob(self._pattern, recursive=True)) if self._pattern is not None else ():
            if os.path.isfile(path):
                told = os.stat(path)
                found[path] = told.st_size, told.st_mtime_ns
        return found

    def _keep_checkpoints(self) -> None:
        with self._training.spared("checkpoints"):
            written = self._written()
            new = [path for path, looks in written.items() if self._files.get(path) != looks]
            self._files = written
            for path in new:
                name = Path(path).name
                self._training.checkpoint(path, name=name, step=self._epoch, epoch=self._epoch, metrics=self._logs)


def _params(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """What training begins with."""
    optimizer, loss = getattr(model, "optimizer", None), getattr(model, "loss", None)
    return {
        **{name: given[name] for name in ("epochs", "steps") if name in given},
        **({} if optimizer is None else {"optimizer": optimizer.get_config()}),
        **({} if loss is None else {"loss": loss}),
    }


def _summary(model: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(str(line)), line_length=100)
    return "\n".join(lines)


def _learning_rate(model: Any) -> dict[str, float]:
    """Of the step that comes; none for a model without one optimizer."""
    try:
        return {"learning_rate": float(model.optimizer.learning_rate)}
    except (AttributeError, TypeError, ValueError):
        return {}


def _rank() -> int:
    """Of this process among those that train, as far as the backend tells."""
    torch, jax = sys.modules.get("torch.distributed"), sys.modules.get("jax")
    if torch is not None and torch.is_available() and torch.is_initialized():
        return int(torch.get_rank())
    keras = sys.modules.get("keras")
    if jax is not None and keras is not None and keras.backend.backend() == "jax":
        return int(jax.process_index())
    return 0
