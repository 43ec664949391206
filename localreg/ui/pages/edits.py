"""What people edit of models and versions: one commit each, by the public methods; the page then offers to undo it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from starlette.responses import Response

from localreg.errors import InvalidInputError
from localreg.models import Model, ModelVersion
from localreg.names import shown_value
from localreg.ui.pages.found import model_of, version_of
from localreg.ui.view import Form, View
from localreg.written import written_value

__all__ = ["edit_model", "edit_version", "edited", "key_of", "lines_of", "text_of", "typed_value"]

ThingT = TypeVar("ThingT")
ModelEdit: TypeAlias = Callable[[Model, Form], object]
VersionEdit: TypeAlias = Callable[[ModelVersion, Form], object]


def edit_model(view: View) -> Response:
    """`POST /models/{id}`: the field `verb` says which edit."""
    model = model_of(view)
    return edited(view, MODEL_EDITS, model, f"/models/{model.id}")


def edit_version(view: View) -> Response:
    """`POST /versions/{id}`: the field `verb` says which edit."""
    version = version_of(view)
    return edited(view, VERSION_EDITS, version, f"/versions/{version.id}")


def edited(view: View, edits: Mapping[str, Callable[[ThingT, Form], object]], thing: ThingT, path: str) -> Response:
    """The edit of a thing that the form asks for, in one commit, and the page that shows it.

    Args:
        view: who asks; the field `verb` says which edit.
        edits: by verb.
        thing: what is edited.
        path: of its page.
    """
    edit = _edit(edits, view.form)
    with view.registry.transaction(view.form.text("message") or None) as transaction:
        edit(thing, view.form)
    return view.done(transaction.commit, path)


def _edit(edits: Mapping[str, Callable[[ThingT, Form], object]], form: Form) -> Callable[[ThingT, Form], object]:
    edit = edits.get(form.text("verb"))
    if edit is None:
        raise InvalidInputError(f"verb is {shown_value(form.text('verb'))}; it is one of {', '.join(edits)}")
    return edit


def typed_value(form: Form) -> object:
    """The value of a metadata key as it was typed: JSON if it is JSON, else text; `as=text` = text whatever it is.

    Raises:
        InvalidInputError: it begins as an object or a list, and is none: it would become a text unnoticed.
    """
    text = form.text("value")
    if form.text("as") == "text":
        return text
    value = written_value(text)
    if isinstance(value, str) and value == text and text.lstrip()[:1] in ("{", "["):
        raise InvalidInputError(
            f"the value begins with {text.lstrip()[0]} and is no JSON; mend it, or choose “text” to keep it as it is"
        )
    return value


def key_of(form: Form) -> str:
    """The field `key`.

    Raises:
        InvalidInputError: it is blank.
    """
    key = form.text("key").strip()
    if not key:
        raise InvalidInputError("the key is blank; write one, such as framework")
    return key


def text_of(form: Form, name: str) -> str | None:
    """A text; None = it was left blank, which removes what was there."""
    return form.text(name).strip() or None


def lines_of(form: Form, name: str) -> list[str]:
    """The lines of a field that are not blank."""
    return [line.strip() for line in form.text(name).split("\n") if line.strip()]


MODEL_EDITS: Mapping[str, ModelEdit] = {
    "rename": lambda model, form: model.rename(form.text("name").strip()),
    "describe": lambda model, form: model.update(
        description=text_of(form, "description"), owner=text_of(form, "owner"), task=text_of(form, "task")
    ),
    "tags": lambda model, form: model.update(tags=lines_of(form, "tags")),
    "set": lambda model, form: model.update(metadata={key_of(form): typed_value(form)}),
    "unset": lambda model, form: model.update(unset=[form.text("key")]),
    "set_alias": lambda model, form: model.set_alias(form.text("alias").strip(), form.text("version")),
    "remove_alias": lambda model, form: model.remove_alias(form.text("alias")),
    "archive": lambda model, _: model.archive(),
    "restore": lambda model, _: model.restore(),
}
VERSION_EDITS: Mapping[str, VersionEdit] = {
    "describe": lambda version, form: version.update(description=text_of(form, "description")),
    "tags": lambda version, form: version.update(tags=lines_of(form, "tags")),
    "set": lambda version, form: version.update(metadata={key_of(form): typed_value(form)}),
    "unset": lambda version, form: version.update(unset=[form.text("key")]),
}
