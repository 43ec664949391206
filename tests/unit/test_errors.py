from __future__ import annotations

import copy
import pickle
import re

import pytest

from localreg import errors
from localreg.errors import LocalregError, NotFoundError, StorageError, UnknownOutcomeError

CLASSES = [getattr(errors, name) for name in errors.__all__]


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = re.findall(r"^[├└]── (\w+)(?: \((\w+)\))?", errors.__doc__ or "", re.MULTILINE)
    assert ["LocalregError", *(name for name, _ in drawn)] == errors.__all__
    for name, builtin in drawn:
        bases = [LocalregError, *([getattr(__import__("builtins"), builtin)] if builtin else [])]
        assert list(getattr(errors, name).__bases__) == bases, name


def test_every_error_of_the_module_is_listed() -> None:
    defined = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert defined == set(errors.__all__)


def test_each_class_has_a_code_of_its_own() -> None:
    codes = [cls.default_code for cls in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_keeps_message_code_and_class_through_a_pickle(cls: type[LocalregError]) -> None:
    for error in (cls("what failed"), cls("what failed", code="special")):
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(again) is cls
            assert (str(again), again.message, again.code) == ("what failed", "what failed", error.code)
    assert cls("x").code == cls.default_code
    assert cls("x", code="special").code == "special"


def test_an_unknown_outcome_keeps_its_commit_id_through_a_pickle() -> None:
    error = pickle.loads(pickle.dumps(UnknownOutcomeError("doubt", commit_id="abc")))
    assert (str(error), error.commit_id, error.code) == ("doubt", "abc", "unknown_outcome")


def test_builtin_bases_do_not_change_the_message() -> None:
    assert str(NotFoundError("no model 'x'")) == "no model 'x'"
    assert str(StorageError("disk full")) == "disk full"
    assert StorageError("disk full").errno is None
