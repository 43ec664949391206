"""What all handles share: an identity within a session, read anew at each look."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from localreg.canonical import JsonObject, checked_object
from localreg.errors import InvalidInputError, NotFoundError
from localreg.handles.deletion import delete
from localreg.handles.differences import Differences
from localreg.handles.history import with_changes
from localreg.handles.words import noun
from localreg.log import Row, State
from localreg.names import check_text, shown_value
from localreg.records.base import Record
from localreg.records.differences import differences
from localreg.session import Changes, Session

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["UNCHANGED", "Handle", "Unchanged", "checked_texts", "metadata_merger", "warn_of_differences"]


class Unchanged:
    """Stands for an argument that was not given, where None means "nothing"."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()

RecordT = TypeVar("RecordT", bound=Record)


class Handle(Generic[RecordT]):
    """An identity within a session. Equal handles mean the same record of the same registry and namespace."""

    _record_class: type[RecordT]

    def __init__(self, session: Session, id: str) -> None:
        self._session = session
        self._id = id

    @property
    def id(self) -> str:
        """The record's identity: 32 hex digits, for ever."""
        return self._id

    @property
    def info(self) -> RecordT:
        """The record as it is now: frozen data, and a copy of what it holds.

        Raises:
            NotFoundError: it has been deleted.
        """
        return self._row().load(self._record_class).model_copy(deep=True)

    @property
    def name(self) -> str:
        """What it is called now."""
        return self._row().name

    @property
    def created_at(self) -> datetime:
        """When it was made, by its maker's clock, UTC."""
        return datetime.fromisoformat(self._row().created_at)

    @property
    def created_by(self) -> str:
        """The actor who made it."""
        return self._row().created_by

    @property
    def updated_at(self) -> datetime:
        """When it was changed last, by that actor's clock, UTC."""
        return datetime.fromisoformat(self._row().updated_at)

    def _row(self, state: State | None = None) -> Row:
        row = (state or self._session.state()).get(self._record_class.kind, self._id)
        if row is None:
            raise NotFoundError(
                f"{noun(self._record_class.kind)} {self._id} is not in {self._session.namespace!r}: it was deleted, "
                "or not made yet at the commit that is shown"
            )
        return row

    def _change(self, edit: Callable[[RecordT, Changes], RecordT], *, action: str = "update") -> Self:
        """Replace the record by what `edit` makes of its newest self."""

        def operation(changes: Changes) -> None:
            row = self._row(changes.draft)
            changes.update(row, edit(row.load(self._record_class), changes), action=action)

        self._session.change(operation)
        return self

    def _delete(self, *, force: bool) -> None:
        self._session.change(lambda changes: delete(changes, self._row(changes.draft), force=force))

    def differences(self, other: Self) -> Differences:
        """What differs between this one (`before`) and another (`after`) of its kind: metadata by path, and each field.

        Of what has data sets those, too, as `datasets.<name>.<field>`.

        The other may be the same one at another commit, `registry.at(commit=5).get_model("m")`, or of another registry.

        Raises:
            InvalidInputError: the other is of another kind.
            NotFoundError: one of them was deleted.
        """
        if not isinstance(other, type(self)):
            raise InvalidInputError(
                f"{self!r} cannot be compared with {shown_value(other)}; give a {type(self).__name__}"
            )
        before, after = self._stated(), other._stated()
        if self._id == other._id:  # two names are no difference between two things, but they are of one
            before, after = {"name": self.name, **before}, {"name": other.name, **after}
        return Differences(self._label(), other._label(), tuple(differences(before, after)))

    def _stated(self) -> JsonObject:
        """What is said of it, but for its name: what `differences` compares."""
        raise NotImplementedError

    def _label(self) -> str:
        """What it is called where others stand beside it."""
        return self.name

    def history(self) -> Result:
        """The audit events of this record and of what belongs to it, in order of commit.

        Columns of `audit_events`, and `changes`: what each event changed, in words, as `metadata.lr 0.1 → 0.2`; null
        where a record was made or deleted, or what it said was redacted.
        """
        state, engine = self._session.state(), self._session.engine()
        return with_changes(engine.select("audit_events", where=f"id = '{self._id}' OR parent = '{self._id}'"), state)

    def _shown(self) -> str:
        """What tells this one from others, for its repr."""
        return repr(self.name)

    def __repr__(self) -> str:
        # A debugger or a failed assertion shows handles that outlived their record: that must not be another error.
        kind = type(self).__name__
        try:
            return f"<{kind} {self._shown()}>"
        except NotFoundError:
            return f"<{kind} deleted …{self._id[-8:]}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Handle):
            return NotImplemented
        return (self._id, self._session.file.registry) == (other._id, other._session.file.registry)

    def __hash__(self) -> int:
        return hash(self._id)


def checked_texts(**fields: str | Unchanged | None) -> dict[str, Any]:
    """The texts that were given, checked; None stays None, and what was not given is left out."""
    return {
        key: None if text is None else check_text(text, what=key)
        for key, text in fields.items()
        if not isinstance(text, Unchanged)
    }


def metadata_merger(
    metadata: Mapping[str, object] | None, unset: Iterable[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What turns old metadata into new: keys in `unset` go, those in `metadata` come or are replaced."""
    added = checked_object({} if metadata is None else metadata, what="metadata")
    removed = _checked_keys(unset)
    return lambda old: {**{key: value for key, value in old.items() if key not in removed}, **added}


def _checked_keys(unset: Iterable[str]) -> set[str]:
    """The keys to remove. What is no text can be no key, and to leave it silently in place would hide a mistake."""
    if isinstance(unset, str):
        raise InvalidInputError(f"unset is a text; pass a list of keys: [{shown_value(unset)}]")
    if not isinstance(unset, Iterable):
        raise InvalidInputError(f"unset is of type {type(unset).__qualname__}; pass a list of metadata keys")
    keys = list(unset)
    for key in keys:
        if not isinstance(key, str):
            raise InvalidInputError(
                f"unset holds {shown_value(key)}, of type {type(key).__qualname__}; metadata keys are text"
            )
    return set(keys)


def warn_of_differences(row: Row, asked: Mapping[str, object], *, stacklevel: int) -> None:
    """Warn that fields which were given for an existing record are not applied, where they differ."""
    differing = [field for field, value in asked.items() if value != row.fields.get(field)]
    if differing:
        warnings.warn(
            f"{noun(row.kind)} {row.name!r} exists already, and its {' and '.join(differing)} stay as they are; "
            "use update() to change them",
            stacklevel=stacklevel + 1,
        )
