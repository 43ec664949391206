"""What garbage collection has seen, and when: a note beside the log, which may be lost at any time.

Who loses it waits anew. Two collections at once may each overwrite what the other noted: then something waits anew,
too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import cast

from localreg.canonical import JsonObject, JsonValue, canonical, parse
from localreg.errors import LocalregError
from localreg.storage import Store
from localreg.upkeep.age import Look, seconds_of_time

__all__ = ["NOTES", "Notes", "Sighting", "noted"]

NOTES = "tmp/garbage.notes"
LAYOUT = 1


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a file was first seen as it is.

    Attributes:
        place: of that look among the looks.
        mark: what would tell that it is not what it was then.
    """

    place: int
    mark: str


@dataclass(frozen=True, slots=True)
class Notes:
    """What was noted.

    Attributes:
        looks: in order.
        seen: files that nothing names, by path.
    """

    looks: tuple[Look, ...] = ()
    seen: Mapping[str, Sighting] = field(default_factory=dict)

    def after(self, look: Look, marks: Mapping[str, str], *, pending: int) -> Notes:
        """The notes after one more look.

        Args:
            look: now.
            marks: of the files that it saw and that still wait, by path; those that were noted with another mark wait
                anew.
            pending: the oldest commit since which it is asked how much time has passed.
        """
        looks = [*self.looks, look]
        seen = {path: self._of(path, mark) or Sighting(len(self.looks), mark) for path, mark in marks.items()}
        used = {sighting.place for sighting in seen.values()}
        oldest = min([pending, *(looks[place].commit for place in used)])
        known: dict[tuple[str, int], str] = {}
        kept: dict[int, int] = {}
        for place, each in enumerate(looks):
            key = each.clock, each.commit
            # A later time of one clock at one commit tells nothing: it is the earliest from which spans are counted.
            is_news = each.commit >= oldest and each.time < known.get(key, "~")
            if place in used or is_news:
                known[key] = min(each.time, known.get(key, "~"))
                kept[place] = len(kept)
        moved = {path: Sighting(kept[each.place], each.mark) for path, each in seen.items()}
        return Notes(tuple(looks[place] for place in kept), moved)

    def _of(self, path: str, mark: str) -> Sighting | None:
        sighting = self.seen.get(path)
        return sighting if sighting is not None and sighting.mark == mark else None

    def write(self, store: Store) -> None:
        """Keep them.

        Raises:
            StorageError: the store does not answer.
        """
        files: list[dict[str, JsonValue]] = [{} for _ in self.looks]
        for path, sighting in self.seen.items():
            files[sighting.place][path] = sighting.mark
        looks: list[JsonValue] = [
            {**each._asdict(), "files": some} for each, some in zip(self.looks, files, strict=True)
        ]
        store.put(NOTES, canonical({"layout": LAYOUT, "looks": looks}).encode())


def noted(store: Store) -> Notes:
    """What was noted; nothing, if that cannot be read."""
    try:
        data = store.get(NOTES, fresh=True)
        return Notes() if data is None else _read(cast(JsonObject, parse(data)))
    except (LocalregError, ValueError, TypeError, KeyError, AttributeError):
        return Notes()


def _read(said: JsonObject) -> Notes:
    if said["layout"] != LAYOUT:
        raise ValueError(said["layout"])
    looks: list[Look] = []
    seen: dict[str, Sighting] = {}
    for each in cast("list[dict[str, JsonValue]]", said["looks"]):
        commit, time, clock = each["commit"], each["time"], each["clock"]
        if not (isinstance(commit, int) and isinstance(time, str) and isinstance(clock, str)):
            raise TypeError(each)
        if isnan(seconds_of_time(time)):
            raise ValueError(time)
        for path, mark in cast(JsonObject, each["files"]).items():
            seen[path] = Sighting(len(looks), str(mark))
        looks.append(Look(commit, time, clock))
    return Notes(tuple(looks), seen)
