"""Which columns of a table stand for which fields of a workflow's types.

A field is looked for, in this order, under what the user's mapping says, `part.field` (such as `ground_truth.label`),
`part_field`, as exports call what would be called twice, the name of the field, and, where the field is a struct, the
names of the fields within: columns `label` and `score` are both halves of a field `label` that is a scored label. A
column called like the part itself holds whole structs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from localreg.errors import InvalidInputError
from localreg.names import did_you_mean, shown_value
from localreg.tables import JSON_FIELD, Node
from localreg.workflow.typed import EXTRA, TypedColumn

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Leaf", "PartColumns", "Tree", "matched"]

EXPORTED = {"sample_idx", "status"}
"""Columns by which an export of inferences is known: there, `metadata` and `extra` are those of the samples."""

Tree: TypeAlias = "dict[str, Leaf | Tree]"
"""By field: the column, or the columns of the fields within."""


@dataclass(frozen=True)
class Leaf:
    """A column."""

    name: str


@dataclass
class PartColumns:
    """The columns of one part.

    Attributes:
        part: `sample`, `ground_truth` or `inference`.
        typed: what they are to become.
        whole: the column of whole structs, instead of `tree`.
        tree: the columns by field.
        said: the columns of `metadata` and `extra`: one of JSON objects, or by key.
    """

    part: str
    typed: TypedColumn
    whole: str | None = None
    tree: Tree = field(default_factory=dict)
    said: dict[str, Leaf | dict[str, str]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All columns that are read."""
        said = [
            name for each in self.said.values() for name in ([each.name] if isinstance(each, Leaf) else each.values())
        ]
        return [*([self.whole] if self.whole is not None else _names(self.tree)), *said]

    def objects(self) -> list[str]:
        """The columns of whole JSON objects."""
        return [each.name for each in self.said.values() if isinstance(each, Leaf)]

    def values(self) -> list[str]:
        """The columns of values in such objects, each under a key."""
        return [name for each in self.said.values() if not isinstance(each, Leaf) for name in each.values()]


def _names(tree: Tree) -> list[str]:
    return [name for each in tree.values() for name in ([each.name] if isinstance(each, Leaf) else _names(each))]


def matched(
    schema: pa.Schema,
    parts: Sequence[TypedColumn],
    mapping: Mapping[str, str] | None,
    *,
    what: str,
    metadata: Sequence[str] = (),
    only: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[PartColumns], list[str]]:
    """The columns of each part, and those that stand for nothing.

    Args:
        schema: of the table.
        parts: what is looked for.
        mapping: by field, or `part.field`, or a path within, the column.
        what: the table is, for messages.
        metadata: columns that become metadata of the first part, by their names.
        only: by part, the only fields that are wanted of it.

    Raises:
        InvalidInputError: a required field has no column, a column stands for two fields, or the mapping names what is
            not there.
    """
    search = _Search(schema, parts, _checked(mapping, schema, what), what)
    found = [search.part(part, (only or {}).get(part.name)) for part in parts]
    if metadata:
        _add_metadata(found[0], metadata, schema, what)
    search.refuse_unused()
    used = [name for part in found for name in part.names()]
    double = next((name for name in used if used.count(name) > 1), None)
    if double is not None:
        owners = " and ".join(part.part for part in found if double in part.names())
        raise InvalidInputError(
            f"column {double!r} of {what} could be a field of {owners}, or of two fields; say which with columns="
            f"{{'{found[-1].part}.{double}': …}}, or call the columns so"
        )
    return found, [name for name in schema.names if name not in used]


def _checked(mapping: Mapping[str, str] | None, schema: pa.Schema, what: str) -> dict[str, str]:
    if mapping is None:
        return {}
    if not isinstance(mapping, Mapping) or not all(isinstance(each, str) for pair in mapping.items() for each in pair):
        raise InvalidInputError(f"columns is {shown_value(mapping)}; it must be a dict from field to column")
    for name, column in mapping.items():
        if column not in schema.names and name in schema.names:
            raise InvalidInputError(
                f"{what} has no column {column!r}; columns= says of a field which column holds it, not the other way "
                f"round: columns={{{column!r}: {name!r}}}"
            )
        _require(column, schema, what)
    return dict(mapping)


def _require(name: str, schema: pa.Schema, what: str) -> None:
    if name not in schema.names:
        raise InvalidInputError(f"{what} has no column {name!r}{did_you_mean(name, schema.names)}; {_told(schema)}")


def _told(schema: pa.Schema) -> str:
    names = ", ".join(schema.names[:20])
    return f"its columns are {names}{', …' if len(schema.names) > 20 else ''}"


def _add_metadata(part: PartColumns, names: Sequence[str], schema: pa.Schema, what: str) -> None:
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise InvalidInputError(f"metadata is {shown_value(names)}; it must be a list of columns")
    for name in names:
        _require(name, schema, what)
    keys = part.said.get(JSON_FIELD, {})
    if isinstance(keys, Leaf):
        raise InvalidInputError(f"{what} has a column {keys.name!r} for all metadata; leave out metadata=")
    part.said[JSON_FIELD] = {**keys, **{name: name for name in names}}


class _Search:
    def __init__(self, schema: pa.Schema, parts: Sequence[TypedColumn], mapping: dict[str, str], what: str) -> None:
        self._schema = schema
        self._mapping = mapping
        self._what = what
        self._unused = set(mapping)
        self._claimed = set(mapping.values())
        self._fields = {each.name: {one.name for one in each.node.fields} for each in parts}

    def part(self, typed: TypedColumn, only: Sequence[str] | None) -> PartColumns:
        made = PartColumns(typed.name, typed)
        if only is None and typed.name in self._schema.names and self._is_nested(typed.name):
            made.whole = typed.name
        else:
            for each in typed.node.fields:
                if only is None or each.name in only:
                    found = self._field(f"{typed.name}.{each.name}", each.name, each.node)
                    if found is not None:
                        made.tree[each.name] = found
            if only is not None and not made.tree and typed.name in self._schema.names and self._is_nested(typed.name):
                made.whole = typed.name
        if only is None:
            self._said(made, typed)
        return made

    def _is_nested(self, name: str) -> bool:
        import pyarrow as pa

        kind = self._schema.field(name).type
        return bool(pa.types.is_struct(kind) or pa.types.is_map(kind))

    def _field(self, full: str, short: str, node: Node) -> Leaf | Tree | None:
        """The column of a field, or those within it."""
        for path in (full, short):
            if path in self._mapping:
                self._unused.discard(path)
                return Leaf(self._mapping[path])
        within = self._within(full, short, node) if node.fields else {}
        named = next((name for name in (full, *self._exported(full), short) if self._is_free(name)), None)
        if within and (named is None or not self._is_nested(named)) and self._suffices(within, node, named):
            return within
        return None if named is None else Leaf(named)

    def _is_free(self, name: str) -> bool:
        return name in self._schema.names and name not in self._claimed

    def _exported(self, full: str) -> list[str]:
        """What exports call a field, or what is said beside the fields, unless a field has that very name."""
        name = full.replace(".", "_", 1)
        return [] if any(name in fields for fields in self._fields.values()) else [name]

    def _within(self, full: str, short: str, node: Node) -> Tree:
        """The columns of the fields within: by their paths, and by plain names.

        Of an object that may be missing, plain names count only if all that it needs is there: else `model` would be
        the one of a camera.
        """
        made: Tree = {}
        plain: Tree = {}
        for each in node.fields:
            found = self._field(f"{full}.{each.name}", f"{short}.{each.name}", each.node)
            if found is not None:
                made[each.name] = found
            elif node.type == "struct" and self._is_free(each.name) and not self._is_other(each.name, full):
                plain[each.name] = Leaf(each.name)
        needed = {each.name for each in node.fields if not each.node.optional}
        is_whole = needed <= {*made, *plain} or short in self._schema.names
        both = {**made, **plain} if is_whole or not node.optional else made
        return {each.name: both[each.name] for each in node.fields if each.name in both}

    def _is_other(self, name: str, full: str) -> bool:
        """Whether a plain name is that of a field of its own, elsewhere than where `full` lies."""
        part, _, rest = full.partition(".")
        return any(name in fields and (part, rest) != (owner, name) for owner, fields in self._fields.items())

    def _suffices(self, within: Tree, node: Node, named: str | None) -> bool:
        """Whether columns for the fields within are better than the one of the name."""
        return named is None or len(within) > 1 or named not in _names(within)

    def _said(self, made: PartColumns, typed: TypedColumn) -> None:
        """Columns of what is kept as JSON; of plain names, those of the first part that has such a thing."""
        for name in (JSON_FIELD, EXTRA):
            if name in self._fields[typed.name] or (name == JSON_FIELD and not typed.has_metadata):
                continue
            paths = (f"{typed.name}.{name}", name)
            mapped = next((self._mapping[path] for path in paths if path in self._mapping), None)
            self._unused -= set(paths)
            names = [paths[0], *self._exported(paths[0])]
            if typed.name == "sample" or not {*self._schema.names} >= EXPORTED:
                names.append(name)
            whole = mapped or next((each for each in names if self._is_free(each)), None)
            keys = self._keys(paths)
            if whole is not None:
                made.said[name] = Leaf(whole)
                self._claimed.add(whole)
            elif keys:
                made.said[name] = keys
                self._claimed |= set(keys.values())

    def _keys(self, paths: tuple[str, str]) -> dict[str, str]:
        """The columns of the keys of a JSON object, called `metadata.weather`, or mapped to that."""
        free = {name: name for name in self._schema.names if self._is_free(name)}
        found = {}
        for path in reversed(paths):
            for each, column in {**free, **self._mapping}.items():
                if each.startswith(f"{path}."):
                    found[each.removeprefix(f"{path}.")] = column
                    self._unused.discard(each)
        return found

    def refuse_unused(self) -> None:
        if self._unused:
            path = sorted(self._unused)[0]
            known = [f"{part}.{name}" for part, fields in self._fields.items() for name in sorted(fields)]
            known += [name for fields in self._fields.values() for name in sorted(fields)]
            if path in known:
                raise InvalidInputError(self._not_wanted(path))
            raise InvalidInputError(
                f"columns names {path!r}, which is no field{did_you_mean(path, known)}; the fields are "
                f"{', '.join(known)}"
            )

    def _not_wanted(self, path: str) -> str:
        """Why a field is not looked for under this path."""
        others = (each for each in self._mapping if each.endswith(f".{path}") or path.endswith(f".{each}"))
        other = next(others, None)
        if other is not None:
            return f"columns names one field as {path!r} and as {other!r}; leave one out"
        return (
            f"columns names {path!r}, which is not looked for: on= does not name it, or one column holds the whole "
            "object; leave it out"
        )
