"""What a worker does of a test run: it makes `infer` once, and takes chunks of samples after that.

A chunk comes as the samples' rows and goes as rows of inferences, both as Arrow. Nothing else travels: no ground truth,
and no place of the registry.
"""

from __future__ import annotations

import inspect
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.canonical import sha256_hex
from localreg.errors import InvalidInputError, LocalregError
from localreg.tables.hints import hints_of, is_dataclass_type
from localreg.workflow.inferences import inference_rows
from localreg.workflow.local_files import LocalFiles
from localreg.workflow.portable import loaded, portable
from localreg.workflow.running import FLUSHED_S, OnError, Runner
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = [
    "Answer",
    "Job",
    "Packed",
    "Raised",
    "Reply",
    "answered",
    "bytes_of",
    "infer_chunk",
    "infer_packed",
    "received",
    "sent",
    "unpacked_answer",
]

LONGEST_S = 2 * FLUSHED_S
"""After so long a worker gives back what it has of a chunk, and the rest is another chunk."""

JOBS = 2
"""So many jobs a worker keeps: models are large, and two runs may share one cluster."""


class Answer(NamedTuple):
    """What came of a chunk.

    Attributes:
        rows: of its first samples, as `inference_rows` makes them.
        error: what ends the run; None = nothing.
        seconds: that it took.
    """

    rows: pa.Table
    error: BaseException | None
    seconds: float


@dataclass(frozen=True)
class Job:
    """What is the same for all chunks of a run.

    Attributes:
        model: name of the model, for messages.
        infer: its function.
        samples: their type.
        inferences: their type.
        on_error: whether the first exception ends the run.
        batch_size: how many samples `infer` is given at once; None = one, not in a list.
        hash_files: whether what is in the files that samples name is kept beside the inferences.
    """

    model: str
    infer: Callable[[Any], Any]
    samples: TypedColumn
    inferences: TypedColumn
    on_error: OnError
    batch_size: int | None
    hash_files: bool = False

    def packed(self, *, imports_main: bool) -> Packed:
        """The same as bytes.

        Raises:
            InvalidInputError: it cannot be sent to another process.
        """
        columns = (self.samples, self.inferences)
        hints = {each: hints_of(each) for each in _classes({column.cls for column in columns})}
        parts = (self.model, self.infer, columns, hints, self.on_error, self.batch_size, self.hash_files)
        what = f"infer of model {self.model!r}"
        data = portable(parts, what, named=self.infer, imports_main=imports_main)
        return Packed(sha256_hex(data), data)

    @classmethod
    def unpacked(cls, data: bytes) -> Job:
        """What `packed` made of a job."""
        model, infer, columns, hints, on_error, batch_size, hash_files = loaded(data)
        for each, resolved in hints.items():
            try:
                hints_of(each)
            except InvalidInputError:  # it came with its code: there is no module here to look up names in
                each.__annotations__ = {name: resolved[name] for name in inspect.get_annotations(each)}
        samples, inferences = columns
        return cls(model, infer, samples, inferences, on_error, batch_size, hash_files)


class Packed(NamedTuple):
    """A job as bytes.

    Attributes:
        key: tells it from others.
        data: the bytes.
    """

    key: str
    data: bytes


def _classes(classes: set[type]) -> set[type]:
    """Those, and all dataclasses that their fields hold, as far as they name them."""
    found: set[type] = set()
    waiting: list[Any] = list(classes)
    while waiting:
        each = waiting.pop()
        if is_dataclass_type(each) and each not in found:
            found.add(each)
            waiting += hints_of(each).values()
        waiting += getattr(each, "__args__", ())
    return {each for each in found if not each.__module__.startswith("localreg.")}


def infer_chunk(job: Job, indices: Indices, rows: pa.Table) -> Answer:
    """Infer the samples of a chunk, or the first of them: as many as can be inferred in a while.

    Args:
        job: what to do.
        indices: `sample_idx` of each sample.
        rows: the samples, as `samples_at` reads them.
    """
    import pyarrow as pa

    kept = [inference_rows(job.inferences, indices[:0], [], {}, str)]
    runner = Runner(
        job.model,
        job.infer,
        job.inferences,
        on_error=job.on_error,
        batch_size=job.batch_size,
        keep=kept.append,
        pause_s=LONGEST_S,
        files=LocalFiles(job.samples.node) if job.hash_files else None,
    )
    error: BaseException | None = None
    began = time.monotonic()
    try:
        runner.step(indices, job.samples.objects(rows))
    except BaseException as raised:
        error = raised
    made = pa.concat_tables(kept, promote_options="default")
    return Answer(made, error, time.monotonic() - began)


# --- in another process -----------------------------------------------------------------------------------------------


class _Jobs:
    """The jobs that this process was given, the last ones."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()  # a worker of Dask has several threads

    def get(self, key: str, data: bytes | None) -> Job | None:
        """A job, made if need be; None if it was not given yet."""
        with self._lock:
            if key not in self._jobs:
                if data is None:
                    return None
                self._jobs[key] = Job.unpacked(data)
                while len(self._jobs) > JOBS:
                    self._jobs.popitem(last=False)
            self._jobs.move_to_end(key)
            return self._jobs[key]


_jobs = _Jobs()


class Raised(NamedTuple):
    """An exception on its way.

    Attributes:
        data: it, as bytes; None if it cannot be made again from any.
        summary: its type and message.
        text: its traceback.
    """

    data: bytes | None
    summary: str
    text: str


class Reply(NamedTuple):
    """What a worker says.

    Attributes:
        is_known: whether it has the job; if not, the chunk has to come again, with it.
        refusal: why it cannot make the job, in words.
        answer: rows (an Arrow stream), what was raised, seconds.
    """

    is_known: bool
    refusal: str = ""
    answer: tuple[bytes, Raised | None, float] | None = None


def infer_packed(key: str, job: bytes | None, indices: bytes, rows: bytes, attempt: int) -> Reply:
    """Infer a chunk in a worker.

    Args:
        key: of the job.
        job: itself; None = the worker may have it already.
        indices: `sample_idx` of each sample.
        rows: the samples; none = only make the job.
        attempt: different for each call: some executors make equal calls once.
    """
    import numpy as np

    try:
        known = _jobs.get(key, job)
    except Exception as error:
        return Reply(True, refusal=f"{type(error).__name__}: {error}")
    if known is None or not rows:
        return Reply(known is not None)
    answer = infer_chunk(known, np.frombuffer(indices, np.int64), table_of(rows))
    raised = None if answer.error is None else sent(answer.error)
    return Reply(True, answer=(bytes_of(answer.rows), raised, answer.seconds))


def unpacked_answer(reply: Reply, model: str) -> Answer:
    """What a worker made of a chunk."""
    assert reply.answer is not None, "the job was known"
    rows, raised, seconds = reply.answer
    return Answer(table_of(rows), None if raised is None else received(raised, f"infer of model {model!r}"), seconds)


def sent(error: BaseException) -> Raised:
    """An exception, to be `received` in another process."""
    summary, text = f"{type(error).__qualname__}: {error}", "".join(traceback.format_exception(error))
    try:
        data = portable(error, "an exception")
        loaded(data)
    except Exception:
        return Raised(None, summary, text)
    return Raised(data, summary, text)


def received(raised: Raised, what: str) -> BaseException:
    """An exception as `sent` took it; told in words where it cannot be made again."""
    error: object = None
    with suppress(Exception):  # its class may not be here
        error = None if raised.data is None else loaded(raised.data)
    if not isinstance(error, BaseException):
        error = InvalidInputError(f"{what} raised {raised.summary}", code="raised_in_worker")
    error.add_note(f"localreg: it was raised in a worker:\n{raised.text}")
    return error


def answered(call: Future[Any], what: str, *, failed: str, advice: str) -> Any:
    """What a worker gave back: as bytes, or, from the same memory, as it is.

    Args:
        call: under way, or done.
        what: was called, for what it raised.
        failed: what could not be done, if the executor itself fails.
        advice: what is left then, and the next step.

    Raises:
        BaseException: what was raised in the worker, as far as it can be made again.
        InvalidInputError: the executor failed.
    """
    try:
        result = call.result()
        said = loaded(result) if isinstance(result, bytes) else result
    except LocalregError:
        raise
    except Exception as error:
        raise InvalidInputError(
            f"{failed} ({type(error).__name__}: {error}); {advice}", code="executor_broken"
        ) from error
    if isinstance(said, Raised):
        raise received(said, what)
    return said


def bytes_of(table: pa.Table) -> bytes:
    """A table as an Arrow stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def table_of(data: bytes) -> pa.Table:
    """The table of an Arrow stream."""
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()
