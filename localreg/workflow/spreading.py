"""A test run on an executor: chunks of samples go out to workers, rows of inferences come back and are kept.

Which samples are in which chunk is decided here, and what comes is kept here: a worker writes nothing, so that an
attempt which is repeated, late or lost can neither double a row nor leave one half written. A chunk whose worker dies
is tried again; if that one dies, too, it is halved until the sample is known that does it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from localreg.errors import InvalidInputError
from localreg.workflow.chunks import Answer, Job, Packed, Reply, bytes_of, infer_chunk, infer_packed, unpacked_answer
from localreg.workflow.executors import Workers
from localreg.workflow.inferences import inference_rows
from localreg.workflow.processes import GUARD, WorkerDied
from localreg.workflow.running import Source, Stretches, told
from localreg.workflow.sharing import WAITED_S

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Spreading"]

CHUNKS_OF_A_WORKER = 2
"""So many are under way for each worker: none waits for the next one, and few are lost with the program."""

SMALL_JOB_BYTES = 65_536
"""A job up to this size goes with each chunk; a larger one only to workers that lack it."""

ATTEMPTS = 2
"""After so many a chunk is halved, or its one sample is an error."""

FRUITLESS = 100
"""So many attempts that fail one after the other end the run: then it is not a sample that does it."""


@dataclass(eq=False)
class Chunk:
    """Samples that one worker infers.

    Attributes:
        places: of the samples in the run.
        attempts: how many may fail before it is halved.
        with_job: whether its worker said that it lacks the job.
    """

    places: Indices
    attempts: int = ATTEMPTS
    with_job: bool = False


@dataclass
class _Came:
    """What came of some chunks."""

    rows: list[pa.Table] = field(default_factory=list)
    samples: int = 0


class Spreading:
    """One run on an executor.

    Args:
        workers: the executor.
        job: what they do.
        rows: all samples of the run, by `sample_idx`.
        tables: the rows of the samples at some places of `rows`, as `samples_at` reads them.
        keep: takes rows of inferences.

    Raises:
        InvalidInputError: `infer` cannot be sent to another process, or not be made there.
    """

    def __init__(
        self,
        workers: Workers,
        job: Job,
        *,
        rows: Indices,
        tables: Callable[[Indices], pa.Table],
        keep: Callable[[pa.Table], None],
    ) -> None:
        self._workers = workers
        self._job = job
        self._rows = rows
        self._tables = tables
        self._keep = keep
        self._flying: dict[Future[Any], Chunk] = {}
        self._again: deque[Chunk] = deque()
        self._suspects: deque[Chunk] = deque()
        self._sizes = Stretches()
        self._attempt = 0
        self._fruitless = 0
        self._error: BaseException | None = None
        self._packed = None if workers.shares_memory else job.packed(imports_main=workers.imports_main)
        if self._packed is not None:
            self._greet(self._packed)

    def work(self, source: Source) -> int:
        """Infer what a source gives; how many samples it were.

        Raises:
            Exception: what `infer` raised, unless exceptions are recorded; what came, and what was under way, is kept.
            InvalidInputError: the workers cannot do it.
        """
        count = 0
        try:
            while self._fill(source):
                if self._flying:
                    count += self._collect(source)
                else:
                    time.sleep(WAITED_S)  # for what others are at, or until they are found dead
        finally:
            self._cancel()
        if self._error is not None:
            raise self._error
        return count

    def _greet(self, packed: Packed) -> None:
        """Have all workers make the job, and wait for the first of them.

        Raises:
            InvalidInputError: it cannot.
        """
        try:
            greeted = [
                self._submit(infer_packed, packed.key, packed.data, b"", b"", -number)
                for number in range(self._workers.width)
            ]
            first, _ = wait(greeted, return_when=FIRST_COMPLETED)
            reply: Reply = first.pop().result()
        except WorkerDied as error:
            raise InvalidInputError(
                f"a worker process of {self._workers.name} ended at its start: {error}; its own message stands above. "
                f"If this is a script: {GUARD}",
                code="executor_broken",
            ) from error
        except Exception as error:
            raise self._broken(error) from error
        self._refuse(reply)

    def _refuse(self, reply: Reply) -> None:
        if reply.refusal:
            raise InvalidInputError(
                f"workers of {self._workers.name} cannot load infer of model {self._job.model!r}: {reply.refusal}; "
                "install there what it imports, in the same versions",
                code="executor_broken",
            )

    def _broken(self, error: BaseException) -> InvalidInputError:
        return InvalidInputError(
            f"executor {self._workers.name} is broken ({type(error).__name__}: {error}); what was inferred is kept: "
            "run it again, with another one",
            code="executor_broken",
        )

    # --- sending ------------------------------------------------------------------------------------------------------

    def _fill(self, source: Source) -> bool:
        """Send chunks until enough are under way; False once there is nothing more to wait for."""
        if self._suspects:
            if not self._flying:
                self._send(self._suspects.popleft())
            return True
        is_open = True
        while self._error is None and is_open and len(self._flying) < CHUNKS_OF_A_WORKER * self._workers.width:
            if self._again:
                self._send(self._again.popleft())
                continue
            places = source.take(self._wanted(source), wait=False)
            is_open = places is not None and len(places) > 0
            if is_open:
                self._send(Chunk(cast("Indices", places)))
            elif places is None and not self._flying:
                return False
        return bool(self._flying) or self._error is None

    def _wanted(self, source: Source) -> int:
        """How many samples to take on next: a second's worth, and less towards the end, so that all end at once."""
        most = self._sizes.count
        share = -(-source.left() // (CHUNKS_OF_A_WORKER * self._workers.width))
        wanted = max(1, most // 10, min(most, share))
        batch = self._job.batch_size or 1
        return -(-wanted // batch) * batch

    def _send(self, chunk: Chunk) -> None:
        indices, table, packed = self._rows[chunk.places], self._tables(chunk.places), self._packed
        self._attempt += 1
        try:
            if packed is None:
                future = self._submit(infer_chunk, self._job, indices, table)
            else:
                is_small = len(packed.data) <= SMALL_JOB_BYTES
                job = packed.data if is_small or chunk.with_job else None
                data = indices.astype("<i8").tobytes(), bytes_of(table)
                future = self._submit(infer_packed, packed.key, job, *data, self._attempt)
        except Exception as error:
            self._end(self._broken(error), error)
        else:
            self._flying[future] = chunk

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._workers.executor.submit(function, *arguments)

    # --- receiving ----------------------------------------------------------------------------------------------------

    def _collect(self, source: Source) -> int:
        """Wait for a chunk, and keep what came; how many samples it were."""
        import pyarrow as pa

        done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
        came = _Came()
        for future in done:
            chunk = self._flying.pop(future)
            try:
                result = future.result()
            except Exception as error:
                self._failed(chunk, error, came)
            else:
                self._received(chunk, result, came)
        if came.rows:
            self._keep(pa.concat_tables(came.rows, promote_options="default"))
            source.advance(came.samples)
        return came.samples

    def _received(self, chunk: Chunk, result: Reply | Answer, came: _Came) -> None:
        if isinstance(result, Reply):
            if result.refusal:
                try:
                    self._refuse(result)
                except InvalidInputError as error:
                    self._end(error)
                return
            if not result.is_known:
                chunk.with_job = True
                self._again.append(chunk)
                return
            result = unpacked_answer(result, self._job.model)
        self._took(chunk, result, came)

    def _took(self, chunk: Chunk, answer: Answer, came: _Came) -> None:
        count = answer.rows.num_rows
        if count:
            came.rows.append(answer.rows)
            came.samples += count
            self._fruitless = 0
            self._sizes.took(count, answer.seconds)
        if answer.error is not None:
            self._end(answer.error)
        elif count < len(chunk.places):
            self._again.append(Chunk(chunk.places[count:]))

    def _failed(self, chunk: Chunk, error: BaseException, came: _Came) -> None:
        """A chunk's worker died, or its executor failed."""
        chunk.attempts -= 1
        self._fruitless += 1
        if self._fruitless > FRUITLESS:
            self._end(self._broken(error), error)
        elif chunk.attempts > 0:
            # A cluster tells the death of a worker of all that waited there, too: the last try of a sample is alone.
            is_certain = len(chunk.places) > 1 or isinstance(error, WorkerDied)
            (self._again if is_certain else self._suspects).append(chunk)
        elif len(chunk.places) > 1:
            middle = len(chunk.places) // 2
            halves = chunk.places[:middle], chunk.places[middle:]
            self._again += [Chunk(half, attempts=ATTEMPTS if len(half) == 1 else 1) for half in halves]
        else:
            self._give_up(chunk, error, came)

    def _give_up(self, chunk: Chunk, error: BaseException, came: _Came) -> None:
        """A sample that its workers do not survive is an exception of `infer`."""
        reason = told(error)
        if isinstance(error, WorkerDied):
            reason["traceback"] = ""  # it would be ours
        came.rows.append(inference_rows(self._job.inferences, self._rows[chunk.places], [None], {0: reason}, str))
        came.samples += 1
        if self._job.on_error == "raise":
            sample = self._job.samples.objects(self._tables(chunk.places))[0]
            message = (
                f"infer of model {self._job.model!r} was called {ATTEMPTS} times for {sample!r}, and each time "
                f"{reason['message']}; what was inferred is kept, and on_error='record' runs the others all the same"
            )
            self._end(InvalidInputError(message, code="worker_died"), error)

    def _end(self, error: BaseException, cause: BaseException | None = None) -> None:
        """Take on nothing more, and raise this once what is under way is through."""
        if self._error is None:
            error.__cause__ = cause if cause is not None else error.__cause__
            self._error = error
            self._again.clear()
            self._suspects.clear()
            self._cancel()

    def _cancel(self) -> None:
        """Call off what was not begun yet."""
        self._flying = {future: chunk for future, chunk in self._flying.items() if not future.cancel()}
