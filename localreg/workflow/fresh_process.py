"""Samples inferred by a fresh process: another Python, which knows nothing but what it is told.

The child is told, and tells, by files in a folder of its own: `path` and `task` (pickles), `progress` (a byte for each
call of `infer` that returned), `pass-<n>.arrow` (what a pass made) or `fault` (why there is none). So it cannot block
on a pipe, and whatever `infer` prints goes where the output of this process goes.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from multiprocessing import spawn
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.workflow.chunks import Job
from localreg.workflow.running import Runner

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["INSIDE", "THREADS", "Pass", "Work", "infer_elsewhere", "infer_here"]

INSIDE = "LOCALREG_FRESH_PROCESS"
"""The environment variable that says to a child that it is one."""

THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)
"""What numeric libraries look at when they are loaded."""

LOOKED_S = 0.05

_CHILD = (
    "import pickle, sys\n"
    "with open(sys.argv[1] + '/path', 'rb') as file:\n"
    "    sys.path[:] = pickle.load(file)\n"
    "from localreg.workflow.fresh_process import work_in\n"
    "work_in(sys.argv[1])\n"
)


@dataclass(frozen=True, slots=True)
class Pass:
    """Once through all samples.

    Attributes:
        order: places of the samples.
        batch_size: how many `infer` is given at once; None = one, not in a list.
    """

    order: Sequence[int]
    batch_size: int | None


@dataclass(frozen=True)
class Work:
    """What a child is to do.

    Attributes:
        job: the function, and the types; how many samples it is given at once, the passes say.
        indices: `sample_idx` of each sample.
        samples: the samples, as `samples_at` reads them.
    """

    job: Job
    indices: Indices
    samples: pa.Table


def infer_elsewhere(
    work: Work,
    passes: Sequence[Pass],
    *,
    threads: int | None,
    timeout_s: float,
    called: Callable[[int], None],
) -> list[pa.Table]:
    """Let a fresh process infer.

    Args:
        work: what.
        passes: how often, and how.
        threads: how many threads numeric libraries may use; None = as here.
        timeout_s: how long one call of `infer` may take, or the start of the process.
        called: told how many calls have returned since it was told last.

    Returns:
        What each pass made, as `inference_rows` says it, in the order of `work.indices`.

    Raises:
        InvalidInputError: `infer` cannot be sent there, or the process ended, or stood still for too long.
    """
    with TemporaryDirectory(prefix="localreg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _write_task(folder, work, passes, threads)
        environment = {**os.environ, INSIDE: "1", **({} if threads is None else dict.fromkeys(THREADS, str(threads)))}
        child = subprocess.Popen([sys.executable, "-c", _CHILD, name], env=environment, stdin=subprocess.DEVNULL)
        try:
            _wait(child, folder / "progress", work.job.model, timeout_s, called)
        finally:
            with suppress(OSError):
                child.kill()  # on an interruption, too; of one that has ended, nothing is left to kill
            child.wait()
        if (folder / "fault").exists():
            raise _fault((folder / "fault").read_text(encoding="utf-8"), work.job.model)
        if child.returncode:
            raise _died(child.returncode, work.job.model)
        return [_read(folder / _name(number)) for number in range(len(passes))]


def _name(number: int) -> str:
    return f"pass-{number}.arrow"


def _read(file: Path) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_file(pa.BufferReader(file.read_bytes())).read_all()


def _write_task(folder: Path, work: Work, passes: Sequence[Pass], threads: int | None) -> None:
    # By value where that is possible: to import a script that keeps no guard would be to run it once more.
    imports_main = find_spec("cloudpickle") is None
    task = {
        "prepared": {"sys_argv": sys.argv, **(_main() if imports_main else {})},
        "job": work.job.packed(imports_main=imports_main).data,
        "indices": work.indices,
        "samples": work.samples,
        "passes": list(passes),
        "threads": threads,
    }
    (folder / "path").write_bytes(pickle.dumps(sys.path))
    (folder / "progress").write_bytes(b"")
    (folder / "task").write_bytes(pickle.dumps(task))


def _main() -> dict[str, str]:
    """The script or module that was started, as `multiprocessing` tells its children of it."""
    main = sys.modules["__main__"]
    name, file = getattr(main.__spec__, "name", None), getattr(main, "__file__", None)
    if name is not None:
        return {"init_main_from_name": name}
    return {} if file is None else {"init_main_from_path": os.path.abspath(file)}


def _wait(
    child: subprocess.Popen[bytes], progress: Path, model: str, timeout_s: float, called: Callable[[int], None]
) -> None:
    seen, until = 0, time.monotonic() + timeout_s
    while True:
        try:
            child.wait(LOOKED_S)
        except subprocess.TimeoutExpired:
            ended = False
        else:
            ended = True
        done = progress.stat().st_size
        if done > seen:
            called(done - seen)
            seen, until = done, time.monotonic() + timeout_s
        if ended:
            return
        if time.monotonic() > until:
            raise InvalidInputError(
                f"infer of model {model!r} did not return within {timeout_s:g} seconds in a fresh process, and was "
                "ended; nothing is stored. If it needs longer, pass timeout_s=",
                code="timed_out",
            )


def _died(code: int, model: str) -> InvalidInputError:
    how = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return InvalidInputError(
        f"the fresh process that infers with model {model!r} was {how} before it was done; what it said stands in "
        "the output of this process, and nothing is stored",
        code="process_died",
    )


def _fault(told: str, model: str) -> InvalidInputError:
    *_, last = told.strip().splitlines()
    error = InvalidInputError(f"a fresh process cannot infer with model {model!r}: {last}; nothing is stored")
    error.add_note(f"localreg: in the fresh process:\n{told}")
    return error


# --- in the child -----------------------------------------------------------------------------------------------------


def work_in(folder: str) -> None:
    """What the child does."""
    place = Path(folder)
    try:
        _infer_passes(place)
    except BaseException:
        (place / "fault").write_text(traceback.format_exc(), encoding="utf-8")
        sys.exit(1)  # who started it tells it, once


def _infer_passes(place: Path) -> None:
    import pyarrow as pa

    task: dict[str, Any] = pickle.loads((place / "task").read_bytes())
    spawn.prepare(task["prepared"])
    job = Job.unpacked(task["job"])
    _limit_torch(task["threads"])
    with (place / "progress").open("ab", buffering=0) as progress:

        def counted(given: Any) -> Any:
            made = job.infer(given)
            progress.write(b".")
            return made

        work = Work(replace(job, infer=counted), task["indices"], task["samples"])
        for number, each in enumerate(task["passes"]):
            rows = infer_here(work, each)
            with pa.ipc.new_file(os.fspath(place / _name(number)), rows.schema) as file:
                file.write_table(rows)


def infer_here(work: Work, each: Pass) -> pa.Table:
    """One pass, in this process."""
    import numpy as np
    import pyarrow as pa

    kept: list[pa.Table] = []
    job, order = work.job, np.asarray(each.order)
    runner = Runner(
        job.model, job.infer, job.inferences, on_error="record", batch_size=each.batch_size, keep=kept.append
    )
    runner.run(work.indices[order], job.samples.objects(work.samples.take(pa.array(order))))
    return pa.concat_tables(kept, promote_options="default").take(pa.array(np.argsort(order)))


def _limit_torch(threads: int | None) -> None:
    torch = sys.modules.get("torch")  # if the model needs it, it is there by now, or obeys the environment later
    if torch is not None and threads is not None:
        torch.set_num_threads(threads)
