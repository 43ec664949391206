"""Files in `log/` that are no entries: mostly what sync programs leave, and sometimes all that is left of a commit.

Two machines that commit offline to synced copies of one registry both write the same number. The sync program keeps
one as the entry and puts the other beside it, under a name of its own. Readers never see it, since they only open the
exact names of entries; but its writer was told that it was committed.
"""

from __future__ import annotations

import re

from localreg.canonical import parse
from localreg.errors import LocalregError
from localreg.log.entry import entry_path
from localreg.log.parquet import EntryRow, decode
from localreg.storage import Store

__all__ = ["told_stray"]

_NUMBER = re.compile(r"(?<![0-9])[0-9]{20}(?![0-9])")


def told_stray(store: Store, path: str) -> str:
    """What a file in `log/` that is no entry may be, and what to do about it."""
    name = path.rpartition("/")[2]
    if name.startswith("._"):
        return f"{path} is what macOS keeps beside a file, and no entry; delete it"
    try:
        data = store.get(path, fresh=True)
        number = _NUMBER.search(name)
        entry = (
            store.get(entry_path(int(number[0])), fresh=True) if number and entry_path(int(number[0])) != path else None
        )
        if data is not None and data == entry:
            return f"{path} is a copy of the entry beside it, made by a sync program or by hand; delete it"
        rows = [] if data is None else decode(data, name=path)
    except LocalregError:
        rows, number, entry = [], None, None
    if not rows:
        return f"{path} is no entry of this log; a sync program may have left it: move it out of the folder"
    if number and entry is None:
        return (
            f"{path} holds commit {rows[0].commit} ({_acts(rows)}) under another name, and "
            f"{entry_path(int(number[0]))} is missing: rename it back, and verify again"
        )
    return (
        f"{path} is a conflict copy: another machine wrote it as commit {rows[0].commit} ({_acts(rows)}), and lost "
        "that number when the copies were synced; what it says is not part of this registry: read it, do again here "
        "what is wanted, then move it out of the folder"
    )


def _acts(rows: list[EntryRow]) -> str:
    """What the events of a lost commit did, as far as they can be read."""
    told = []
    for row in rows[:3]:
        try:
            record = parse(row.record)
        except LocalregError:
            record = None
        fields = record if isinstance(record, dict) else {}
        what = " ".join(str(fields.get(key, "?")) for key in ("actor", "action", "kind"))
        told.append(f"{what} {str(fields.get('name', '?'))!r}")
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    return f"{'; '.join(told)}{more}"
