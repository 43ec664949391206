"""Functions that a definition names: refused where it is certain that they are not there, or cannot be called so."""

from __future__ import annotations

from typing import Any

import pytest

from localreg.definitions.entrypoints import Code, check_entrypoints
from localreg.definitions.faults import Faults, path_text
from localreg.definitions.schema import Runtime

PREDICT = "def predict(model, datapoints): ...\n"
OTHER = "def predict(x): ...\n"


def faults(files: dict[str, str], predict: str = "inference:predict", mapping: Any = None) -> list[str]:
    """What is wrong with a runtime whose `predict` takes `model` and `datapoints`."""
    inputs = [{"name": "model"}, {"name": "datapoints"}]
    output = {} if mapping is None else {"mapping": mapping}
    said = {"predict": {"entrypoint": predict, "inputs": inputs, "output": output}}
    found = Faults("")
    code = Code(files.keys(), lambda name: files[name].encode())
    check_entrypoints(Runtime.model_validate(said), ("runtime",), code, found)
    return [f"{path_text(path)}: {reason}" for path, reason in found.found()]


def inference(text: str) -> list[str]:
    """What is wrong where `inference.py` reads so."""
    return faults({"inference.py": text})


# --- whether it is there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "for predict in [print]: ...",
        "async def f():\n    global predict\n    predict = print",
        "class A:\n    global predict\n    def predict(): ...",
        "while True:\n    def predict(model, datapoints): ...\n    break",
        "for _ in range(1):\n    x = 1\nelse:\n    def predict(model, datapoints): ...",
        "with open('x') as predict: ...",
        "match 1:\n    case 1:\n        def predict(model, datapoints): ...",
        "match 1:\n    case predict: ...",
        "match [1]:\n    case [*predict]: ...",
        "match {}:\n    case {**predict}: ...",
        "try: ...\nexcept* ValueError:\n    def predict(model, datapoints): ...",
        "try: ...\nexcept ValueError: ...\nfinally:\n    def predict(model, datapoints): ...",
        "if (predict := print): ...",
        "(_, [predict, *_]) = 1, [print]",
        "import predict.part",
        "from a import b as predict",
    ],
)
def test_names_are_found_wherever_a_module_binds_them(code: str) -> None:
    assert inference(code) == []


@pytest.mark.parametrize(
    "code",
    [
        "print(predict)",
        "class A:\n    def predict(self): ...\n    def __getattr__(self, name): ...",
        "def outer():\n    def predict(): ...\n    other = predict = 1",
        "model.eval()\nmodel.modules()\nmodel.vars = 1",
    ],
)
def test_what_a_module_does_not_bind_is_not_there(code: str) -> None:
    assert "inference.py defines no 'predict'" in "".join(inference(code))


OPEN = [
    "exec('predict = print')",
    "eval('1')",
    "import sys\nsetattr(sys, 'a', 1)",
    "def f():\n    globals()['predict'] = print",
    "vars()['predict'] = print",
    "locals()['predict'] = print",
    "import sys\nsys.modules[__name__] = 1",
    "import sys as system\nsystem.modules[__name__] = 1",
    "from sys import modules",
    "import builtins\nbuiltins.exec('')",
    "def __getattr__(name): ...",
    "from a import __getattr__",
    "from a import *",
]


@pytest.mark.parametrize("code", OPEN)
@pytest.mark.parametrize("beside", ["", OTHER])
def test_what_may_define_more_than_can_be_seen_is_not_refused(code: str, beside: str) -> None:
    assert inference(f"{beside}{code}") == []


def test_a_package_has_its_modules_and_goes_before_a_module_of_its_name() -> None:
    package = {"inference/__init__.py": "from .impl import x", "inference/impl.py": PREDICT}
    assert faults(package, "inference:impl.predict") == []
    assert "defines no 'predict'" in "".join(faults(package))
    assert "inference/__init__.py defines no 'predict'" in "".join(faults({**package, "inference.py": PREDICT}))
    assert faults({"inference/__init__.py": PREDICT, "inference.py": ""}) == []


def test_a_compiled_module_goes_before_its_source() -> None:
    assert faults({"inference.cpython-311-x86_64-linux-gnu.so": "", "inference.py": ""}) == []


@pytest.mark.parametrize("code", [PREDICT + "PATTERN = '\\d'", PREDICT + "assert (1, 'x')"])
def test_questionable_style_is_no_fault(code: str) -> None:
    assert inference(code) == []


def test_code_that_is_nested_too_deeply_to_be_read_here_is_not_refused() -> None:
    assert inference(PREDICT + "x = " + "-" * 100_000 + "1") == []


# --- how it is called -------------------------------------------------------------------------------------------------


def test_a_function_that_is_bound_once_must_take_what_it_is_given() -> None:
    assert "takes x" in "".join(inference(OTHER))
    assert "takes x" in "".join(inference("if True:\n    def predict(x): ..."))
    assert "lacks 'a'" in "".join(inference("def predict(a, /, **others): ..."))


@pytest.mark.parametrize(
    "code",
    [
        f"import functools\n{OTHER}predict = functools.partial(predict, 1)",
        f"{OTHER}if True:\n    predict = print",
        f"if True:\n    {OTHER}else:\n    {PREDICT}",
        f"try:\n    from fast import predict\nexcept ImportError:\n    {OTHER}",
        f"try: ...\nexcept* ImportError:\n    {PREDICT}\n{OTHER}",
        f"{OTHER}class predict: ...",
        f"{OTHER}for predict in []: ...",
        f"{OTHER}with a as predict: ...",
        f"{OTHER}match 1:\n    case predict: ...",
        f"{OTHER}def wrap():\n    global predict\n    predict = 1",
        f"@decorator\n{OTHER}",
        "def predict(model=1, /, **others): ...",
    ],
)
def test_of_a_function_that_may_be_another_nobody_knows_what_it_takes(code: str) -> None:
    assert inference(code) == []


# --- output.mapping ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("inference:predicts", "and inference.py defines no 'predicts'; did you mean 'predict'?"),
        ("convert:run", "and the code has no module 'convert'; there are inference"),
    ],
)
def test_the_function_of_a_mapping_must_be_there(mapping: str, reason: str) -> None:
    (found,) = faults({"inference.py": PREDICT}, mapping=mapping)
    assert found == f"runtime.predict.output.mapping: is {mapping!r}, {reason}"


@pytest.mark.parametrize("mapping", [None, {"label": "class"}, "inference:convert"])
def test_a_mapping_may_be_a_function_with_any_parameters_or_none(mapping: object) -> None:
    assert faults({"inference.py": f"{PREDICT}def convert(a, b, /): ..."}, mapping=mapping) == []
