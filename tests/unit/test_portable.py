"""Functions on their way to another process: by name, by value, or refused with what to do."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from localreg.errors import InvalidInputError
from localreg.workflow.portable import loaded, portable


def doubled(value: int) -> int:
    return 2 * value


def local() -> Callable[[int], int]:
    by = 3

    @dataclass(frozen=True)
    class Times:
        value: int

    def times(value: int) -> int:
        return Times(value).value * by

    return times


class Holding:
    """A callable object of a module, which holds what cannot be sent."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, value: int) -> int:
        return value


def test_a_function_of_a_module_is_sent_by_its_name() -> None:
    data = portable(functools.partial(doubled, 4), "infer")
    assert b"doubled" in data
    assert len(data) < 200
    assert loaded(data)() == 8


@pytest.mark.parametrize("function", [lambda value: value * 3, local()], ids=["lambda", "closure"])
def test_what_has_no_name_is_sent_with_its_code(function: Callable[[int], int]) -> None:
    pytest.importorskip("cloudpickle")
    assert loaded(portable(function, "infer"))(5) == 15


def test_without_cloudpickle_the_error_names_the_function_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(
        InvalidInputError, match=r"infer of model 'm', .*local\.<locals>\.times, .*pip install cloudpickle"
    ):
        portable(local(), "infer of model 'm'")


def test_what_nothing_can_send_is_refused_with_the_reason() -> None:
    pytest.importorskip("cloudpickle")
    with pytest.raises(InvalidInputError, match=r"infer of model 'm', .*Holding.*lock.*without executor"):
        portable(Holding(), "infer of model 'm'")


def test_an_error_names_the_function_that_a_person_wrote() -> None:
    def adapted(value: int) -> int:
        return value

    adapted.__localreg_calls__ = (Holding.__call__,)  # type: ignore[attr-defined]
    adapted.lock = threading.Lock()  # type: ignore[attr-defined]
    pytest.importorskip("cloudpickle")
    with pytest.raises(InvalidInputError, match=r"infer, .*Holding\.__call__, cannot"):
        portable(adapted, "infer")


SCRIPT = """
import sys
from localreg.errors import InvalidInputError
from localreg.workflow.portable import portable
if "without" in sys.argv:
    sys.modules["cloudpickle"] = None
def infer(value):
    return value
try:
    data = portable(infer, "infer", imports_main="imports" in sys.argv)
except InvalidInputError as error:
    print(error)
else:
    print("by value" if b"cloudpickle" in data else "by name")
"""


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (["script", "imports"], "by name"),
        (["script"], "by value"),
        (["-c", "imports"], "by value"),
        (
            ["script", "without"],
            "infer, __main__.infer, cannot be sent to another process (LookupError: it was defined",
        ),
        (["-c", "imports", "without"], "defined in a prompt or a notebook"),
    ],
)
def test_what_stands_in_the_script_goes_by_name_only_to_who_imports_it(
    how: list[str], said: str, tmp_path: Path
) -> None:
    if "without" not in how:
        pytest.importorskip("cloudpickle")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    first = ["-c", SCRIPT] if how[0] == "-c" else [os.fspath(script)]
    done = subprocess.run(
        [sys.executable, *first, *how[1:]],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert said in done.stdout
