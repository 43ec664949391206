"""What is said of a model in a process of its own: how it begins, what it says, and every way to end."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import psutil
import pytest

from localreg.definitions.plan import Plan
from localreg.definitions.worker import channel
from localreg.definitions.worker.process import ModelProcess
from localreg.errors import InvalidInputError
from tests.models import DATAPOINTS, make_plan, write_code

LIMIT_S = 60
ROOT = Path(__file__).parents[2]

Started: TypeAlias = Callable[..., ModelProcess]

MODEL = """
import os, signal, sys, threading

def load(secret=None, die=False):
    if die:
        print("last words")
        os._exit(4)
    return "loaded"

def predict(datapoints, model=None):
    return [does(each) for each in datapoints]

def does(each):
    match each:
        case "pid": return os.getpid()
        case "exit": os._exit(3)
        case "kill": os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            import ctypes
            ctypes.string_at(0)
        case "wait": threading.Event().wait()
        case "spin":
            while True: pass
        case "stdin": return sys.stdin.read()
        case "cwd": return os.getcwd()
        case "path": return sys.path[0]
        case "argv": return sys.argv
        case "fork":
            if not (pid := os.fork()):
                threading.Event().wait(60)
            return pid
        case ["print", text]: print(text)
        case ["write", number, text]: os.write(number, text.encode())
        case ["long", length]: return b"x" * length
    return each
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    """Starts processes with `MODEL`, or another plan, and closes them in the end."""
    root = write_code(tmp_path / "code", {"inference.py": MODEL})
    made: list[ModelProcess] = []

    def started(plan: Plan | None = None, **limits: float | None) -> ModelProcess:
        limits = {"load_timeout_s": LIMIT_S, "predict_timeout_s": LIMIT_S, **limits}
        made.append(ModelProcess(plan or make_plan(root), **limits))
        return made[-1]

    yield started
    for each in made:
        each.close()


def asked(worker: ModelProcess, *datapoints: object) -> list[Any]:
    (said,) = worker.predict([datapoints])
    return said


def pid_of(worker: ModelProcess) -> int:
    return int(asked(worker, "pid")[0])


def wait_for_end(pid: int) -> None:
    """Of a process that is not a child of ours; it is given a minute."""
    until = time.monotonic() + LIMIT_S
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # whoever adopted it may be slow to take notice
            assert time.monotonic() < until
            os.sched_yield()


def died(worker: ModelProcess, *datapoints: object, code: str = "process_died") -> str:
    with pytest.raises(InvalidInputError) as caught:
        asked(worker, *datapoints)
    assert caught.value.code == code
    return caught.value.message


# --- how it is there --------------------------------------------------------------------------------------------------


def test_it_is_another_process_with_the_code_first_on_its_path(start: Started, tmp_path: Path) -> None:
    pid, path, argv, stdin, cwd = asked(start(), "pid", "path", "argv", "stdin", "cwd")
    assert pid != os.getpid()
    assert path == str(tmp_path / "code")
    assert argv == ["localreg-model"]
    assert stdin == ""
    assert cwd == os.getcwd()


def test_neither_arguments_nor_environment_nor_messages_hold_the_inputs(start: Started, tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "code", load="inference:load", inputs={"secret": "hunter2"}, predict_inputs=DATAPOINTS)
    worker = start(plan)
    process = psutil.Process(pid_of(worker))
    assert "hunter2" not in repr((process.cmdline(), process.environ(), worker, vars(worker)["_process"]))
    assert "hunter2" not in died(worker, "exit")
    odd = make_plan(tmp_path / "code", load="inference:load", inputs={"secret": ("hunter2", lambda: 0)})
    with pytest.raises(InvalidInputError, match=r"inputs of model 'reader@6' cannot be sent") as caught:
        start(odd)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_module_with_a_name_that_python_uses_is_told(start: Started, tmp_path: Path) -> None:
    root = write_code(tmp_path / "other", {"threading.py": "def predict(datapoints): return datapoints\n"})
    with pytest.raises(
        InvalidInputError, match=r"module 'threading' of the code has the name of one that Python itself"
    ):
        start(make_plan(root, "threading:predict"))


def test_its_output_goes_to_the_log_line_by_line(start: Started, caplog: pytest.LogCaptureFixture) -> None:
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    class Taker(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.put(f"{record.levelname} {record.getMessage()}")

    logger, taker = logging.getLogger("localreg.model"), Taker()
    logger.addHandler(taker)
    with caplog.at_level("INFO", logger="localreg.model"):
        worker = start()
        asked(
            worker, ["print", "one\ntwo"], ["write", 1, "raw\n"], ["write", 2, "10%\r20%\r\n"], ["write", 2, "\xe4b\n"]
        )
        said = [lines.get(timeout=LIMIT_S) for _ in range(5)]
        asked(worker, ["write", 1, "no end of line"])
        worker.close()
    logger.removeHandler(taker)
    assert said == [f"INFO reader@6: {each}" for each in ("one", "two", "raw", "20%", "\xe4b")]
    assert lines.get(timeout=LIMIT_S) == "INFO reader@6: no end of line"


def test_neither_log_nor_last_lines_show_a_secret(start: Started, tmp_path: Path) -> None:
    lines: list[str] = []
    taker = logging.Handler()
    taker.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("localreg.model")
    level = logger.level
    logger.addHandler(taker)
    logger.setLevel("INFO")
    try:
        worker = start(replace(make_plan(tmp_path / "code"), secrets={"hunter2": "${PASSWORD}"}))
        said = died(worker, ["print", "asks with hunter2"], ["write", 2, "hunter2\n"], "exit")
    finally:
        logger.removeHandler(taker)
        logger.setLevel(level)
    assert said.splitlines()[1:] == ["    asks with ${PASSWORD}", "    ${PASSWORD}"]
    assert lines == ["reader@6: asks with ${PASSWORD}", "reader@6: ${PASSWORD}"]


def test_nothing_is_printed_here(start: Started, capfd: pytest.CaptureFixture[str]) -> None:
    worker = start()
    asked(worker, ["print", "hello"], ["write", 2, "hello\n"])
    worker.close()
    assert capfd.readouterr() == ("", "")


def test_messages_longer_than_any_buffer_go_both_ways(start: Started) -> None:
    worker, mib = start(), 1 << 20
    batches = [[b"y" * (3 * mib), ["long", 3 * mib]]] * 6
    said: Any = worker.predict(batches)
    assert [[len(each) for each in one] for one in said] == [[3 * mib, 3 * mib]] * 6


def test_arrays_travel_as_they_are(start: Started, tmp_path: Path) -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    root = write_code(
        tmp_path / "arrays", {"inference.py": "def predict(datapoints): return [each[::2] for each in datapoints]"}
    )
    (got,) = asked(start(make_plan(root)), image)
    assert got.dtype == np.uint8
    assert got.tolist() == image[::2].tolist()


def test_what_cannot_be_sent_is_told_and_the_process_goes_on(start: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    class Known:
        """Of a module that no other process can import."""

    module = ModuleType("only_here")
    module.Known = Known  # type: ignore[attr-defined]
    Known.__module__, Known.__qualname__ = "only_here", "Known"
    monkeypatch.setitem(sys.modules, "only_here", module)
    worker = start()
    assert "datapoints cannot be sent to the process of model 'reader@6'" in died(
        worker, lambda: 0, code="not_portable"
    )
    assert "datapoints cannot be read in the process of the model" in died(worker, Known(), code="not_portable")
    assert asked(worker, 1) == [1]


def test_exceptions_have_the_traceback_of_the_code_as_a_note(
    start: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
    class Odd(Exception): pass
    def predict(datapoints):
        raise {"key": KeyError("k"), "odd": Odd("mine"), "twice": ValueError(Odd("in"))}[datapoints[0]]
    """
    worker = start(make_plan(write_code(tmp_path / "raising", {"inference.py": text})))
    with pytest.raises(KeyError) as caught:
        asked(worker, "key")
    (note,) = caught.value.__notes__
    assert note.startswith("localreg: in the process of model 'reader@6':\nTraceback")
    assert "in predict" in note
    assert "running.py" not in note
    inference = ModuleType("inference")  # as if this program had one, too
    inference.Odd = type("Odd", (Exception,), {"__module__": "inference"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "inference", inference)
    for which, summary in (("odd", "Odd: mine"), ("twice", "ValueError: in")):
        with pytest.raises(InvalidInputError, match=f"the code of model 'reader@6' raised {summary}") as told:
            asked(worker, which)
        assert told.value.code == "raised_in_model"
        assert "in predict" in told.value.__notes__[0]


def test_an_exception_does_not_import_what_only_the_model_uses(
    start: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_code(tmp_path / "site", {"only_there.py": "class Missing(Exception): pass\n"})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    text = "import only_there\ndef predict(datapoints): raise only_there.Missing('it')\n"
    worker = start(make_plan(write_code(tmp_path / "uses", {"inference.py": text})))
    assert died(worker, 1, code="raised_in_model") == "the code of model 'reader@6' raised Missing: it"
    assert "only_there" not in sys.modules


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_a_crash_is_told_with_its_last_lines_and_the_next_call_starts_anew(start: Started) -> None:
    worker = start()
    first = pid_of(worker)
    asked(worker, *[["print", f"line {number}"] for number in range(40)])
    said = died(worker, ["print", "almost"], "exit")
    assert said.startswith("the process of model 'reader@6' ended with exit code 3 during predict; its last lines:\n")
    assert said.splitlines()[1:] == [*(f"    line {number}" for number in range(21, 40)), "    almost"]
    second = pid_of(worker)
    assert second != first
    assert not psutil.pid_exists(first)
    assert "was killed by signal 9 (SIGKILL), as when memory is short, during predict" in died(worker, "kill")
    crashed = died(worker, "crash")
    assert "was killed by signal 11 (SIGSEGV) during predict; its last lines:\n" in crashed
    assert "in does" in crashed
    assert asked(worker, 5) == [5]


def test_a_crash_while_loading_is_told_as_such(start: Started, tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "code", load="inference:load", inputs={"die": True})
    with pytest.raises(InvalidInputError) as caught:
        start(plan)
    assert caught.value.code == "process_died"
    assert caught.value.message == (
        "the process of model 'reader@6' ended with exit code 4 during load; its last lines:\n    last words"
    )


def test_what_came_before_a_crash_is_taken_up(start: Started) -> None:
    taken: list[list[object]] = []
    with pytest.raises(InvalidInputError, match="exit code 3"):
        taken.extend(start().predict([[1], [2], ["exit"], [3]]))
    assert taken == [[1], [2]]


def test_a_process_that_died_between_calls_is_started_anew(start: Started) -> None:
    worker = start()
    process = psutil.Process(pid_of(worker))
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert pid_of(worker) != process.pid


def test_a_crash_is_seen_though_a_child_of_the_model_holds_all_its_pipes(start: Started) -> None:
    worker = start()
    (child,) = asked(worker, "fork")
    assert "killed by signal 9" in died(worker, "kill")
    os.kill(child, signal.SIGKILL)
    for each in threading.enumerate():
        if each.name == "localreg-model-output":
            each.join(LIMIT_S)


@pytest.mark.parametrize("how", ["wait", "spin"])
def test_a_call_that_takes_too_long_is_ended_with_its_process(start: Started, how: str) -> None:
    worker = start(predict_timeout_s=0.4)
    pid = pid_of(worker)
    said = died(worker, how, code="timed_out")
    assert said.startswith("predict of model 'reader@6' did not return within 0.4 seconds, and its process was ended")
    assert not psutil.pid_exists(pid)
    assert pid_of(worker) != pid


def test_closing_leaves_no_process_and_no_open_file(start: Started) -> None:
    before = psutil.Process().num_fds()
    for _ in range(2):
        worker = start()
        pid = pid_of(worker)
        worker.close()
        assert not psutil.pid_exists(pid)
    assert psutil.Process().num_fds() == before
    assert not [each for each in threading.enumerate() if each.name == "localreg-model-output"]


def test_closing_while_another_thread_waits_ends_both(start: Started) -> None:
    worker, said = start(), queue.SimpleQueue[str]()
    pid = pid_of(worker)

    def ask() -> None:
        try:
            asked(worker, "wait")
        except InvalidInputError as error:
            said.put(error.code)

    thread = threading.Thread(target=ask)
    thread.start()
    _wait_until_waiting(thread)
    worker.close()
    thread.join(LIMIT_S)
    assert said.get(timeout=LIMIT_S) == "closed"
    assert not psutil.pid_exists(pid)


def test_a_worker_that_nobody_holds_is_ended(tmp_path: Path) -> None:
    root = write_code(tmp_path, {"inference.py": MODEL})
    worker = ModelProcess(make_plan(root), load_timeout_s=LIMIT_S, predict_timeout_s=LIMIT_S)
    pid = pid_of(worker)
    del worker
    gc.collect()
    assert not psutil.pid_exists(pid)


def test_an_interruption_ends_the_process(start: Started) -> None:
    worker = start()
    pid = pid_of(worker)

    def interrupted() -> Iterator[list[object]]:
        yield ["wait"]
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        list(worker.predict(interrupted()))
    assert psutil.pid_exists(pid)  # it was our iterator that was interrupted: nothing is wrong with the process
    threading.Thread(target=_signal_once_waiting, args=(threading.current_thread(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(worker.predict([["wait"]]))
    assert not psutil.pid_exists(pid)
    assert asked(worker, 1) == [1]


def test_a_handler_of_signals_may_close_it(start: Started) -> None:
    worker = start()
    before = signal.signal(signal.SIGUSR1, lambda *_: worker.close())
    here = threading.current_thread()
    try:
        threading.Thread(target=_signal_once_waiting, args=(here, signal.SIGUSR1)).start()
        assert "closed" in died(worker, "wait", code="closed")
    finally:
        signal.signal(signal.SIGUSR1, before)


def _signal_once_waiting(thread: threading.Thread, number: int) -> None:
    """Send this process a signal when a thread of it waits."""
    _wait_until_waiting(thread)
    os.kill(os.getpid(), number)


def _wait_until_waiting(thread: threading.Thread) -> None:
    """Until a thread waits for a child, wherever that is."""
    while thread.ident is None or not _waits(sys._current_frames()[thread.ident]):
        os.sched_yield()


def _waits(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "pump":
            return True
        frame = frame.f_back
    return False


# --- where it is started ----------------------------------------------------------------------------------------------

SCRIPT = """
import sys
from localreg.definitions.worker.process import ModelProcess
from tests.models import make_plan

print("imported")
worker = ModelProcess(make_plan(sys.argv[1]), load_timeout_s=60, predict_timeout_s=60)
print(*worker.predict([["pid", 2]]), flush=True)
"""


def run(tmp_path: Path, script: str, *more: str, **kwargs: Any) -> subprocess.Popen[str]:
    root = write_code(tmp_path / "code", {"inference.py": MODEL})
    path = tmp_path / "script.py"
    path.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(path), root, *more]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, env=environment, **kwargs)


def test_a_script_needs_no_guard_and_leaves_nothing_at_its_end(tmp_path: Path) -> None:
    process = run(tmp_path, SCRIPT, stderr=subprocess.STDOUT)
    said = process.communicate()[0].splitlines()
    assert said[0] == "imported"
    pid, two = said[1].strip("[]").split(", ")
    assert (len(said), two) == (2, "2")
    wait_for_end(int(pid))


def test_a_script_from_standard_input_can_load(tmp_path: Path) -> None:
    root = write_code(tmp_path / "code", {"inference.py": MODEL})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-", root], input=SCRIPT, text=True, capture_output=True, env=environment, check=True
    )
    assert process.stdout.startswith("imported\n[")
    assert process.stderr == ""


@pytest.mark.parametrize("doing", ["nothing", "wait", "spin"])
def test_the_process_ends_when_its_parent_is_killed(tmp_path: Path, doing: str) -> None:
    script = SCRIPT + "print(*worker.predict([[sys.argv[2]]]) if sys.argv[2] != 'nothing' else input(), flush=True)\n"
    process = run(tmp_path, script, doing, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "imported\n"
    child = int(process.stdout.readline().strip("[]\n").split(", ")[0])
    process.kill()
    wait_for_end(child)
    process.stdin.close()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL


def test_it_can_be_started_in_a_thread_and_outlives_it(start: Started) -> None:
    made: queue.SimpleQueue[ModelProcess] = queue.SimpleQueue()
    thread = threading.Thread(target=lambda: made.put(start()))
    thread.start()
    thread.join(LIMIT_S)
    assert asked(made.get(timeout=LIMIT_S), 4) == [4]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_it_can_be_started_in_a_daemonic_worker(tmp_path: Path, method: str) -> None:
    root = write_code(tmp_path, {"inference.py": MODEL})
    context: Any = multiprocessing.get_context(method)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_load_there, args=(make_plan(root), theirs), daemon=True)
    process.start()
    theirs.close()
    assert ours.poll(LIMIT_S)
    pid, said = ours.recv()
    ours.close()
    process.join(LIMIT_S)
    assert said == 7
    wait_for_end(pid)


def _load_there(plan: Plan, answer: Any) -> None:
    worker = ModelProcess(plan, load_timeout_s=LIMIT_S, predict_timeout_s=LIMIT_S)
    answer.send(asked(worker, "pid", 7))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_has_a_process_of_its_own_and_ours_stays(start: Started) -> None:
    worker = start()
    pid = pid_of(worker)
    begun = worker.predict([[each] for each in range(1000)])
    assert next(begun) == [0]
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=lambda: theirs.send(_in_fork(worker, begun)))
    process.start()
    theirs.close()
    assert ours.poll(LIMIT_S)
    theirs_pid, left = ours.recv()
    ours.close()
    process.join(LIMIT_S)
    assert process.exitcode == 0
    assert theirs_pid != pid
    assert left == "the process of model 'reader@6' belongs to the process from which this one was forked"
    wait_for_end(theirs_pid)
    assert list(begun) == [[each] for each in range(1, 1000)]
    assert pid_of(worker) == pid


def _in_fork(worker: ModelProcess, begun: Iterator[list[object]]) -> tuple[int, str]:
    pid = pid_of(worker)
    try:
        list(begun)
    except InvalidInputError as error:
        left = error.message
    worker.close()
    return pid, left


def test_where_sockets_are_not_inherited_the_child_proves_who_it_is(
    start: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "INHERITS", False)
    worker = start()
    pid = pid_of(worker)
    assert not any("token" in each or "127.0.0.1" in each for each in psutil.Process(pid).cmdline())
    assert [len(each) for each in asked(worker, ["long", 1 << 22], "abc")] == [1 << 22, 3]
    assert "exit code 3" in died(worker, "exit")


def test_a_plan_can_be_pickled_and_a_worker_cannot(start: Started) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(start())
