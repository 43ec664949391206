"""Calling a model's `infer`, and keeping what it gives: a stretch of samples at a time, shared with other processes."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.workflow.inferences import inference_rows
from localreg.workflow.local_files import FILES, LocalFiles
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Listed", "OnError", "Runner", "Source", "Stretches"]

OnError = Literal["raise", "record"]

FLUSHED_S = 1.0
"""What is made is written after so long, or so many rows: the most that a killed process makes again."""
FLUSHED_ROWS = 10_000
FLUSH_SHARE = 0.05
"""It is written sooner where writing takes no more than this part of the time: of a slow model after each sample."""
TRACEBACK_CHARS = 10_000


class Stretches:
    """How many samples to take on next: about a second's worth, as fast as the last ones went."""

    def __init__(self) -> None:
        self._count = 1

    @property
    def count(self) -> int:
        """So many samples."""
        return self._count

    def took(self, samples: int, seconds: float) -> None:
        """Some samples took so long."""
        rate = samples / max(seconds, 1e-6)
        self._count = max(1, min(FLUSHED_ROWS, self._count * 64, int(rate * FLUSHED_S)))


class Source(Protocol):
    """Samples that are to be inferred, by their places in a run; what is taken once is not given again."""

    def take(self, wanted: int, *, wait: bool = True) -> Indices | None:
        """The next places.

        Args:
            wanted: how many at most.
            wait: for those that others have taken, and may leave.

        Returns:
            int64; None once all are made, or taken here; empty if others are at the rest, and it was not to wait.
        """
        ...

    def left(self) -> int:
        """How many nobody has made or taken, as far as it is known."""
        ...

    def advance(self, count: int) -> None:
        """So many samples were made."""
        ...


class Listed:
    """All samples of a list, for nobody else."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._begin = 0

    def take(self, wanted: int, *, wait: bool = True) -> Indices | None:
        """See `Source`."""
        import numpy as np

        begin = self._begin
        self._begin = min(begin + wanted, self._count)
        return np.arange(begin, self._begin) if begin < self._count else None

    def left(self) -> int:
        """See `Source`."""
        return self._count - self._begin

    def advance(self, count: int) -> None:
        """See `Source`."""


class Runner:
    """Infers samples, and hands the rows over in batches.

    Args:
        model: its name, for messages.
        infer: from a sample to its inference, or from a list to a list if `batch_size` is given.
        column: the type of inferences, as it is stored.
        on_error: whether the first exception ends the run, once everything before it is kept.
        batch_size: how many samples `infer` is given at once; None = one, not in a list.
        keep: takes rows.
        pause_s: how long to go on before it does; None = as short as writing is cheap.
        files: what is in the files that samples name, to be kept beside their inferences; None = nobody asks.
    """

    def __init__(
        self,
        model: str,
        infer: Callable[[Any], Any],
        column: TypedColumn,
        *,
        on_error: OnError,
        batch_size: int | None,
        keep: Callable[[pa.Table], None],
        pause_s: float | None = None,
        files: LocalFiles | None = None,
    ) -> None:
        self._model = model
        self._infer = infer
        self._column = column
        self._on_error = on_error
        self._batch_size = batch_size
        self._keep = keep
        self._longest_s = pause_s
        self._files = files
        self._flush_s = 0.0

    def work(self, source: Source, rows: Indices, samples: Callable[[Indices], Sequence[Any]]) -> int:
        """Infer what a source gives, stretch by stretch.

        Args:
            source: gives places in `rows`.
            rows: `sample_idx` of each sample.
            samples: makes the samples at some places.

        Returns:
            How many samples it were.
        """
        count, sizes = 0, Stretches()
        while (places := source.take(sizes.count)) is not None:
            indices, taken = rows[places], samples(places)
            began = time.monotonic()
            self.run(indices, taken)
            sizes.took(len(taken), time.monotonic() - began)
            count += len(taken)
            source.advance(len(taken))
        return count

    def run(self, indices: Indices, samples: Sequence[Any]) -> None:
        """Infer samples, and keep what comes: also what was made before an exception, or an interruption.

        Raises:
            Exception: what `infer` raised, with a note which sample it was; only if `on_error` is `raise`.
            InvalidInputError: an inference cannot be stored; likewise.
        """
        begin = 0
        while begin < len(samples):
            begin += self.step(indices[begin:], samples[begin:])

    def step(self, indices: Indices, samples: Sequence[Any]) -> int:
        """Infer the first of some samples, until it is time to keep what came; how many it were.

        Raises:
            Exception: as `run`.
        """
        made: list[Any] = []
        errors: dict[int, JsonObject] = {}
        try:
            if self._batch_size is None:
                self._fill(samples, made, errors)
            else:
                self._fill_by_batches(samples, self._batch_size, made, errors)
        finally:
            if made:
                self._flush(indices[: len(made)], samples, made, errors)
        return len(made)

    @property
    def _pause_s(self) -> float:
        """How long to go on before what is made is written."""
        if self._longest_s is not None:
            return self._longest_s
        return min(FLUSHED_S, self._flush_s / FLUSH_SHARE)

    def _fill(self, samples: Sequence[Any], made: list[Any], errors: dict[int, JsonObject]) -> None:
        """Infer samples until it is time to write."""
        infer, now = self._infer, time.monotonic
        until = now() + self._pause_s
        rest = iter(samples)
        while len(made) < len(samples):
            try:
                for sample in rest:
                    made.append(infer(sample))
                    if now() > until:
                        return
            except Exception as error:
                self._failed(error, samples, made, errors)

    def _fill_by_batches(
        self, samples: Sequence[Any], size: int, made: list[Any], errors: dict[int, JsonObject]
    ) -> None:
        until = time.monotonic() + self._pause_s
        while len(made) < len(samples) and (not made or time.monotonic() <= until):
            batch = list(samples[len(made) : len(made) + size])
            try:
                made += self._batch(batch)
            except Exception as error:
                if len(batch) == 1:
                    self._failed(error, samples, made, errors)
                else:  # one by one, to tell which of them it was
                    for sample in batch:
                        try:
                            made += self._batch([sample])
                        except Exception as single:
                            self._failed(single, samples, made, errors)

    def _batch(self, samples: list[Any]) -> Sequence[Any]:
        made = self._infer(samples)
        if isinstance(made, Sequence) and len(made) == len(samples):
            return made
        count = f"{len(made)} values" if isinstance(made, Sequence) else shown_value(made)
        raise InvalidInputError(
            f"infer of model {self._model!r} returned {count} for a batch of {len(samples)} samples; it must return a "
            "list with one inference for each, None to skip"
        )

    def _failed(self, error: Exception, samples: Sequence[Any], made: list[Any], errors: dict[int, JsonObject]) -> None:
        """Note that the next sample failed; the exception goes on, unless exceptions are recorded."""
        sample = samples[len(made)]
        errors[len(made)] = told(error)
        made.append(None)
        if self._on_error == "raise":
            error.add_note(
                f"localreg: infer of model {self._model!r} raised this for {sample!r}. What was inferred before is "
                "kept, and the next run goes on with this sample; on_error='record' runs the others all the same."
            )
            raise error

    def _flush(self, indices: Indices, samples: Sequence[Any], made: list[Any], errors: dict[int, JsonObject]) -> None:
        """Keep rows; an inference that cannot be stored is an exception of its sample.

        Raises:
            InvalidInputError: one cannot be stored, and `on_error` is `raise`; what stands before it is kept.
        """
        while True:
            try:
                self._refuse_other_types(samples, made)
                rows = self._rows(indices, samples, made, errors)
            except InvalidInputError:
                number, error = self._first_bad(samples, made)
            else:
                self._keep_timed(rows)
                return
            errors[number] = told(error)
            made[number] = None
            if self._on_error == "raise":
                count = number + 1
                kept = {place: each for place, each in errors.items() if place < count}
                self._keep(self._rows(indices[:count], samples, made[:count], kept))
                raise error

    def _rows(
        self, indices: Indices, samples: Sequence[Any], made: Sequence[Any], errors: dict[int, JsonObject]
    ) -> pa.Table:
        rows = inference_rows(self._column, indices, made, errors, str)
        files = None if self._files is None else self._files.column(samples[: len(made)])
        return rows if files is None else rows.append_column(FILES, files)

    def _keep_timed(self, rows: pa.Table) -> None:
        began = time.monotonic()
        self._keep(rows)
        self._flush_s = time.monotonic() - began

    def _refuse_other_types(self, samples: Sequence[Any], made: Sequence[Any]) -> None:
        for odd in set(map(type, made)) - {type(None)}:
            if not self._column.takes(odd):
                number = next(number for number, value in enumerate(made) if type(value) is odd)
                raise InvalidInputError(
                    f"infer of model {self._model!r} returned {shown_value(made[number])} for {samples[number]!r}; it "
                    f"must return {self._column.wanted}, or None to skip the sample"
                )

    def _first_bad(self, samples: Sequence[Any], made: Sequence[Any]) -> tuple[int, InvalidInputError]:
        """The first inference that cannot be stored: found by halving, once it is known that there is one."""
        begin, end = 0, len(made)
        while end - begin > 1:
            middle = (begin + end) // 2
            begin, end = (begin, middle) if self._fault(samples, made, begin, middle) else (middle, end)
        error = self._fault(samples, made, begin, end)
        assert error is not None, "there is one among them"
        return begin, error

    def _fault(self, samples: Sequence[Any], made: Sequence[Any], begin: int, end: int) -> InvalidInputError | None:
        def named(number: int) -> str:
            return f"the inference of model {self._model!r} for {samples[begin + number]!r}"

        try:
            self._refuse_other_types(samples[begin:end], made[begin:end])
            self._column.table(made[begin:end], named)
        except InvalidInputError as error:
            return error
        return None


def told(error: BaseException) -> JsonObject:
    """What is kept of an exception."""
    text = "".join(traceback.format_exception(error))
    return {"type": type(error).__qualname__, "message": str(error), "traceback": text[-TRACEBACK_CHARS:]}
