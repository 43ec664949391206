"""Calling a model's `extract` once for each image, shared with other processes, and keeping what it gives.

What is extracted is written every second, to open parts `data/embeddings/<model version>/open-….parquet` that no log
entry names: keyed by the model version, so that a run of any suite takes up what a killed one of another left. They
become part of the commit of the run that takes them up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.fr.embeddings import SPLIT, TABLE, embedding_rows, stored_embeddings, vectors_of
from localreg.log import State
from localreg.names import shown_value
from localreg.progress import progress
from localreg.session import Session
from localreg.workflow.open_parts import OpenParts
from localreg.workflow.running import FLUSHED_S, Stretches
from localreg.workflow.sharing import Claims, claim_next

if TYPE_CHECKING:
    from localreg.fr.embeddings import Vector

__all__ = ["Extraction", "Extractor"]


class Extractor:
    """Extracts images, and hands the embeddings over in batches.

    Args:
        model: its name, for messages.
        extract: from a locator to a vector; None = the image failed to enrol.
        keep: takes embeddings by locator.
        size: how many numbers the model's other embeddings have; None = there are none yet.
    """

    def __init__(
        self,
        model: str,
        extract: Callable[[str], Any],
        keep: Callable[[Mapping[str, Vector | None]], None],
        size: int | None = None,
    ) -> None:
        self._model = model
        self._extract = extract
        self._keep = keep
        self.size = size

    def run(self, locators: Sequence[str]) -> None:
        """Extract images, and keep what comes: also what was made before an exception, or an interruption.

        Raises:
            Exception: what `extract` raised, with a note which image it was.
            InvalidInputError: it returned no vector; the image is named.
        """
        made: dict[str, Vector | None] = {}
        until = time.monotonic() + FLUSHED_S
        try:
            for locator in locators:
                made[locator] = self._one(locator)
                if time.monotonic() > until:
                    self._keep(made)
                    made, until = {}, time.monotonic() + FLUSHED_S
        finally:
            if made:
                self._keep(made)

    def _one(self, locator: str) -> Vector | None:
        try:
            value = self._extract(locator)
        except Exception as error:
            error.add_note(
                f"localreg: extract of model {self._model!r} raised this for {locator!r}. What was extracted before "
                "is kept, and the next run goes on with this image."
            )
            raise
        return None if value is None else self._checked(locator, value)

    def _checked(self, locator: str, value: object) -> Vector:
        import numpy as np

        what = f"extract of model {self._model!r} returned {{}} for {locator!r}; it must return "
        wanted = "a numpy vector of finite numbers, or None if the image fails to enrol"
        if not isinstance(value, np.ndarray):
            raise InvalidInputError(what.format(shown_value(value)) + wanted)
        if value.ndim != 1 or not len(value) or value.dtype.kind not in "fiu":
            raise InvalidInputError(what.format(f"an array of shape {value.shape} and type {value.dtype}") + wanted)
        with np.errstate(over="ignore"):  # told below
            vector = value.astype(np.float32)
        if not np.isfinite(vector).all():
            raise InvalidInputError(what.format("a vector that holds NaN, infinity, or more than float32 can") + wanted)
        if self.size is None:
            self.size = len(vector)
        elif self.size != len(vector):
            raise InvalidInputError(
                what.format(f"{len(vector)} numbers") + f"{self.size}, as for other images of this version"
            )
        vector.flags.writeable = False
        return vector


class Extraction:
    """The embeddings that one test run needs: those that are there, and those that it extracts.

    Attributes:
        vectors: by locator; of all images that the run needs, once `run` or `run_alone` is through.
        fresh: those that no commit holds yet, of whatever run.
    """

    def __init__(self, session: Session, model: str, extract: Callable[[str], Any], locators: Sequence[str]) -> None:
        import numpy as np

        self._session = session
        self._model = model
        self._extract = extract
        self._locators = locators
        self._place = {locator: number for number, locator in enumerate(locators)}
        self._done = np.zeros(len(locators), bool)
        self._committed: State | None = None
        self._parts: OpenParts | None = None
        self.vectors: dict[str, Vector | None] = {}
        self.fresh: dict[str, Vector | None] = {}

    def run_alone(self, version_id: str | None, *, reset: bool) -> None:
        """Extract what is missing, and keep it in memory, for a transaction to store."""
        if version_id is not None and not reset:
            self._take_stored(self._session.state(), version_id)
        extractor = Extractor(self._model, self._extract, self._take_fresh, self._size())
        extractor.run([locator for locator in self._locators if locator not in self.vectors])

    def run(self, version_id: str, suite_version_id: str, *, reset: bool) -> None:
        """Extract what is missing, with whoever else runs the same, and keep it in open parts.

        Raises:
            Exception: what `extract` raised; what was extracted before is kept.
        """
        area = f"{TABLE}-reset" if reset else TABLE
        claims = Claims(self._session.store, f"{area}-{version_id}-{suite_version_id}")
        parts = self._parts = OpenParts(self._session.store, [version_id], area, SPLIT)

        def refresh() -> None:
            """Open parts first, so that what is committed between the looks shows in one."""
            for rows in parts.refresh():
                self._take_fresh(dict(vectors_of(rows)))
            state = self._session.state()
            if not reset and state is not self._committed:
                self._committed = state
                self._take_stored(state, version_id)

        def keep(made: Mapping[str, Vector | None]) -> None:
            parts.add(claims.writer, embedding_rows(made))
            self._take_fresh(made)

        with claims.taking_part():
            if reset and not claims.others():
                parts.refresh()
                parts.discard()  # of a reset that did not end, perhaps by other code
            refresh()
            extractor, sizes = Extractor(self._model, self._extract, keep, self._size()), Stretches()
            with progress(f"{self._model}: extracting", int((~self._done).sum())) as shown:
                while (claimed := claim_next(claims, self._done, sizes.count, refresh)) is not None:
                    began = time.monotonic()
                    extractor.run([self._locators[place] for place in claimed])
                    sizes.took(len(claimed), time.monotonic() - began)
                    shown.advance(len(claimed))
            claims.clear()

    def discard(self) -> None:
        """Remove the open parts, once what they hold is committed."""
        if self._parts is not None:
            self._parts.discard()

    def _take_fresh(self, vectors: Mapping[str, Vector | None]) -> None:
        self.fresh.update(vectors)
        self._take(vectors)

    def _take_stored(self, state: State, version_id: str) -> None:
        self._take(stored_embeddings(self._session, state, version_id, self._is_missing))

    def _is_missing(self, locator: str) -> bool:
        return locator in self._place and locator not in self.vectors

    def _take(self, vectors: Mapping[str, Vector | None]) -> None:
        for locator, vector in vectors.items():
            place = self._place.get(locator)
            if place is not None:
                self.vectors[locator] = vector
                self._done[place] = True

    def _size(self) -> int | None:
        return next((len(vector) for vector in self.vectors.values() if vector is not None), None)
