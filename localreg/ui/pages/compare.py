"""Which model is better, where, and can one be sure: the page at `/compare`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from starlette.responses import HTMLResponse, Response

from localreg.canonical import JsonValue
from localreg.compare import Comparison
from localreg.compare.report.document import Draw, Part, footing, warning_list
from localreg.errors import InvalidInputError, LocalregError, NotFoundError, WorkflowMismatchError
from localreg.html.markup import Markup, joined, tag
from localreg.models import ModelVersion
from localreg.records.differences import path_text
from localreg.ui.pages.comparable import comparable, suites_of
from localreg.ui.question import FIELDS, Question
from localreg.ui.view import Parameter, View

__all__ = ["asked", "candidate_of", "choices", "compare", "delete", "part", "save", "tabs"]

MOST_CHOICES = 500
SLICES = "slices "
FEW = 12
"""Slices of one kind that stand on the page from the first; more come after it."""


class Side(NamedTuple):
    """A model of the question, and what can be done with it."""

    name: str
    first: str | None
    """Address of the page with it as the baseline; None = it is."""
    without: str | None
    """Address of the page without it; None = it is needed."""


class Stated(NamedTuple):
    """What is said of both models at one path."""

    path: str
    before: JsonValue
    after: JsonValue
    change: str
    """`added`, `removed`, `changed` or `same`."""


def compare(view: View) -> Response:
    """The page at `/compare`: what was found, or what can be compared."""
    question = Question.of(view)
    if not question.models and question.saved is None:
        return _choose(view, question)
    try:
        if not question.is_whole:
            question, others = _with_suite(view, question)
            if question.suite is None:
                return _choose(view, question, suites=others)
        with question.answered(view) as found:
            return _found(view, question, found)
    except (InvalidInputError, NotFoundError, WorkflowMismatchError) as error:
        if question.saved is not None:
            raise
        return _choose(view, question, error=error)


def _with_suite(view: View, question: Question) -> tuple[Question, Sequence[str]]:
    """The question with the only suite that there is to choose; or those that there are.

    Raises:
        LocalregError: a model is not there.
    """
    if len(question.models) < 2:
        return question, []
    suites = suites_of(view.registry, [view.registry.get_version(each) for each in question.models])
    likely = suites.tested or suites.others
    return question._replace(suite=likely[0] if len(likely) == 1 else None), [*suites.tested, *suites.others]


def _choose(
    view: View, question: Question, *, suites: Sequence[str] = (), error: LocalregError | None = None
) -> Response:
    """The form, and what can be compared."""
    status = 200 if error is None else 404 if isinstance(error, NotFoundError) else 400
    return view.page(
        "compare_choose.html",
        title="Compare",
        section="Compare",
        status=status,
        question=question,
        fields=FIELDS,
        suites=[(each, view.here(suite=each)) for each in suites],
        error=None if error is None else error.message,
        comparable=comparable(view.registry),
        saved=view.registry.comparisons(order_by="created_at DESC", limit=50).dicts(),
    )


def _found(view: View, question: Question, found: Comparison) -> Response:
    number = candidate_of(view, found)
    inline = view.text("plots") is not None
    later = _later(view, question)
    part = Part(found, number, draw=None if inline else later)
    rows = [row for row in found.rows if row.test_case is row.by is row.label is None]
    return view.page(
        "compare.html",
        title=f"Compare {', '.join(found.candidates)} with {found.baseline}",
        section="Compare",
        question=question,
        found=found,
        fields=FIELDS,
        sides=list(_sides(view, question)),
        tabs=tabs(view, question, found),
        number=number,
        candidates=[
            (each, view.here(candidate=each if place else None)) for place, each in enumerate(found.candidates)
        ],
        verdicts=[Part(found, place).verdict() for place in range(len(found.candidates))],
        warnings=warning_list(found),
        metrics=part.metrics(),
        cases=part.cases(),
        forest=part.forest("by test case"),
        breakdowns=joined(
            *(
                joined(*part.breakdown(each)) if inline or count <= FEW else later(f"{SLICES}{each}", f"slices {each}")
                for each, count in part.slices().items()
            )
        ),
        classes=joined(*part.classes()) if inline else later("classes", "classes") if part.has_classes else None,
        confusions=joined(*part.confusions()) if inline else later("confusions", "confusions"),
        curves=joined(*part.curves()) if inline else later("curves", "curves"),
        counted=next((row for row in rows if row.candidate == found.candidates[number]), None),
        stated=_stated(view, found.baseline, found.candidates[number]),
        footing=joined(*footing(found)),
        asked=asked(view, question),
    )


def _later(view: View, question: Question) -> Draw:
    """Stands for parts that are loaded after the page, or by a link."""
    own: dict[str, Parameter] = {**asked(view, question), "candidate": view.text("candidate")}
    whole = view.link("/compare", **own, plots=True)

    def later(name: str, label: str) -> Markup:
        link = tag("a", f"Show the {label}", href=whole)
        return tag("div", link, class_="later", data_load=view.link("/compare/part", **own, part=name))

    return later


def part(view: View) -> Response:
    """`/compare/part`: a part that is loaded after the page."""
    question = Question.of(view)
    with question.answered(view) as found:
        number, name = candidate_of(view, found), view.text("part") or ""
        if name.startswith(SLICES):  # its table comes before its plot
            return HTMLResponse(
                joined(*Part(found, number, draw=_later(view, question)).breakdown(name[len(SLICES) :]))
            )
        told = Part(found, number)
        parts = {"classes": told.classes, "confusions": told.confusions, "curves": told.curves}
        return HTMLResponse(joined(*parts[name]()) if name in parts else told.forest(name))


def choices(view: View) -> Response:
    """`/compare/choices`: options of the field that names a model."""
    rows = view.registry.sql(
        "SELECT v.model, v.version, v.aliases FROM model_versions v JOIN models m ON m.name = v.model "
        f"WHERE m.workflow IS NOT NULL AND NOT m.archived ORDER BY v.created_at DESC, v.model LIMIT {MOST_CHOICES}"
    )
    names = [f"{row['model']}@{name}" for row in rows for name in (row["version"], *(row["aliases"] or []))]
    return HTMLResponse(joined(*(tag("option", value=each) for each in names)))


# --- what is kept -----------------------------------------------------------------------------------------------------


def save(view: View) -> Response:
    """`POST /compare/save`: field `name`."""
    question = Question.of(view)
    # Answered first: whoever else writes would wait for the end of an open transaction.
    with question.answered(view) as found, view.registry.transaction() as tx:
        name = found.save(view.form.text("name").strip() or None).name
    return view.done(tx.commit, "/compare", comparison=name)


def delete(view: View) -> Response:
    """`POST /compare/delete`: field `name`, of a saved comparison."""
    with view.registry.transaction() as tx:
        view.registry.get_comparison(view.form.text("name")).delete()
    return view.done(tx.commit, "/compare")


# --- what pages of a comparison share ---------------------------------------------------------------------------------


def asked(view: View, question: Question) -> dict[str, Parameter]:
    """The parameters of an address that asks the same."""
    told: dict[str, Parameter] = {each.name: view.texts(each.name) for each in FIELDS}
    return {"comparison": question.saved, "model": question.models, "suite": question.suite, **told}


def candidate_of(view: View, found: Comparison) -> int:
    """The number of the candidate that is looked at.

    Raises:
        NotFoundError: there is none such.
    """
    name = view.text("candidate")
    return 0 if name is None else found.sides.index(found.side(name)) - 1


def tabs(view: View, question: Question, found: Comparison) -> list[tuple[str, str, bool]]:
    """The pages of a comparison: title, address, whether it is this one."""
    own = {**asked(view, question), "candidate": view.text("candidate")}
    pages = (("Numbers", "/compare"), ("Samples", "/compare/samples"))
    return [(title, view.link(path, **own), view.path == path) for title, path in pages]


def _sides(view: View, question: Question) -> Iterator[Side]:
    models = question.models
    for place, name in enumerate(models):
        others = [each for each in models if each != name]
        yield Side(
            name,
            None if place == 0 else view.here(model=[name, *others], suite=question.suite, candidate=None),
            None if len(models) < 3 else view.here(model=others, suite=question.suite, candidate=None),
        )


def _stated(view: View, *names: str) -> list[Stated] | None:
    """What is said of both models, first what differs; None if one is no more there."""
    try:
        before, after = (view.registry.get_version(each) for each in names)
    except LocalregError:
        return None
    rows = [Stated(*each) for each in before.differences(after)]
    return [*rows, *_shared(before, after)] if view.text("all") else rows


def _shared(before: ModelVersion, after: ModelVersion) -> Iterator[Stated]:
    """What is the same of both."""
    texts: list[tuple[str, Any, Any]] = [
        (name, getattr(before, name), getattr(after, name)) for name in ("description", "tags")
    ]
    texts += [(path_text("metadata", key), value, after.metadata.get(key)) for key, value in before.metadata.items()]
    yield from (Stated(path, value, value, "same") for path, value, other in texts if value == other and value)
