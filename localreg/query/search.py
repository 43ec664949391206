"""`search`: words that a row must hold, as SQL over one documented view.

A search is words, parted by white space; a row fits if it holds each of them, anywhere in its searched columns (`Table.
searched`), in any case, with or without accents, and within longer words: `yolo` finds `YOLOR-D6`. Metadata counts with
its keys and its values, at any depth.

| written | found |
|---|---|
| `night yolor` | rows with both words |
| `"night owl"` | the phrase, spaces and all |
| `-night`, `-"night owl"` | rows without it |
| `"-night"` | the text `-night`; within a word a hyphen is a plain character |

A quotation mark without its partner is a plain character.

Speed rests on three steps, each on fewer rows than the one before: a look at the raw JSON of the record, which is a
superset of what is searched; the searched columns, as text; and, only where the JSON has escapes or the word has
characters of JSON's own syntax, the keys and values one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from localreg.errors import InvalidInputError
from localreg.names import check_text
from localreg.query.quoting import identifier, literal
from localreg.query.syntax import parse_cursor

__all__ = ["Term", "folded_condition", "folded_text", "search_condition", "terms"]

MAX_SEARCH = 1_000
"""Characters: each word is a pass over what the ones before it left."""

_LOOKED_FOR = 32
"""Characters of a word that a pattern with accents holds: be the table ever so small, DuckDB takes milliseconds to read
each one. Only what has these is folded."""

_TERM = re.compile(r'(-?)"([^"]+)"(?=\s|\Z)|(\S+)')
_JSON_SYNTAX = frozenset('"\\{}[],:')
_BETWEEN = "chr(31)"
"""Parts the texts of several columns: no word can hold it, as it is white space to `terms`."""


@dataclass(frozen=True, slots=True)
class Term:
    """One word or phrase of a search."""

    text: str
    wanted: bool = True
    """Whether rows with it are wanted, or those without."""


def terms(search: object) -> list[Term]:
    """The words and phrases of a search, in order.

    Raises:
        InvalidInputError: no text, or too long.
    """
    found = []
    for minus, phrase, word in _TERM.findall(check_text(search, what="search", limit=MAX_SEARCH)):
        if phrase:
            found.append(Term(phrase, wanted=not minus))
        elif len(word) > 1 and word.startswith("-"):
            found.append(Term(word[1:], wanted=False))
        else:
            found.append(Term(word))
    return found


def search_condition(
    search: str, columns: Mapping[str, str], searched: tuple[str, ...], *, is_own: bool = False
) -> str:
    """The SQL condition that a row of a view fits a search.

    Args:
        search: what the user wrote; blank = every row fits.
        columns: documented name → DuckDB type.
        searched: those that are searched; beside them the view has `_record`, the JSON that they come from, or NULL.
        is_own: each searched column is the field of `_record` of that name.

    Raises:
        InvalidInputError: nothing in this table is searched, or `search` is no text.
    """
    return _joined(search, searched, lambda word: _holds(word, columns, searched, is_own))


def folded_condition(search: str, columns: Mapping[str, str], searched: tuple[str, ...], *, folded: str) -> str:
    """The same condition, on rows that have their searched texts folded in a column.

    Args:
        search: as in `search_condition`.
        columns: as in `search_condition`.
        searched: as in `search_condition`; `_record` is not needed.
        folded: the column, which holds `folded_text`.

    Raises:
        InvalidInputError: as in `search_condition`.
    """

    def holds(word: str) -> str:
        likely = " OR ".join(f"contains({folded}, {literal(each)})" for each in sorted({word, _escaped(word)}))
        exact = _exact_where_needed(word, folded, _exact(word, columns, searched))
        return f"CASE WHEN {likely} THEN {exact} ELSE false END"

    return _joined(search, searched, holds)


def folded_text(columns: Mapping[str, str], searched: tuple[str, ...]) -> str:
    """The SQL of all searched texts of a row, folded as words are; of JSON, with the syntax."""
    texts = ", ".join(
        f"CAST({identifier(name)} AS VARCHAR)" if columns[name] == "JSON" else _texts(name, columns[name], False)
        for name in searched
    )
    return f"strip_accents(lower(concat_ws({_BETWEEN}, {texts})))"


def _joined(search: str, searched: tuple[str, ...], holds: Callable[[str], str]) -> str:
    """The condition of all terms; `holds` gives that of one folded word."""
    found = terms(search)
    if not searched:
        raise InvalidInputError(f"cannot use search {search!r}: this table has no texts to search; use where")
    words = [(_folded_word(term.text), term.wanted) for term in found]  # an empty one was nothing but accents
    return " AND ".join(holds(word) if wanted else f"NOT {holds(word)}" for word, wanted in words if word) or "true"


def _holds(word: str, columns: Mapping[str, str], searched: tuple[str, ...], is_own: bool) -> str:
    likely = _matches("_record", _escaped(word))
    if is_own:
        paths = ", ".join(literal(f"$.{name}") for name in searched)
        text = f"array_to_string(json_extract_string(_record, [{paths}]), {_BETWEEN})"
        spellings = sorted({word, _escaped(word)})
        likely = f"CASE WHEN {likely} THEN {' OR '.join(_matches(text, each) for each in spellings)} ELSE false END"
    else:
        likely = f"_record IS NULL OR {likely}"
    exact = _exact(word, columns, searched, is_own)
    if is_own:
        exact = _exact_where_needed(word, "_record", exact)
    return f"CASE WHEN {likely} THEN {exact} ELSE false END"


def _exact(word: str, columns: Mapping[str, str], searched: tuple[str, ...], is_own: bool = False) -> str:
    texts = ", ".join(_texts(name, columns[name], is_own) for name in searched)
    return f"contains(strip_accents(lower(concat_ws({_BETWEEN}, {texts}))), {literal(word)})"


def _exact_where_needed(word: str, text: str, exact: str) -> str:
    """The exact look, but where a word that JSON in `text` holds is one that the row has."""
    if not _JSON_SYNTAX.isdisjoint(word) or not word.isprintable():
        return exact
    # What follows a backslash is no text of its own: the n of \\n, the 1f of \\u001f.
    return f"CASE WHEN contains({text}, '\\') THEN {exact} ELSE true END"


_IS_ASCII = "strlen(_record) = length(_record)"
"""No accents to look for, which costs ten times what seeing this does."""


def _matches(text: str, word: str) -> str:
    """Whether a text that is made of `_record` holds a folded word: folding the text itself costs three times that."""
    folded = f"contains(strip_accents(lower({text})), {literal(word)})"
    if not word.isascii():
        return f"CASE WHEN {_IS_ASCII} THEN false ELSE {folded} END"
    accented = f"regexp_matches({text}, {literal(''.join(map(_accented, word[:_LOOKED_FOR])))})"
    if len(word) > _LOOKED_FOR:
        accented = f"CASE WHEN {accented} THEN {folded} ELSE false END"
    return f"CASE WHEN {_IS_ASCII} THEN regexp_matches({text}, {literal('(?i)' + _quoted(word))}) ELSE {accented} END"


def _escaped(word: str) -> str:
    """The word as it stands within a JSON string."""
    return json.dumps(word, ensure_ascii=False)[1:-1]


def _quoted(text: str) -> str:
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.ASCII)


def _accented(character: str) -> str:
    """The pattern of an ASCII character in either case, with any accents, be they part of it or marks of their own."""
    return (
        f"[{_quoted(character)}{character.upper() if character.isalpha() else ''}{_accents().get(character, '')}]\\pM*"
    )


@lru_cache(maxsize=1)
def _accents() -> Mapping[str, str]:
    """All characters that DuckDB folds to an ASCII character, by that one. Takes a few milliseconds."""
    rows = parse_cursor().execute(
        "SELECT folded, string_agg(chr(code)) FROM (SELECT code, strip_accents(lower(chr(code))) AS folded "
        "FROM (SELECT CAST(range AS INTEGER) AS code FROM range(128, 9216))) "
        "WHERE length(folded) = 1 AND strlen(folded) = 1 GROUP BY folded"
    )
    return {folded: accented.replace(",", "") for folded, accented in rows.fetchall()}


def _folded_word(text: str) -> str:
    """The text as DuckDB folds it."""
    row = parse_cursor().execute(f"SELECT strip_accents(lower({literal(text)}))").fetchone()
    assert row is not None  # a SELECT without FROM has one row
    folded: str = row[0]
    return folded


def _texts(name: str, kind: str, is_own: bool) -> str:
    """The texts of a column; of JSON, each key and each value as it is, without the syntax between them."""
    if is_own:
        return _tokens(f"json_extract(_record, '$.{name}')")
    column = identifier(name)
    if kind.endswith("[]"):
        return f"array_to_string({column}, {_BETWEEN})"
    return _tokens(column) if kind == "JSON" else column


def _tokens(value: str) -> str:
    tokens = rf"""regexp_extract_all(CAST({value} AS VARCHAR), '"(?:[^"\\]|\\.)*"|[^\[\]{{}},:"]+')"""
    unquoted = "CASE WHEN starts_with(token, '\"') THEN json_extract_string(token, '$') ELSE token END"
    return f"array_to_string(list_transform({tokens}, lambda token: {unquoted}), {_BETWEEN})"
