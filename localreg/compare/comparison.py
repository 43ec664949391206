"""The answer to "is the new model better, where, on which samples, and can I be sure?"; and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject
from localreg.compare.compared import Compared, Outcome, Side
from localreg.compare.gate import Gate, GateResult, gated
from localreg.compare.gate_file import read_gate
from localreg.compare.output import as_dict, as_html, as_markdown, written
from localreg.compare.telling import json_text
from localreg.errors import InvalidInputError
from localreg.names import check_whole, shown_value

if TYPE_CHECKING:
    from pathlib import Path

    from localreg.compare.saved import SavedComparison

__all__ = ["Comparison", "Outcome", "Side"]


@dataclass(frozen=True, repr=False)
class Comparison(Compared):
    """What was found (see `localreg.compare.compared.Compared`), and what is made of it: decisions and documents."""

    def gate(
        self,
        rules: Mapping[str, Gate] | str | PathLike[str] | None = None,
        /,
        *,
        critical: Sequence[str] = (),
        candidate: str | None = None,
        require_improvement: bool = False,
        **metrics: Gate,
    ) -> GateResult:
        """Whether the candidates keep all rules; if not, every reason why: `gate(accuracy=Gate(max_drop=0.01))`.

        A rule holds for the metric over the whole suite (of a metric of classes, in each class), and in each critical
        part. What cannot be measured fails. See `Gate` for what a rule says.

        Args:
            rules: by the name of the metric, where that is no word of Python; or the path of a gate file. What it says
                of how to compare (`by`, `strict`, `bootstrap`…) must be what was asked for.
            critical: names of test cases or of values of slices (`night`, or `metadata.weather=night` where several
                have that name), in which the same rules hold; a significant regression of any metric that was compared
                there fails, whatever the rules say: p-values of all metrics in all critical parts are adjusted
                together for that. So does a metric that `metrics=` named, that seems worse and has no p-value.
            candidate: `name@version`; None = every one, and all have to pass.
            require_improvement: fail unless the first metric has improved, over the whole suite.
            metrics: more rules, by the name of the metric.

        Raises:
            InvalidInputError: a rule of a metric that was not compared, or nothing is asked; or a gate file asks for
                another comparison.
            NotFoundError: no such candidate, test case, slice or file.
        """
        given = rules or {}
        if isinstance(given, str | PathLike):
            file = read_gate(given)
            file.refuse_other(self._question)
            given, critical = file.metrics, [*file.critical, *critical]
            require_improvement = require_improvement or file.require_improvement
        return gated(
            self,
            {**given, **metrics},
            critical=critical,
            candidate=candidate,
            require_improvement=require_improvement,
        )

    def to_dict(self) -> JsonObject:
        """All of it but the samples, as JSON has it; the same for the same inferences. `samples` has the others."""
        return as_dict(self)

    def to_json(self) -> str:
        """`to_dict` as text; the same bytes for the same inferences."""
        return json_text(self.to_dict())

    def to_markdown(self, path: str | PathLike[str] | None = None) -> str:
        """What a reviewer wants to know, for pull requests: the verdict first, in one sentence.

        Test cases, slices and the first samples that were fixed and broken are folded away.

        Args:
            path: a file to write it to as well, in the place of what it holds.

        Raises:
            StorageError: the file cannot be written.
        """
        return written(as_markdown(self), path)

    def save(self, name: str | None = None) -> SavedComparison:
        """Keep what was found in the registry, whatever becomes of the models: `registry.get_comparison(name)`.

        Rows, warnings and text are kept, the commit that was looked at, and what was asked. Samples are not: the saved
        comparison reads them from that commit again, as long as its files are there.

        Args:
            name: free text, unique in the namespace; None = from what was compared.

        Raises:
            AlreadyExistsError: the name is taken.
            ReadOnlyError: the registry was opened read-only, or this is a look at its past.
        """
        from localreg.compare.saved import save

        return save(self._session, self, name)

    def _repr_html_(self) -> str:
        return as_html(self)

    def plots(self) -> dict[str, dict[str, Any]]:
        """The plots of the report as Vega-Lite specifications, by name; with several candidates, `candidate: name`.

        Names: `by EXPRESSION` and `by test case` (differences with intervals), `confusion`, `reliability`, `roc`,
        `precision_recall`, `coverage`; of pairs `det`, of numbers `errors`; those that there is something to draw for.
        """
        from localreg.compare.report import plots

        return plots(self)

    def to_html(self, path: str | PathLike[str], *, title: str | None = None, samples: int = 50) -> Path:
        """Write a report: one file that can be opened, sent and kept, without network and without scripts.

        Plots need the extra `ui`; without it the page has its tables, and says so. Samples whose `locator` is a local
        picture are shown with it (Pillow): what they name is put into the file. Equal comparisons give equal bytes.

        Args:
            path: of the file, which is replaced if it is there.
            title: None = the names of models and suite.
            samples: how many to list of those that were fixed, broken, and wrong under both, or, of numbers, of those
                whose errors grew most; 0 = none.

        Returns:
            The path.

        Raises:
            InvalidInputError: the path is no local one, or `samples` no number.
            StorageError: the file cannot be written.
        """
        from localreg.compare.report import page
        from localreg.storage.new_file import checked_target, new_file

        count = check_whole(samples, what="samples")
        if title is not None and (not isinstance(title, str) or not title.strip()):
            raise InvalidInputError(f"title is {shown_value(title)}; write a text, or None")
        target = checked_target(path, overwrite=True)
        told = page(self, title=title, samples=count).encode()
        with new_file(target, overwrite=True) as file:
            file.write(told)
        return target
