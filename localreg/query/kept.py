"""Rows of a documented table as a connection keeps them, for faces that ask about one state again and again.

To take the records of 100,000 models apart, join and fold them costs half a second, and listings do the first two each
time. A `Kept` has all three done: the documented columns as a table, their searched texts folded in one column, and of
each facet that is a column or a path which rows hold which value. So a filter is looked through once, a facet is
counted without looking at rows at all, and only the columns of one page are put together.

In memory until records change that the table is made of: 53 MB for 100,000 models with a line of metadata each, and
four bytes for each value of a facet in a row.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from localreg.arrow import array, numbers
from localreg.query.database import Database, answer, load
from localreg.query.facets import facets_sql, holders_sql
from localreg.query.rows import FOLDED, Rows, kept_name
from localreg.query.search import folded_text
from localreg.query.tables import INTERNAL, TABLES

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Kept", "forget", "kept_rows", "kinds_read"]

MOST_ROWS = 300_000
"""Tables of more rows are not kept."""

MOST_FACETS = 24
"""Facets of one table whose holders are kept; the oldest go first."""

FEW = 64
"""Values of a facet that are looked at one by one."""

CHOSEN = f"{INTERNAL}.chosen"
"""The numbers of the rows that a query is about."""


def kept_rows(database: Database, table: str) -> Kept | None:
    """The rows of a table of records, kept until `forget`; None if there are too many.

    To be called, and used, under the databases' lock.
    """
    if table not in database.kept:
        few = answer(database.connection, f"SELECT 1 FROM {INTERNAL}.{table} LIMIT {MOST_ROWS + 1}")
        database.kept[table] = Kept(database, table, len(few)) if len(few) <= MOST_ROWS else None
    return database.kept[table]


def forget(database: Database, kinds: set[str] | None) -> None:
    """Let go of what is no longer so after records of these kinds became others; None = of any kind."""
    for table in [*database.kept]:
        read = kinds_read(table)
        if kinds is None or read is None or kinds & read:
            del database.kept[table]


@cache
def kinds_read(table: str) -> set[str] | None:
    """The kinds of records that the rows of a table are made of; None where its SELECT does not name all of them."""
    sql = TABLES[table].sql
    named = re.findall(r"\bkind (?:= |IN \()('\w+'(?:, '\w+')*)", sql)
    if len(named) != sql.count(f"{INTERNAL}.records"):
        return None
    return {kind.strip("'") for kinds in named for kind in kinds.split(", ")}


class Kept:
    """The rows of one table at one state, numbered from 0 in their usual order.

    Args:
        database: where they are kept.
        table: its documented name.
        size: how many they are.
    """

    def __init__(self, database: Database, table: str, size: int) -> None:
        self._connection = database.connection
        self._size = size
        self._holders: dict[str, Holders] = {}
        columns, searched = TABLES[table].columns, TABLES[table].searched
        folded = f", {folded_text(columns, searched)} AS {FOLDED}" if searched else ""
        self._connection.execute(
            f"CREATE OR REPLACE TABLE {kept_name(table)} AS SELECT {Rows(table).documented()}, "
            f"row_number() OVER (ORDER BY _order) - 1 AS _order{folded} FROM {INTERNAL}.{table}"
        )

    def fitting(self, rows: Rows) -> NDArray[np.bool_]:
        """Whether each row fits `where`, `search` and `archived`: (size,)."""
        import numpy as np

        fits = np.zeros(self._size, dtype=np.bool_)
        fits[numbers(answer(self._connection, f"SELECT _order FROM {rows.source} WHERE {rows.condition()}")[0])] = True
        return fits

    def page(self, rows: Rows, fits: NDArray[np.bool_], *, limit: int | None, offset: int) -> pa.Table:
        """Those rows that fit, in the order of `rows`, from the one numbered `offset` on, at most `limit`."""
        import numpy as np
        import pyarrow as pa

        among, bounds = np.flatnonzero(fits), ""
        if rows.order_by is None:
            among = among[offset:][:limit]
        else:
            bounds = f" OFFSET {offset}" if limit is None else f" LIMIT {limit} OFFSET {offset}"
        source = rows.source
        if len(among) < self._size:
            load(self._connection, CHOSEN, pa.table([array(among, pa.int64())], names=["_order"]))
            source += f" SEMI JOIN {CHOSEN} USING (_order)"
        return answer(self._connection, f"SELECT {rows.documented()} FROM {source} ORDER BY {rows.order()}{bounds}")

    def facet(self, rows: Rows, fits: NDArray[np.bool_], *, most: int | None) -> pa.Table:
        """What `facets_sql` selects, of the rows that fit: at most so many values of `rows.by`."""
        facet = rows.facet()
        if not facet.is_path:
            return answer(self._connection, facets_sql(rows, limit=most))
        holders = self._holders.pop(facet.sql, None)
        if holders is None:
            every = replace(rows, where=None, search=None, archived=None)
            holders = Holders(answer(self._connection, holders_sql(every)))
        self._holders[facet.sql] = holders
        while len(self._holders) > MOST_FACETS:
            self._holders.pop(next(iter(self._holders)))
        return holders.counted(fits, most=most)


class Holders:
    """The values of a facet, and which rows hold each.

    Args:
        table: `value`, `holders`, as `holders_sql` selects them.
    """

    def __init__(self, table: pa.Table) -> None:
        import numpy as np
        import pyarrow as pa

        self._values = table.select(["value"])
        lists = table["holders"].combine_chunks()
        rows, ends = (numbers(pa.chunked_array([each])) for each in (lists.values, lists.offsets))
        self._rows, self._ends = rows.astype(np.int32), ends.astype(np.int64)

    def counted(self, fits: NDArray[np.bool_], *, most: int | None) -> pa.Table:
        """`value`, `count` of the rows that fit: the most frequent first, equal ones by value."""
        import numpy as np
        import pyarrow as pa

        running = np.concatenate([[0], np.cumsum(fits[self._rows])])
        counts = running[self._ends[1:]] - running[self._ends[:-1]]
        first = np.argsort(-counts, kind="stable")[:most]
        first = first[counts[first] > 0]
        # Few as slices: `take` would load `pyarrow.compute`, for 50 ms.
        few = len(first) <= FEW and [self._values.slice(int(each), 1) for each in first]
        values = pa.concat_tables(few) if few else self._values.take(array(first, pa.int64()))
        return values.append_column("count", array(counts[first], pa.int64()))
