"""The keys of a definition, as data.

```yaml
models:
  - name: plate-reader-m6            # or ${model.name}: for all models that have no runtime of their own
    description, task, owner, tags, metadata        # as of any model
    version: "6"                     # else a digest of the content
    repository: {url, branch or hash, access_token}  # else the files beside this one
    files: [{name, url, upload, credentials}]
    runtime:
      image, device
      batch: {max_size}
      load:    {entrypoint, inputs: [{name, value}], output: {name}}
      predict: {entrypoint, inputs: [{name, value}], output: {name, keys, mapping}}
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from localreg.canonical import checked_json
from localreg.definitions.faults import Faults, Path
from localreg.errors import InvalidInputError
from localreg.names import check_name, check_tags, check_text, check_version, did_you_mean, shown_value

__all__ = [
    "UNIVERSAL",
    "Definition",
    "File",
    "Input",
    "Load",
    "Predict",
    "Repository",
    "Runtime",
    "checked",
    "without_empty",
]

UNIVERSAL = "${model.name}"
"""The name of the entry that stands for every model without a runtime of its own."""


def _text(value: object) -> object:
    """A number counts as the text that was written."""
    return getattr(value, "text", value)


def _in_words(check: Any, **given: Any) -> Any:
    """A check of ours as one of pydantic's."""

    def validate(value: object) -> object:
        try:
            return check(_text(value), **given)
        except InvalidInputError as error:
            raise PydanticCustomError("ours", "{reason}", {"reason": str(error)}) from error

    return BeforeValidator(validate)


def _model_name(name: object) -> str:
    return UNIVERSAL if name == UNIVERSAL else check_name(name)


def _part_name(name: object) -> str:
    text = check_name(name, what="name")
    if any(character in text for character in "{}:$/\\") or any(map(str.isspace, text)) or text in (".", ".."):
        raise InvalidInputError(
            f"is {shown_value(name)}; a name that variables refer to has no blanks, slashes, {{, }}, $ or :"
        )
    return text


def _address(value: object) -> str:
    url = check_text(value, what="url", limit=4096)
    if not url.strip() or any(character < " " or character == "\x7f" for character in url):
        raise InvalidInputError(f"is {shown_value(url)}; write a path or an address")
    return url


def _entrypoint(text: object) -> str:
    module, colon, function = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not colon:
        raise InvalidInputError(f"is {shown_value(text)}; write module:function, such as inference:predict")
    for each in (*module.split("."), *function.split(".")):
        if not each.isidentifier():
            raise InvalidInputError(
                f"is {shown_value(text)}, and {shown_value(each)} is no name in Python; write module:function, such as "
                "inference:predict, without .py and slashes"
            )
    return str(text)


def _credentials(value: object) -> object:
    if isinstance(value, Mapping) and all(isinstance(each, str) for each in (*value, *value.values())):
        return dict(value)
    if isinstance(value, str):
        return value
    raise InvalidInputError("must be ${NAME}, or a mapping of options of fsspec to such")


def _mapping(value: object) -> object:
    if isinstance(value, str):
        return _entrypoint(value)
    if isinstance(value, Mapping) and value and all(isinstance(each, str) for each in (*value, *value.values())):
        return dict(value)
    raise InvalidInputError("must map fields of the inference to keys, or be a function: module:function")


def _in_json(value: object) -> object:
    """Plain JSON: numbers lose how they were written."""
    try:
        return checked_json(value, what="value")
    except InvalidInputError as error:
        raise PydanticCustomError("ours", "{reason}", {"reason": str(error)}) from error


Text = Annotated[str, BeforeValidator(_text)]
Entrypoint = Annotated[str, _in_words(_entrypoint)]
PartName = Annotated[str, _in_words(_part_name)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Repository(_Part):
    """A git repository that holds the code."""

    url: Text
    branch: Text | None = None
    hash: Text | None = None
    access_token: Text | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one_commit(self) -> Repository:
        if self.branch is not None and self.hash is not None:
            raise PydanticCustomError("ours", "has a branch and a hash; give one of both")
        return self


class File(_Part):
    """Weights, or anything else that the code reads."""

    name: PartName
    url: Annotated[str, _in_words(_address)]
    upload: bool | None = None
    credentials: Annotated[Any, _in_words(_credentials)] = Field(default=None, repr=False)


class Batch(_Part):
    """How many datapoints `predict` is given."""

    max_size: int = Field(ge=1)


class Input(_Part):
    """A keyword argument."""

    name: Text
    value: Annotated[Any, BeforeValidator(_in_json)] = None


class Output(_Part):
    """What a call returns."""

    name: PartName = "output"


class Predictions(Output):
    """What `predict` returns."""

    keys: list[Text] | None = Field(default=None, min_length=1)
    mapping: Annotated[Any, _in_words(_mapping)] = None


class Load(_Part):
    """The call that makes the model."""

    entrypoint: Entrypoint
    inputs: list[Input] = []
    output: Output = Output()


class Predict(_Part):
    """The call that uses it."""

    entrypoint: Entrypoint
    inputs: list[Input] = []
    output: Predictions = Predictions()


class Runtime(_Part):
    """How the model is run."""

    image: Text | None = None
    device: Text | None = None
    batch: Batch | None = None
    load: Load | None = None
    predict: Predict

    def calls(self) -> Iterator[tuple[str, Load | Predict]]:
        """`load`, if there is one, and `predict`."""
        if self.load is not None:
            yield "load", self.load
        yield "predict", self.predict


def _tags(value: object) -> list[str]:
    return check_tags([_text(each) for each in value] if isinstance(value, list) else value)  # type: ignore[arg-type, misc]


class Definition(_Part):
    """One entry of `models`."""

    name: Annotated[str, _in_words(_model_name)]
    description: Annotated[str, _in_words(check_text, what="description")] | None = None
    task: Annotated[str, _in_words(check_text, what="task")] | None = None
    owner: Annotated[str, _in_words(check_text, what="owner")] | None = None
    tags: Annotated[list[str], _in_words(_tags)] = []
    metadata: Annotated[dict[str, Any], BeforeValidator(_in_json)] = {}
    version: Annotated[str, _in_words(check_version)] | None = None
    repository: Repository | None = None
    files: list[File] = []
    runtime: Runtime | None = None

    @property
    def is_universal(self) -> bool:
        """Whether it stands for every model without a runtime of its own."""
        return self.name == UNIVERSAL


def checked(value: object, path: Path, faults: Faults, of: type[BaseModel] = Definition) -> Any:
    """The data of an entry, or of a part of one; None if something is wrong, which then stands among the faults.

    Args:
        value: as YAML or Python says it.
        path: where it stands.
        faults: takes what is wrong.
        of: what it should be.
    """
    value = without_empty(value)
    try:
        return of.model_validate(value)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=True, include_input=True):
            place = tuple(each["loc"])
            faults.add((*path, *place), _reason(of, place, dict(each)))
        return None


def without_empty(value: object) -> object:
    """The value of an entry without what is left empty, as YAML has it: `repository:` and nothing behind it."""
    if not isinstance(value, Mapping):
        return value
    return {key: each for key, each in value.items() if each is not None and not (key == "repository" and not each)}


def _reason(of: type[BaseModel], place: Path, error: dict[str, Any]) -> str:
    """What pydantic found, in our words."""
    kind, given = error["type"], error["input"]
    wanted = _WANTED.get(kind)
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = list(_holder(of, place[:-1]).model_fields)
        return f"is no key here{did_you_mean(str(place[-1]), known) or '; there are ' + ', '.join(known)}"
    if wanted is not None:
        hint = "; put it in quotes" if kind == "string_type" and isinstance(given, bool) else ""
        return f"is {_shown(given)}; it must be {wanted}{hint}"
    return str(error["msg"])


def _shown(given: object) -> str:
    # A value may be, or hold, a secret that stands where none is looked for: of those only what they are.
    kinds: dict[type, str] = {str: "a text", bytes: "bytes", list: "a list", dict: "a mapping"}
    return kinds.get(type(given)) or shown_value(given)


_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "greater_than_equal": "1 or more",
    "list_type": "a list",
    "too_short": "a list of one key or more",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
}


def _holder(of: type[BaseModel], place: Path) -> type[BaseModel]:
    """The class whose key stands at a place."""
    for each in place:
        if isinstance(each, str) and each in of.model_fields:
            of = next(iter(_models(of.model_fields[each].annotation)), of)
    return of


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
