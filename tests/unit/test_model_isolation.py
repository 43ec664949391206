"""Models whose modules have the same names, side by side in one process."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from localreg.definitions.worker.isolated import IsolatedCode
from localreg.definitions.worker.thread import ModelThread
from localreg.errors import InvalidInputError
from tests.models import make_plan, write_code

LIMIT_S = 60
Opened: TypeAlias = Callable[..., IsolatedCode]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Code of files by their paths, in a folder of its own."""
    before = set(sys.modules), list(sys.meta_path), list(sys.path), list(sys.path_hooks)
    made: list[IsolatedCode] = []

    def open_code(**files: str) -> IsolatedCode:
        named = {f"{name.replace('__in__', '/')}.py": text for name, text in files.items()}
        made.append(IsolatedCode(write_code(tmp_path / str(len(made)), named)))
        return made[-1]

    yield open_code
    for each in made:
        each.close()
        each.close()
    kept = set(sys.modules) - before[0]
    assert [name for name in kept if name.startswith("_localreg")] == []
    assert (list(sys.meta_path), list(sys.path), list(sys.path_hooks)) == before[1:]


WAYS = [
    "import helpers\ndef who(): return helpers.NAME",
    "import helpers as h\ndef who(): return h.NAME",
    "from helpers import NAME\ndef who(): return NAME",
    "from helpers import *\ndef who(): return NAME",
    "def who():\n    import helpers\n    return helpers.NAME",
    "def who():\n    from helpers import NAME\n    return NAME",
    "class A:\n    def f(self):\n        import helpers\n        return helpers.NAME\ndef who(): return A().f()",
    "def who(): return __import__('helpers').NAME",
    "def who():\n    space = {}\n    exec('import helpers', space)\n    return space['helpers'].NAME",
    "who = lambda: eval('__import__(\"helpers\").NAME')",
    "import a.b\ndef who(): return a.b.NAME",
    "import a.b as c\ndef who(): return c.NAME",
    "from a import b\ndef who(): return b.NAME",
    "from a.b import NAME\ndef who(): return NAME",
    "import a.b, helpers\ndef who(): return a.b.helpers.NAME",
    "from . import helpers\ndef who(): return helpers.NAME",
    "import a.relative as r\ndef who(): return r.b.NAME",
    "from a.deep.er import NAME as n\ndef who(): return n",
    "import space.inner\ndef who(): return space.inner.NAME",
]


@pytest.mark.parametrize("text", WAYS)
def test_two_models_with_modules_of_the_same_names(opened: Opened, text: str) -> None:
    codes = [
        opened(
            inference=text,
            helpers=f"NAME = {name!r}",
            a__in____init__="",
            a__in__b="import helpers\nfrom helpers import NAME",
            a__in__relative="from . import b\nfrom .deep import er",
            a__in__deep__in____init__="",
            a__in__deep__in__er="from ..b import NAME",
            space__in__inner="from helpers import NAME",
        )
        for name in ("one", "two")
    ]
    modules: list[Any] = [each.import_module("inference") for each in codes]
    assert [module.who() for module in modules] == ["one", "two"]
    assert [module.who() for module in modules] == ["one", "two"]


def test_what_the_code_does_not_hold_is_imported_as_ever(opened: Opened) -> None:
    text = "import json, os.path\nfrom collections import abc\nimport xml.dom as dom\nHERE = json, os, abc, dom"
    module: Any = opened(inference=text).import_module("inference")
    import collections.abc
    import json
    import os
    import xml.dom

    assert (json, os, collections.abc, xml.dom) == module.HERE


def test_a_module_of_the_code_comes_before_one_of_python_for_that_code_alone(opened: Opened) -> None:
    code = opened(inference="import colorsys, json.decoder\nfrom time import sleep", colorsys="MINE = 1")
    assert code.import_module("inference").colorsys.MINE == 1
    import colorsys

    assert not hasattr(colorsys, "MINE")


def test_a_folder_without_modules_hides_no_package(opened: Opened) -> None:
    code = opened(inference="import json\nLOADS = json.loads", json__in__one="")
    import json

    assert code.import_module("inference").LOADS is json.loads


def test_dataclasses_with_postponed_annotations_and_their_pickles(opened: Opened) -> None:
    text = """
    from __future__ import annotations
    import dataclasses, typing
    from dataclasses import dataclass, field
    from typing import ClassVar
    import shapes
    @dataclass(frozen=True)
    class Box:
        kind: ClassVar[str] = "box"
        at: shapes.Point = field(default_factory=lambda: shapes.Point(1, 2))
    HINTS = typing.get_type_hints(Box)
    """
    shapes = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n    y: int"
    one, two = (opened(inference=text, shapes=shapes) for _ in range(2))
    modules: list[Any] = [each.import_module("inference") for each in (one, two)]
    boxes = [module.Box() for module in modules]
    assert [each.name for each in modules[0].dataclasses.fields(boxes[0])] == ["at"]
    assert modules[0].HINTS["at"] is modules[0].shapes.Point
    for box in boxes:
        again = pickle.loads(pickle.dumps(box))
        assert again == box
        assert type(again) is type(box)
    assert type(boxes[0]) is not type(boxes[1])


def test_a_ring_of_imports_works_as_ever(opened: Opened) -> None:
    ring = "import inference\ndef y(): return inference.X"
    code = opened(inference="import b\nX = 1\ndef who(): return b.y()", b=ring)
    assert code.import_module("inference").who() == 1


def test_threads_of_the_code_import_its_modules(opened: Opened) -> None:
    text = """
    import threading
    FOUND = []
    def look():
        import helpers
        FOUND.append(helpers.NAME)
    def who():
        threads = [threading.Thread(target=look) for _ in range(4)]
        for each in threads: each.start()
        for each in threads: each.join()
        return FOUND
    """
    code = opened(inference=text, helpers="NAME = 'here'")
    assert code.import_module("inference").who() == ["here"] * 4


def test_a_missing_module_has_the_name_that_the_code_gave_it(opened: Opened) -> None:
    code = opened(inference="import a.nothere", a__in____init__="")
    with pytest.raises(ModuleNotFoundError) as caught:
        code.import_module("inference")
    assert caught.value.name is not None
    assert code.name_of(caught.value.name) == "a.nothere"


# --- threads ----------------------------------------------------------------------------------------------------------


def thread(root: str, **more: Any) -> ModelThread:
    return ModelThread(make_plan(root, **more), load_timeout_s=LIMIT_S, predict_timeout_s=LIMIT_S)


def test_a_model_is_forgotten_when_it_is_closed_or_dropped(tmp_path: Path) -> None:
    text = "import helpers\ndef predict(datapoints): return datapoints"
    root = write_code(tmp_path, {"inference.py": text, "helpers.py": ""})
    before = set(sys.modules), list(sys.meta_path), threading.active_count()
    closed, dropped = thread(root), thread(root)
    assert len(set(sys.modules) - before[0]) == 6
    closed.close()
    runs = dropped._thread
    del dropped
    gc.collect()
    runs.join(LIMIT_S)
    assert (set(sys.modules), list(sys.meta_path), threading.active_count()) == before


def test_a_model_that_does_not_load_is_forgotten(tmp_path: Path) -> None:
    before = set(sys.modules), list(sys.meta_path)
    with pytest.raises(InvalidInputError):
        thread(write_code(tmp_path, {"inference.py": "import helpers\n1 / 0", "helpers.py": ""}))
    assert (set(sys.modules), list(sys.meta_path)) == before


def test_load_and_predict_run_in_one_thread(tmp_path: Path) -> None:
    text = """
    import threading
    def load(): return threading.get_ident()
    def predict(model, datapoints): return [model == threading.get_ident() for _ in datapoints]
    """
    worker = thread(write_code(tmp_path, {"inference.py": text}), load="inference:load")
    assert list(worker.predict([[1], [2]])) == [[True], [True]]
    worker.close()


def test_an_exception_of_the_code_keeps_its_class(tmp_path: Path) -> None:
    text = "class Odd(Exception): pass\ndef predict(datapoints): raise Odd('mine')\n"
    worker = thread(write_code(tmp_path, {"inference.py": text}))
    with pytest.raises(Exception, match="mine") as caught:
        list(worker.predict([[1]]))
    assert type(caught.value).__qualname__ == "Odd"
    worker.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_has_the_model_and_a_thread_of_its_own(tmp_path: Path) -> None:
    text = "import os\ndef predict(datapoints): return [os.getpid() for _ in datapoints]\n"
    worker = thread(write_code(tmp_path, {"inference.py": text}))
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=lambda: theirs.send(list(worker.predict([[1]]))))
    process.start()
    theirs.close()
    assert ours.poll(LIMIT_S)
    assert ours.recv() == [[process.pid]]
    ours.close()
    process.join(LIMIT_S)
    worker.close()
