"""What DuckDB raised, in our words: whose fault it was, and what to do."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from localreg.errors import IntegrityError, InvalidInputError, LocalregError, StorageError
from localreg.names import did_you_mean
from localreg.query.quoting import literal
from localreg.query.syntax import clean_message
from localreg.query.user_text import quote

__all__ = ["damaged_file", "explain_error", "is_of_storage", "translate_error"]


def translate_error(
    error: Exception, sql: str, *, tables: Collection[str] = (), what: str = "run sql"
) -> LocalregError:
    """The error to raise for one of DuckDB's in running `sql`, with the cause chained and without SQL in its message.

    Args:
        error: what DuckDB raised.
        sql: what the user wrote.
        tables: the documented tables, to suggest one where a name is unknown.
        what: what the user asked for, for messages.
    """
    import duckdb

    reason = clean_message(str(error))
    translated: LocalregError
    if isinstance(error, duckdb.PermissionException):
        translated = _translate_permission(reason, sql, what)
    elif isinstance(error, duckdb.OutOfMemoryException):
        translated = StorageError(f"cannot {what}: it needs more memory or temporary disk than there is: {reason}")
    elif isinstance(error, duckdb.InterruptException):
        translated = StorageError("the query was interrupted; nothing was read")
    elif _is_of_files(error):
        translated = damaged_file(reason) or StorageError(
            f"cannot {what}: {reason}; see that the registry can be read, and what `verify` says, then try again"
        )
    elif isinstance(error, duckdb.CatalogException) and (unknown := re.match(r"Table with name (.+) does not", reason)):
        translated = InvalidInputError(f"cannot {what}: no table '{unknown[1]}'{_suggest(unknown[1], tables)}")
    elif "configuration has been locked" in reason:
        translated = InvalidInputError(f"cannot {what}: settings cannot be changed here")
    else:
        translated = InvalidInputError(f"cannot {what}: {reason}{_candidates(error)}")
    translated.__cause__ = error
    return translated


def damaged_file(reason: str) -> IntegrityError | None:
    """The error to raise where DuckDB names a bulk file that it cannot make sense of; None if it says something else.

    Snapshots and history are caches, which whoever looks at them again makes anew: nothing has to be restored.
    """
    named = re.search(r"""['"]([^'"]*/data/[^'"]+\.parquet)['"]""", reason)
    if named is None:
        return None
    return IntegrityError(
        f"{named[1]} cannot be read ({reason.replace(named[1], '…')}); restore it from a copy, and see `localreg "
        "verify`",
        code="file_altered",
    )


def _translate_permission(reason: str, sql: str, what: str) -> LocalregError:
    """What was not permitted: a file that the user named, or one of ours that is gone.

    DuckDB takes a file that it does not find for a pattern, and says that patterns are not permitted.
    """
    named = re.search(r'"(.+)"', reason)
    path = named[1].removesuffix("/**/*.parquet") if named else ""
    if named and literal(path)[1:-1] not in sql and path not in sql:
        return StorageError(f"cannot {what}: the file {path!r} is gone; open the registry again, and see `verify`")
    return InvalidInputError(
        f"cannot {what}: it reaches outside the registry, whose tables are all that `sql` reads ({reason})"
    )


def is_of_storage(error: Exception) -> bool:
    """Whether an error of DuckDB's is no fault of the text: memory or files are missing, or it was interrupted."""
    import duckdb

    others = (duckdb.PermissionException, duckdb.OutOfMemoryException, duckdb.InterruptException)
    return isinstance(error, others) or _is_of_files(error)


def _is_of_files(error: Exception) -> bool:
    import duckdb

    corrupt = type(error) is duckdb.Error or str(error).startswith("Invalid Input Error: Failed to read file")
    return corrupt or isinstance(error, _storage_errors())


def _storage_errors() -> tuple[type[Exception], ...]:
    import duckdb

    return (
        duckdb.IOException,
        duckdb.HTTPException,
        duckdb.InternalError,
        duckdb.FatalException,
        duckdb.SerializationException,
        duckdb.ConnectionException,
        duckdb.TransactionException,
    )


def _suggest(name: str, tables: Collection[str]) -> str:
    if not tables:
        return ""
    return f"{did_you_mean(name, tables)}; there are {', '.join(sorted(tables))}"


def _candidates(error: Exception) -> str:
    """DuckDB's list of near column names, which stands on a line of its own."""
    found = re.search(r"^Candidate bindings: (.+)$", str(error), re.MULTILINE)
    return f"; did you mean {found[1]}?" if found else ""


def explain_error(error: Exception, texts: Mapping[str, str], columns: Mapping[str, str]) -> InvalidInputError:
    """The error to raise when DuckDB refuses rewritten expressions, in the user's words, with the cause chained.

    Args:
        error: what DuckDB raised.
        texts: what the user wrote, by argument, such as `where`.
        columns: documented name → type; those that the text mentions are told with their types.
    """
    words = {word.lower() for word in re.findall(r"\w+", " ".join(texts.values()))}
    mentioned = [f"{name} is {type_}" for name, type_ in columns.items() if name.lower() in words]
    types = f" ({', '.join(mentioned)})" if mentioned else ""
    given = ", ".join(f"{label} {quote(text)}" for label, text in texts.items())
    translated = InvalidInputError(f"cannot use {given}: {clean_message(str(error))}{types}")
    translated.__cause__ = error
    return translated
