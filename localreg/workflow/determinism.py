"""Whether a model version gives one answer for one sample: its samples inferred again, in other circumstances.

Each thing that may make a difference is tried by itself, against the first answers of a fresh process: asked again, in
another order, in batches of other sizes, by another process, with another number of threads. What is stored is compared
with those first answers, too, and, if that is asked for, what other machines answered. So the verdict can say where
determinism ends, from the least to the most: whoever gives two answers in one process gives two in any.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.canonical import parse
from localreg.errors import InvalidInputError, WorkflowMismatchError
from localreg.log import State
from localreg.models import ensure_version
from localreg.names import check_whole, shown_value
from localreg.progress import Progress, progress
from localreg.query.shared import scratch
from localreg.records.access import RUNNER
from localreg.records.determinism import LEVELS, Determinism, Level, Variation, is_as_good
from localreg.records.machines import Machine
from localreg.records.models import ModelVersionRecord
from localreg.session import Changes
from localreg.tables import JSON_FIELD, VECTORS, unpacked
from localreg.workflow.agreement import Answer, Tolerance
from localreg.workflow.chunks import Job
from localreg.workflow.fingerprint import fingerprint
from localreg.workflow.fresh_process import INSIDE, THREADS, Pass, Work, infer_elsewhere
from localreg.workflow.inferences import OK, SKIPPED, STATUSES, Inferences
from localreg.workflow.judging import Judged, shown_sample
from localreg.workflow.machines import KEPT, Answers, form_of, on_others, this_machine, with_this
from localreg.workflow.run_content import unique
from localreg.workflow.run_record import RunRecord
from localreg.workflow.samples import sample_count, samples_at
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.typed import EXTRA, TypedColumn
from localreg.workflow.upload import refuse_deleted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from localreg.workflow.model import Model

    Indices = npt.NDArray[np.int64]

__all__ = ["Trial", "verify_determinism"]


class Trial(NamedTuple):
    """How a model is tried: the arguments of `Model.verify_determinism`."""

    n: int
    level: Level
    batch_size: int | None
    tolerance: Tolerance
    timeout_s: float

    def checked(self) -> Trial:
        """The same.

        Raises:
            InvalidInputError: one of them cannot be.
        """
        if check_whole(self.n, what="n") < 1:
            raise InvalidInputError("n is 0; give the number of samples to infer again, 1 or more")
        if self.level not in LEVELS:
            raise InvalidInputError(f"level is {shown_value(self.level)}; it must be one of {', '.join(LEVELS)}")
        if self.batch_size is not None and check_whole(self.batch_size, what="batch_size") < 1:
            raise InvalidInputError("batch_size is 0; it must be a whole number from 1 on, or None")
        for name, value in (*self.tolerance._asdict().items(), ("timeout_s", self.timeout_s)):
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
                raise InvalidInputError(f"{name} is {shown_value(value)}; it must be a number, 0 or more")
        return self


def verify_determinism(model: Model[Any, Any, Any], suite: TestSuite | None, trial: Trial) -> Determinism:
    """See `Model.verify_determinism`."""
    trial.checked()
    _refuse(model, suite)
    state = model.session.state()
    chosen = _Chosen(model, state, suite, trial.n)
    code = fingerprint(model.infer, model.version_metadata())
    judged = _tried(chosen, trial)
    answers = Answers(chosen.work.indices, judged.first, chosen.stored, chosen.work.job.inferences.node)
    here = this_machine(
        model.session.host,
        code=code,
        batch_size=trial.batch_size,
        form=form_of(chosen.workflow_id, answers.node),
        answers=answers.digests(chosen.by_content[:KEPT]),
    )
    compared = _beside_others(judged, chosen, here, answers, trial)
    if chosen.stored is not None:
        judged.add("stored", chosen.stored)
    verdict = Determinism(
        level=judged.verdict,
        wanted=trial.level,
        variations=judged.in_order(),
        deviation=judged.deviation(),
        samples=len(chosen.work.indices),
        test_suite=None if suite is None else f"{suite.name}@{suite.version}",
        batch_size=trial.batch_size,
        rtol=float(trial.tolerance.rtol),
        atol=float(trial.tolerance.atol),
        time=here.time,
        fingerprint=code,
        host=here.host,
        compared=compared,
    )
    _store(model, model.version_id(state), verdict, here)
    return verdict


def _refuse(model: Model[Any, Any, Any], suite: TestSuite | None) -> None:
    """Raise for what could only fail after all the work."""
    if INSIDE in os.environ:
        raise InvalidInputError(
            "verify_determinism is called by the script as it is imported by the process that verify_determinism "
            'started; put what the script does below `if __name__ == "__main__":`, or pip install cloudpickle'
        )
    if model.infer is None:
        raise InvalidInputError(f"model {model.name!r} was made without infer; pass infer=")
    if suite is not None and not isinstance(suite, TestSuite):
        raise InvalidInputError(f"{shown_value(suite)} is no test suite; load one by its name")
    if suite is not None and suite.workflow.name != model.workflow.name:
        raise WorkflowMismatchError(
            f"model {model.name!r} belongs to workflow {model.workflow.name!r}, "
            f"and test suite {suite.name!r} to {suite.workflow.name!r}"
        )
    if suite is not None and not model.session.is_same_namespace(suite.session):
        raise InvalidInputError(f"{model!r} and {suite!r} lie in different registries or namespaces")
    model.session.refuse_without(RUNNER)


# --- which samples ----------------------------------------------------------------------------------------------------


class _Chosen:
    """The samples that are inferred again.

    They are taken from those that the version has inferred, by the content that they have: the same samples each time,
    from all over the suite, whatever order they were added in.

    Attributes:
        work: what a fresh process needs to know of them.
        shuffled: places of the samples in another order.
        by_content: places of the samples in the order in which they were chosen.
        stored: what is stored of each; None if nothing is stored of any.
        machines: those that verified the version before, as its record has them.
        workflow_id: whose samples these are.
    """

    def __init__(self, model: Model[Any, Any, Any], state: State, suite: TestSuite | None, n: int) -> None:
        import numpy as np
        import pyarrow as pa

        session, types, workflow_id = model.session, model.workflow.types(state).whole, model.workflow_id(state)
        count, version = sample_count(state, workflow_id), model.version_id(state)
        rows = np.arange(count) if suite is None else unique(RunRecord(model, suite, None).suite_indices(state))
        inferences = None if version is None else Inferences(session, state, version, count)
        status = np.full(count, -1, np.int8) if inferences is None else inferences.status
        done = rows[(status[rows] == OK) | (status[rows] == SKIPPED)]
        if not len(rows):
            raise InvalidInputError(f"there is no test sample to try model {model.name!r} on; make a test case first")
        candidates = done if len(done) else rows
        texts = samples_at(session, state, workflow_id, types.test_sample, candidates, vectors=False)["sample"]
        first = _by_content(texts, n)
        indices = np.sort(candidates[first])
        found = samples_at(session, state, workflow_id, types.test_sample, indices)
        assert model.infer is not None, "it was looked for before"
        job = Job(model.name, model.infer, types.test_sample, types.inference, "record", None)
        self.work = Work(job, indices, found)
        places = np.searchsorted(indices, candidates[first])
        self.by_content: list[int] = places.tolist()
        self.shuffled: list[int] = (places if (np.diff(places) < 0).any() else places[::-1]).tolist()
        row = None if version is None else state.get(ModelVersionRecord.kind, version)
        self.machines = [] if row is None else row.load(ModelVersionRecord).machines
        self.workflow_id = workflow_id
        self.stored: list[Answer] | None = None
        if inferences is not None and len(done):
            stored = inferences.rows(types.inference, indices)
            names = pa.array([STATUSES[code] for code in status[indices]])
            self.stored = _answers(stored.append_column("status", names), types.inference)


def _by_content(samples: pa.ChunkedArray, n: int) -> Indices:
    """The places of the first samples in the order of a digest of theirs; of equal digests, as they stand."""
    import numpy as np
    import pyarrow as pa

    with scratch() as connection:
        places = pa.array(np.arange(len(samples)))
        connection.register("samples", pa.table({"place": places, "sample": unpacked(samples)}))
        ordered = f"SELECT place FROM samples ORDER BY md5(CAST(sample AS VARCHAR)), place LIMIT {n}"
        found: Indices = connection.execute(ordered).to_arrow_table()["place"].to_numpy()
        return found


def _answers(rows: pa.Table, column: TypedColumn) -> list[Answer]:
    """Rows of inferences as plain Python."""
    listed = {name: rows[name].to_pylist() for name in rows.column_names}
    nothing = [None] * rows.num_rows
    vectors = listed.get(VECTORS, nothing) if column.has_vectors else nothing
    return [
        Answer(
            status,
            inference if status == "ok" else None,
            _beside(embedding, metadata, extra) if status == "ok" else {},
            None if error is None or status != "error" else f"{error['type']}: {error['message']}",
        )
        for status, inference, embedding, metadata, extra, error in zip(
            listed["status"],
            listed["inference"],
            vectors,
            listed.get(JSON_FIELD, nothing),
            listed.get(EXTRA, nothing),
            listed.get("error", nothing),
            strict=True,
        )
    ]


def _beside(vectors: dict[str, Any] | None, metadata: str | None, extra: str | None) -> dict[str, Any]:
    # What has no vector in a row may have no file of vectors at all.
    there = {name: vector for name, vector in (vectors or {}).items() if vector is not None}
    beside = {JSON_FIELD: metadata and parse(metadata), EXTRA: extra and parse(extra), VECTORS: there}
    return {name: value for name, value in beside.items() if value}


# --- trying -----------------------------------------------------------------------------------------------------------


def _tried(chosen: _Chosen, trial: Trial) -> Judged:
    """The answers of fresh processes on this machine."""
    count, order = len(chosen.work.indices), list(range(len(chosen.work.indices)))
    plain = Pass(order, trial.batch_size)
    passes: list[tuple[Variation, Pass]] = [("repeat", plain)]
    if count > 1:
        passes.append(("order", Pass(chosen.shuffled, trial.batch_size)))
    passes += [("batch size", Pass(order, size)) for size in _other_sizes(trial.batch_size, count)]
    calls = sum(-(-count // (each.batch_size or 1)) for each in (plain, plain, *(each for _, each in passes)))

    with progress(f"{chosen.work.job.model}: inferred again", calls) as shown:
        infer = _inferring(chosen.work, trial, shown)
        first, *others = infer([plain, *(each for _, each in passes)], None)
        _refuse_failed(chosen.work, first)
        judged = Judged(chosen.work, first, trial.tolerance)
        for (variation, _), answers in zip(passes, others, strict=True):
            judged.add(variation, answers)
        if is_as_good(judged.level, "decision-stable"):  # else nobody can tell what another process adds to it
            threads = infer([plain], _other_threads())[0]
            judged.add("threads", threads)
            # Both at once, and only if that makes a difference which of them it is.
            judged.add("process", threads if judged.levels["threads"] == "bit-exact" else infer([plain], None)[0])
    return judged


def _inferring(work: Work, trial: Trial, shown: Progress) -> Callable[[Sequence[Pass], int | None], list[list[Answer]]]:
    def infer(passes: Sequence[Pass], threads: int | None) -> list[list[Answer]]:
        made = infer_elsewhere(work, passes, threads=threads, timeout_s=trial.timeout_s, called=shown.advance)
        return [_answers(rows, work.job.inferences) for rows in made]

    return infer


def _beside_others(judged: Judged, chosen: _Chosen, here: Machine, answers: Answers, trial: Trial) -> Mapping[str, int]:
    """How many answers could be compared with those of other machines, by host; judged, if that is asked for."""
    if trial.level != "machine" or not is_as_good(judged.level, "decision-stable"):  # as of threads
        return {}
    compared = on_others(chosen.machines, here, answers, trial.tolerance)
    judged.add_others(compared.found)
    return compared.counts


def _other_sizes(size: int | None, count: int) -> list[int]:
    """One by one, half and twice as many, as far as these are other batches of so many samples."""
    if size is None:
        return []
    others = {min(other, count): other for other in (1, size // 2, 2 * size) if other >= 1}
    return [other for given, other in others.items() if given != min(size, count)]


def _other_threads() -> int:
    """One thread; two where there is one already."""
    first = next((os.environ[name] for name in THREADS if name in os.environ), str(os.cpu_count() or 1))
    return 2 if first.strip() == "1" else 1


def _refuse_failed(work: Work, answers: Sequence[Answer]) -> None:
    """Raise if the first answers are none: where `infer` cannot run, nothing can be said of it."""
    failed = [number for number, answer in enumerate(answers) if answer.error]
    if failed:
        raise InvalidInputError(
            f"infer of model {work.job.model!r} raised {answers[failed[0]].error} for {shown_sample(work, failed[0])} "
            f"in a fresh process, and for {len(failed) - 1} more of {len(answers)} samples; no verdict is stored. Let "
            "it load what it needs by itself, by absolute paths",
            code="infer_failed",
        )


# --- the record -------------------------------------------------------------------------------------------------------


def _store(model: Model[Any, Any, Any], version_id: str | None, verdict: Determinism, here: Machine) -> None:
    """Put the verdict, and this machine, into the record of the version, which is made if the model has none."""

    def operation(changes: Changes) -> None:
        row = changes.draft.get("model", model.id)
        if row is None:
            raise refuse_deleted(f"model {model.id}")
        found = changes.draft.get("model_version", version_id or ensure_version(changes, row).id)
        if found is None:
            raise refuse_deleted(f"the version of model {row.name!r}")
        record = found.load(ModelVersionRecord)
        machines = with_this(record.machines, here)
        changes.update(found, record.replaced(determinism=verdict.to_json(), machines=machines), action="verify")

    model.session.change(operation)
