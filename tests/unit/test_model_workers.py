"""What both kinds of workers do: in a process, and in a thread."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from localreg.definitions.plan import Hole, Plan
from localreg.definitions.worker.base import Worker
from localreg.definitions.worker.process import ModelProcess
from localreg.definitions.worker.requirements import advice
from localreg.definitions.worker.thread import ModelThread
from localreg.errors import InvalidInputError, NotFoundError
from tests.models import DATAPOINTS, make_plan, write_code

Started: TypeAlias = Callable[..., Worker]

LIMIT_S = 60
"""No test should take so long: a limit that only a fault reaches."""

SQUARES = "def predict(datapoints):\n    return [each ** 2 for each in datapoints]\n"


@pytest.fixture(params=[ModelProcess, ModelThread], ids=["process", "thread"])
def start(request: pytest.FixtureRequest) -> Iterator[Started]:
    """Starts a worker of either kind, and closes it in the end."""
    yield from _starting(request.param)


@pytest.fixture
def start_here() -> Iterator[Started]:
    """The same for threads alone: what is no matter of the kind need not be seen twice."""
    yield from _starting(ModelThread)


def _starting(kind: type[ModelProcess | ModelThread]) -> Iterator[Started]:
    made: list[Worker] = []

    def started(plan: Plan, **limits: float | None) -> Worker:
        made.append(kind(plan, **{"load_timeout_s": LIMIT_S, "predict_timeout_s": LIMIT_S, **limits}))
        return made[-1]

    yield started
    for each in made:
        each.close()


def code(folder: Path, text: str = SQUARES, **more: str) -> str:
    """A folder with `inference.py`, and other files by their names with `__` for `/`."""
    files = {f"{name.replace('__in__', '/')}.py": text for name, text in more.items()}
    return write_code(folder, {"inference.py": text, **files})


def refused(start: Started, plan: Plan, code: str) -> str:
    """What is said of a plan that cannot be loaded."""
    with pytest.raises(InvalidInputError) as caught:
        start(plan)
    assert caught.value.code == code, caught.value
    return caught.value.message


# --- predictions ------------------------------------------------------------------------------------------------------


def test_each_batch_has_its_predictions_in_order(tmp_path: Path, start: Started) -> None:
    worker = start(make_plan(code(tmp_path)))
    assert list(worker.predict([[1, 2], [], [3]])) == [[1, 4], [], [9]]
    assert list(worker.predict(iter([[5]]))) == [[25]]
    assert list(worker.predict([])) == []
    batches = [list(range(each)) for each in range(100)]
    assert list(worker.predict(batches)) == [[value**2 for value in each] for each in batches]


def test_a_worker_tells_which_modules_are_loaded_where_its_model_is(tmp_path: Path, start: Started) -> None:
    text = "import colorsys\n\n\ndef predict(datapoints):\n    import tabnanny\n    return datapoints\n"
    worker = start(make_plan(code(tmp_path, text)))
    assert "colorsys" in worker.modules
    assert list(worker.predict([[1]])) == [[1]]
    assert {"colorsys", "tabnanny", "localreg"} <= set(worker.modules)


def test_a_call_is_given_max_size_at_most_and_batches_are_not_mixed(tmp_path: Path, start: Started) -> None:
    text = "def predict(datapoints):\n    return [len(datapoints)] * len(datapoints)\n"
    worker = start(make_plan(code(tmp_path, text), max_size=3))
    assert list(worker.predict([[0] * 7, [0] * 3, [0]])) == [[3, 3, 3, 3, 3, 3, 1], [3, 3, 3], [1]]
    assert list(start(make_plan(tmp_path)).predict([[0] * 7])) == [[7] * 7]


def test_what_load_returned_is_handed_to_predict_and_load_is_called_once(tmp_path: Path, start: Started) -> None:
    text = """
    made = []
    def get_model(path):
        made.append(path)
        return {"path": path}
    def predict(model, datapoints):
        return [[model["path"], made, each] for each in datapoints]
    """
    worker = start(make_plan(code(tmp_path, text), load="inference:get_model", inputs={"path": "w.npz"}))
    for _ in range(2):
        assert list(worker.predict([[1]])) == [[["w.npz", ["w.npz"], 1]]]


def test_holes_are_filled_within_lists_and_mappings_and_the_plan_stays(tmp_path: Path, start: Started) -> None:
    text = """
    def get_model(settings):
        settings["seen"] = True
        return settings
    def predict(parts, more):
        more["list"].append("changed")
        return [[parts[0], each, more["list"]] for each in parts[1]["d"]]
    """
    settings: dict[str, object] = {"a": [1]}
    inputs = {"parts": [Hole.LOADED, {"d": Hole.DATAPOINTS}], "more": {"list": [1]}}
    root = code(tmp_path, text)
    plan = make_plan(root, load="inference:get_model", inputs={"settings": settings}, predict_inputs=inputs)
    worker = start(plan)
    for _ in range(2):
        assert list(worker.predict([[7]])) == [[[{"a": [1], "seen": True}, 7, [1, "changed"]]]]
    assert settings == {"a": [1]}
    assert inputs == {"parts": [Hole.LOADED, {"d": Hole.DATAPOINTS}], "more": {"list": [1]}}


def test_the_device_goes_to_functions_that_take_it(tmp_path: Path, start: Started) -> None:
    text = """
    def get_model(device): return device
    def other(): return "none"
    def any(**settings): return settings.get("device", "none")
    def predict(model, datapoints): return [model for _ in datapoints]
    def both(model, datapoints, *, device="cpu"): return [model + device for _ in datapoints]
    """
    root = code(tmp_path, text)

    def said(load: str, **more: Any) -> object:
        return next(start(make_plan(root, load=f"inference:{load}", **more)).predict([[0]]))[0]

    assert said("get_model", device="gpu") == "gpu"
    assert said("get_model", device="gpu", inputs={"device": "cuda:1"}) == "cuda:1"
    assert said("other", device="gpu") == said("any", device="gpu") == "none"
    assert said("get_model", predict="inference:both", device="gpu") == "gpugpu"
    assert said("other", predict="inference:both") == "nonecpu"


def test_functions_may_stand_in_packages_and_classes(tmp_path: Path, start: Started) -> None:
    text = """
    class Model:
        def __init__(self, size): self.size = size
        @staticmethod
        def predict(model, datapoints): return [model.size] * len(datapoints)
    """
    root = code(tmp_path, nets__in__big__in__one=text, nets__in____init__="", nets__in__big__in____init__="")
    worker = start(make_plan(root, "nets.big.one:Model.predict", load="nets.big.one:Model", inputs={"size": 4}))
    assert list(worker.predict([[0, 0]])) == [[4, 4]]


def test_a_function_of_an_installed_package_will_do(tmp_path: Path, start_here: Started) -> None:
    worker = start_here(make_plan(tmp_path, "json:dumps", predict_inputs={"obj": Hole.DATAPOINTS}))
    with pytest.raises(InvalidInputError, match="returned a str"):
        list(worker.predict([[1]]))


def test_nothing_is_written_into_the_code(tmp_path: Path, start: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    root = code(tmp_path, "import nets.one\n" + SQUARES, nets__in____init__="", nets__in__one="")
    assert list(start(make_plan(root)).predict([[3]])) == [[9]]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["__init__.py", "inference.py", "nets", "one.py"]


def test_several_threads_may_ask_at_once(tmp_path: Path, start: Started) -> None:
    text = """
    inside = []
    def predict(datapoints):
        inside.append(1)
        assert len(inside) == 1
        inside.clear()
        return [-each for each in datapoints]
    """
    worker = start(make_plan(code(tmp_path, text), max_size=2))

    def ask(number: int) -> bool:
        batches = [[number, each] for each in range(50)]
        return list(worker.predict(batches)) == [[-number, -each] for each in range(50)]

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(16)))


def test_two_streams_may_be_taken_up_in_turn_and_one_may_be_left(tmp_path: Path, start: Started) -> None:
    worker = start(make_plan(code(tmp_path)))
    pairs = zip(worker.predict([[each] for each in range(50)]), worker.predict([[9]] * 50), strict=True)
    assert list(pairs) == [([each**2], [81]) for each in range(50)]
    left = worker.predict([[each] for each in range(50)])
    assert next(left) == [0]
    left.close()  # type: ignore[attr-defined]
    assert list(worker.predict([[2]])) == [[4]]


def test_batches_that_cannot_be_made_are_told_after_those_before_them(tmp_path: Path, start: Started) -> None:
    def batches() -> Iterator[list[object]]:
        yield [1]
        yield [2]
        raise NotFoundError("no third batch")

    taken: list[list[object]] = []
    worker = start(make_plan(code(tmp_path)))
    with pytest.raises(NotFoundError, match="no third batch"):
        taken.extend(worker.predict(batches()))
    assert taken == [[1], [4]]
    assert list(worker.predict([[3]])) == [[9]]


def test_a_closed_worker_says_so_and_may_be_closed_again(tmp_path: Path, start: Started) -> None:
    worker = start(make_plan(code(tmp_path)))
    begun = worker.predict([[1]] * 1000)
    assert next(begun) == [1]
    worker.close()
    worker.close()
    for ask in (lambda: worker.predict([[1]]), lambda: list(begun)):
        with pytest.raises(InvalidInputError, match="model 'reader@6' was closed; load it again") as caught:
            ask()
        assert caught.value.code == "closed"


# --- what cannot be called --------------------------------------------------------------------------------------------

PLACES = {
    "load.entrypoint": "models[0].runtime.load.entrypoint, line 27 of models.yaml",
    "load.inputs": "models[0].runtime.load.inputs, line 28 of models.yaml",
    "load.inputs.pth": "models[0].runtime.load.inputs[0], line 29 of models.yaml",
}
NEAR = "; did you mean 'get_model', 'get_modes' or 'open_model'?"
LOADING = """
import math
RATE = 3
class Detector:
    def run(self, x): return x
def get_model(path, /, *, scale=1): return path
def get_modes(path, scale=1): return path
def open_model(path, scale, *rest, **more): return path
def predict(model, datapoints): return datapoints
"""


@pytest.mark.parametrize("entrypoint", ["inference", "inference:", ":get_modes", "a..b:f", "inference:a.", ""])
def test_an_entrypoint_is_a_module_and_a_function(tmp_path: Path, start_here: Started, entrypoint: str) -> None:
    plan = make_plan(code(tmp_path, LOADING), load=entrypoint, places=PLACES)
    assert refused(start_here, plan, "bad_entrypoint") == (
        f"models[0].runtime.load.entrypoint, line 27 of models.yaml: {entrypoint!r} is no entrypoint; write "
        "module:function, such as inference:predict"
    )


def test_a_module_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, start: Started) -> None:
    root = code(tmp_path, LOADING, nets__in__big="", setup="")
    said = refused(start, make_plan(root, load="inferense:get_modes", places=PLACES), "no_such_module")
    assert said == (
        f"{PLACES['load.entrypoint']}: no module 'inferense' in the code; did you mean 'inference'? It has "
        "inference.py, setup.py, nets/big.py"
    )
    said = refused(start, make_plan(root, load="nets.small:f"), "no_such_module")
    assert said.startswith("runtime.load: no module 'nets.small' in the code")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refused(start, make_plan(empty), "no_such_module").endswith(f"There is no Python file in {empty}")


def test_a_function_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, start: Started) -> None:
    root = code(tmp_path, LOADING)
    said = refused(start, make_plan(root, load="inference:get_mode", places=PLACES), "no_such_function")
    assert said == f"{PLACES['load.entrypoint']}: inference has no 'get_mode'{NEAR}"
    said = refused(start, make_plan(root, load="inference:xyz"), "no_such_function")
    assert said.endswith("inference has no 'xyz'; it has Detector, get_model, get_modes, open_model, predict")
    said = refused(start, make_plan(root, load="inference:Detector.rum"), "no_such_function")
    assert said.endswith("inference:Detector has no 'rum'; did you mean 'run'?")


def test_what_is_no_function_cannot_be_called(tmp_path: Path, start_here: Started) -> None:
    said = refused(start_here, make_plan(code(tmp_path, LOADING), load="inference:RATE"), "not_callable")
    assert said.endswith("inference:RATE is no function but an int; name something that can be called")


@pytest.mark.parametrize(
    ("function", "inputs", "said"),
    [
        ("get_modes", {"pth": 1}, "[0], line 29 of models.yaml: inference:get_modes has no parameter 'pth'; {near}"),
        ("get_modes", {"path": 1, "zzzz": 2}, ", line 28 {of} has no parameter 'zzzz'; {takes} path, scale"),
        ("get_modes", {}, ", line 28 {of} takes path, scale, and is not given path"),
        ("open_model", {"other": 1}, ", line 28 {of} takes path, scale, and is not given path, scale"),
        ("get_model", {}, ", line 28 {of} takes scale, and is not given path"),
    ],
)
def test_inputs_are_compared_with_parameters_before_the_call(
    tmp_path: Path, start_here: Started, function: str, inputs: dict[str, object], said: str
) -> None:
    plan = make_plan(code(tmp_path, LOADING), load=f"inference:{function}", inputs=inputs, places=PLACES)
    takes, of = f"inference:{function} takes", f"of models.yaml: inference:{function}"
    said = said.format(near="did you mean 'path'?", takes=takes, of=of)
    assert refused(start_here, plan, "wrong_inputs") == f"models[0].runtime.load.inputs{said}"


def test_predict_is_looked_up_before_load_is_called(tmp_path: Path, start: Started) -> None:
    text = "def load(): raise RuntimeError('the weights were loaded')\ndef predict(images): return images\n"
    plan = make_plan(code(tmp_path, text), load="inference:load", predict_inputs=DATAPOINTS)
    assert "has no parameter 'datapoints'; inference:predict takes images" in refused(start, plan, "wrong_inputs")


def test_a_module_that_cannot_be_imported_is_told_with_its_line(tmp_path: Path, start: Started) -> None:
    root = code(tmp_path, "import helpers\n" + SQUARES, helpers="x = 1\ny = x / 0\n")
    with pytest.raises(InvalidInputError) as caught:
        start(make_plan(root))
    assert caught.value.code == "import_failed"
    assert caught.value.message == (
        "runtime.predict: module 'inference' cannot be imported: helpers.py, line 2, raised "
        "ZeroDivisionError: division by zero"
    )
    assert "y = x / 0" in caught.value.__notes__[0]
    code(tmp_path, "import sys; sys.exit(3)")
    assert "inference.py, line 1, raised SystemExit: 3" in refused(start, make_plan(root), "import_failed")
    code(tmp_path, "def predict(:")
    assert "raised SyntaxError" in refused(start, make_plan(root), "import_failed").replace(": Syn", ": raised Syn")


def test_a_missing_package_is_told_with_the_requirements(tmp_path: Path, start: Started) -> None:
    root = code(tmp_path, "\nimport helpers\n" + SQUARES, helpers="from nosuchpackage.deep import thing\n")
    said = refused(start, make_plan(root), "missing_package")
    assert said == (
        "runtime.predict: helpers.py, line 1, needs package 'nosuchpackage', which is not installed here; "
        "pip install nosuchpackage"
    )
    write_code(tmp_path, {"requirements.txt": "numpy\nnosuchpackage>=2  # why\n"})
    said = refused(start, make_plan(root), "missing_package")
    asked = "requirements.txt, line 2, asks for 'nosuchpackage>=2': pip install -r "
    assert said.endswith(asked + str(tmp_path / "requirements.txt"))


def test_a_package_that_only_a_call_needs_is_told_too(tmp_path: Path, start: Started) -> None:
    text = "def load():\n    import nosuchpackage\ndef predict(datapoints):\n    import nosuchpackage.deep\n"
    root = code(tmp_path, text)
    said = refused(start, make_plan(root, load="inference:load", predict_inputs=DATAPOINTS), "missing_package")
    assert said.startswith("runtime.load: inference.py, line 2, needs package 'nosuchpackage'")
    with pytest.raises(InvalidInputError, match=r"runtime\.predict: inference.py, line 4, needs package"):
        list(start(make_plan(root)).predict([[1]]))


def test_a_missing_module_of_the_code_itself_is_no_missing_package(tmp_path: Path, start: Started) -> None:
    root = code(tmp_path, "import nets.two\n" + SQUARES, nets__in____init__="")
    said = refused(start, make_plan(root), "no_such_module")
    assert said.endswith(
        "inference.py, line 1, imports 'nets.two', which is not in the code; it has inference.py, nets/__init__.py"
    )


def test_files_of_requirements_are_read_for_names(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert advice(root, "sklearn") == "pip install scikit-learn"
    write_code(tmp_path, {"environment.yml": "dependencies:\n  - python\n  - conda-forge::pytorch=2.1\n"})
    there = "environment.yml, line 3, asks for 'conda-forge::pytorch=2.1': conda env update --file "
    assert advice(root, "torch") == there + str(tmp_path / "environment.yml")
    write_code(tmp_path, {"pyproject.toml": "[project]\ndependencies = [\n  'Scikit_Learn>=1.5',\n]\n"})
    asked = "pyproject.toml, line 3, asks for 'Scikit_Learn>=1.5': pip install \"Scikit_Learn>=1.5\""
    assert advice(root, "sklearn") == asked
    write_code(
        tmp_path, {"requirements-gpu.txt": "# torch\n--find-links x\nopencv-python-headless==4 ; sys_platform\n"}
    )
    assert "requirements-gpu.txt, line 3, asks for" in advice(root, "cv2")
    files = "requirements-gpu.txt and pyproject.toml and environment.yml of its code do not name it: pip install jax"
    assert advice(root, "jax") == files
    write_code(tmp_path, {"pyproject.toml": "[project\n"})
    assert advice(root, "sklearn").endswith("pip install scikit-learn")


# --- what the code raises ---------------------------------------------------------------------------------------------

RAISING = """
import numpy as np
class Odd(Exception): pass
SEEN = []
def predict(datapoints):
    kind = datapoints[0]
    SEEN.append(kind)
    if kind == "seen":
        return [SEEN]
    if kind == "value":
        raise ValueError("of mine")
    if kind == "numpy":
        np.linalg.inv(np.zeros((2, 2)))
    if kind == "odd":
        raise Odd("of my own")
    if kind == "exit":
        raise SystemExit(3)
    return datapoints
"""


def test_exceptions_of_the_code_are_those_of_the_caller(tmp_path: Path, start: Started) -> None:
    import numpy as np

    worker = start(make_plan(code(tmp_path, RAISING)))
    taken: list[list[object]] = []
    with pytest.raises(ValueError, match="of mine"):
        taken.extend(worker.predict([["a"], ["b"], ["value"], ["c"], ["d"], ["e"], ["f"]]))
    assert taken == [["a"], ["b"]]
    assert next(worker.predict([["seen"]])) == [["a", "b", "value", "seen"]]
    with pytest.raises(np.linalg.LinAlgError):
        list(worker.predict([["numpy"]]))
    with pytest.raises(InvalidInputError, match=r"predict of model 'reader@6' raised SystemExit: 3") as caught:
        list(worker.predict([["exit"]]))
    assert caught.value.code == "raised_in_model"
    assert list(worker.predict([["fine"]])) == [["fine"]]


def test_an_exception_that_would_end_a_generator_is_told_in_words(tmp_path: Path, start: Started) -> None:
    text = "def predict(datapoints):\n    if datapoints[0] == 'fine': return datapoints\n    raise StopIteration(7)\n"
    worker = start(make_plan(code(tmp_path, text)))
    with pytest.raises(InvalidInputError) as caught:
        list(worker.predict([["stop"]]))
    assert caught.value.message == "the code of model 'reader@6' raised StopIteration: 7"
    assert caught.value.code == "raised_in_model"
    (note,) = caught.value.__notes__
    assert "line 3, in predict" in note
    assert list(worker.predict([["fine"]])) == [["fine"]]


def test_exceptions_of_load_are_told_in_the_same_way(tmp_path: Path, start: Started) -> None:
    text = "def load(): raise OSError(2, 'no weights')\ndef predict(datapoints): return datapoints\n"
    with pytest.raises(FileNotFoundError, match="no weights"):
        start(make_plan(code(tmp_path, text), load="inference:load", predict_inputs=DATAPOINTS))


def test_predictions_are_checked(tmp_path: Path, start: Started) -> None:
    text = "def predict(datapoints): return [{'boxes': [1]} for each in datapoints]\n"
    worker = start(make_plan(code(tmp_path, text), keys=("boxes", "scores"), places={"predict.output.keys": "m.yaml"}))
    said = "m.yaml: prediction 1 of 2 has no 'scores'; it has boxes"
    with pytest.raises(InvalidInputError, match=f"^{re.escape(said)}$") as caught:
        list(worker.predict([[1, 2]]))
    assert caught.value.code == "bad_prediction"


# --- secrets ----------------------------------------------------------------------------------------------------------

SECRET = "t0p-s3cret"
TELLING = """
from localreg.errors import InvalidInputError
class Quiet(Exception):
    def __str__(self): return "quiet"
class Loud(Exception):
    def __str__(self): return "cannot reach " + TOKEN
TOKEN = ""
def predict(datapoints, token):
    global TOKEN
    TOKEN = token
    (kind,) = datapoints
    if kind == "fine":
        return [1]
    if kind == "text":
        raise OSError("cannot reach https://h/x?token=" + token)
    if kind == "file":
        raise FileNotFoundError(2, "No such file", f"/data/{token}")
    if kind == "args":
        raise Quiet({"headers": [token.encode()]})
    if kind == "attribute":
        error = ValueError("refused")
        error.request = {"token": token}
        raise error
    if kind == "note":
        error = ValueError("refused")
        error.add_note(f"with {token}")
        raise error
    if kind == "said":
        raise Loud
    if kind == "ours":
        raise InvalidInputError(f"no {token}", code="odd")
    if kind == "exit":
        raise SystemExit(token)
    if kind == "stop":
        raise StopIteration(token)
    if kind == "cause":
        try:
            raise KeyError(token)
        except KeyError as error:
            raise ValueError("refused") from error
    if kind == "prediction":
        return [{(token, 1): 1}]
    raise ValueError("nothing shown")
"""
TOLD = {
    "text": "OSError: cannot reach https://h/x?token=${API_TOKEN}",
    "file": "FileNotFoundError: [Errno 2] No such file: '/data/${API_TOKEN}'",
    "args": "Quiet: quiet",
    "attribute": "ValueError: refused",
    "note": "ValueError: refused",
    "said": "Loud: cannot reach ${API_TOKEN}",
    "stop": "StopIteration: ${API_TOKEN}",
}


def telling(start: Started, folder: Path) -> Worker:
    """A worker whose model tells its secret in many ways."""
    plan = make_plan(code(folder, TELLING), predict_inputs={**DATAPOINTS, "token": SECRET})
    return start(replace(plan, secrets={SECRET: "${API_TOKEN}", SECRET[:6]: "${PART}"}))


def shown(error: BaseException) -> str:
    """All that logs, records and debuggers would take of an exception."""
    held = repr((error.args, vars(error), error.__cause__, error.__context__))
    return "".join(traceback.format_exception(error)) + repr(error) + held


def test_exceptions_that_show_a_secret_are_told_in_words_without_it(tmp_path: Path, start: Started) -> None:
    worker = telling(start, tmp_path)
    for kind, summary in TOLD.items():
        with pytest.raises(InvalidInputError) as caught:
            list(worker.predict([[kind]]))
        assert caught.value.message == f"the code of model 'reader@6' raised {summary}"
        assert caught.value.code == "raised_in_model"
        assert "in predict" in caught.value.__notes__[0]
        assert SECRET not in shown(caught.value), kind
    assert list(worker.predict([["fine"]])) == [[1]]


def test_errors_that_name_a_secret_keep_their_code(tmp_path: Path, start: Started) -> None:
    worker = telling(start, tmp_path)
    for kind, error_code, said in (
        ("ours", "odd", r"^no \$\{API_TOKEN\}"),
        ("exit", "raised_in_model", r"raised SystemExit: \$\{API_TOKEN\}"),
        ("prediction", "bad_prediction", r"the key \('\$\{API_TOKEN\}', 1\)"),
    ):
        with pytest.raises(InvalidInputError, match=said) as caught:
            list(worker.predict([[kind]]))
        assert caught.value.code == error_code
        assert SECRET not in shown(caught.value), kind


def test_what_led_to_an_exception_shows_no_secret_and_others_stay_as_they_are(tmp_path: Path, start: Started) -> None:
    worker = telling(start, tmp_path)
    with pytest.raises(ValueError, match="refused") as caught:
        list(worker.predict([["cause"]]))
    assert "KeyError: '${API_TOKEN}'" in caught.value.__notes__[0]
    assert SECRET not in shown(caught.value)
    with pytest.raises(ValueError, match=r"^nothing shown") as other:
        list(worker.predict([["else"]]))
    assert type(other.value) is ValueError


def test_exceptions_of_load_show_no_secret(tmp_path: Path, start: Started) -> None:
    text = "def load(token): raise OSError(token)\ndef predict(datapoints): return datapoints\n"
    plan = make_plan(code(tmp_path, text), load="inference:load", inputs={"token": SECRET}, predict_inputs=DATAPOINTS)
    with pytest.raises(InvalidInputError, match=r"raised OSError: \$\{API_TOKEN\}") as caught:
        start(replace(plan, secrets={SECRET: "${API_TOKEN}"}))
    assert SECRET not in shown(caught.value)
    assert SECRET not in repr(replace(plan, secrets={SECRET: "${API_TOKEN}"}))


# --- time -------------------------------------------------------------------------------------------------------------

WAITING = """
import threading
def load(seconds): threading.Event().wait(seconds)
def predict(datapoints):
    for each in datapoints:
        threading.Event().wait(each)
    return datapoints
"""


def test_a_load_that_takes_too_long_is_given_up(tmp_path: Path, start: Started) -> None:
    plan = make_plan(code(tmp_path, WAITING), load="inference:load", inputs={"seconds": 60}, predict_inputs=DATAPOINTS)
    with pytest.raises(
        InvalidInputError, match=r"load .* did not return within 0\.5 seconds.*load_timeout_s="
    ) as caught:
        start(plan, load_timeout_s=0.5)
    assert caught.value.code == "timed_out"


def test_a_call_that_takes_too_long_is_given_up_and_only_a_call(tmp_path: Path, start: Started) -> None:
    worker = start(make_plan(code(tmp_path, WAITING), max_size=1), predict_timeout_s=0.5)
    assert list(worker.predict([[0.1] * 8])) == [[0.1] * 8]
    taken: list[list[object]] = []
    said = r"predict .* did not return within 0\.5 seconds.*predict_timeout_s="
    with pytest.raises(InvalidInputError, match=said) as caught:
        taken.extend(worker.predict([[0], [60]]))
    assert caught.value.code == "timed_out"
    assert taken == [[0]]
    if isinstance(worker, ModelThread):
        with pytest.raises(InvalidInputError, match="it can take no more; load the model again, or in a process"):
            worker.predict([[0]])
    else:
        assert list(worker.predict([[0]])) == [[0]]


def test_a_worker_imports_little() -> None:
    import subprocess

    heavy = ("pyarrow", "numpy", "duckdb", "pydantic", "fsspec", "asyncio", "multiprocessing")
    text = f"import sys, localreg.definitions.worker.child; print([each for each in {heavy!r} if each in sys.modules])"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
