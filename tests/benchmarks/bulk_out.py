"""Inferences out: how long a million takes to read back, beside pyarrow reading the same files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import localreg
from localreg.workflow.case_changes import CaseChange, CaseRequest
from localreg.workflow.case_content import CaseContent
from localreg.workflow.run_record import RunRecord
from localreg.workflow.samples import as_rows
from localreg.workflow.upload import Upload
from tests.benchmarks import typed
from tests.benchmarks.harness import Bench, Figure

ROWS = 1_000_000
TABLES = ("test_samples", "ground_truths", "inferences")


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    for inference, name in ((typed.Guess, "classifications"), (typed.Boxes, "x 3 boxes")):
        folder = bench.fresh()
        filled(folder, inference)
        model = localreg.open(folder).get_model("model")
        store = model._session.store
        files = [store.local_file(path) for table in TABLES for path in store.list(f"data/{table}")]
        yield bench.compare(
            f"1M {name} with samples and ground truths as Arrow ÷ pyarrow reading the files",
            lambda: model.inferences("suite").arrow(),  # noqa: B023 - called at once
            lambda: [pq.read_table(file) for file in files],  # noqa: B023
            at_most=1.5,
            times=3,
        )
        yield bench.compare(
            f"1M {name} in batches ÷ the same",
            lambda: sum(batch.num_rows for batch in model.inferences("suite").batches()),  # noqa: B023
            lambda: [pq.read_table(file) for file in files],  # noqa: B023
            at_most=None,
            times=1,
        )
        if bench.large and inference is typed.Guess:
            for ending in ("parquet", "csv", "jsonl"):
                yield _exporting(bench, model, name, ending)


def _exporting(bench: Bench, model: Any, name: str, ending: str) -> Figure:
    target = bench.fresh().with_suffix(f".{ending}")
    return bench.compare(
        f"1M {name} as {ending} ÷ pyarrow writing them as Parquet",
        lambda: model.export_inferences(target, suite="suite", overwrite=True),
        lambda: pq.write_table(model.inferences("suite").arrow(), target.with_suffix(".limit")),
        at_most=None,
        times=1,
    )


def filled(folder: Path, inference: type[Any]) -> None:
    """A registry with a suite of a million samples and a model's inferences, from columns."""
    with localreg.use(localreg.open(folder)):
        workflow, case, suite, model = typed.defined(inference)
        types = workflow.types(_session().state())
        numbers = np.arange(ROWS)
        photos = pa.table(
            {
                "locator": pa.array([f"photos/{number}.png" for number in range(ROWS)]),
                "width": pa.array(numbers),
            }
        )
        samples = as_rows(pa.table({"sample": photos.to_struct_array()}), "sample", types.test_sample)
        truths = as_rows(pa.table({"ground_truth": _truths()}), "ground_truth", types.ground_truth)
        change = CaseChange(_session(), workflow, [CaseRequest("case", None, CaseContent(samples, truths))])
        _session().change(change)
        made = suite("suite", test_cases=[case.load("case")])
        column = types.inference
        rows = pa.table(
            {
                "sample_idx": pa.array(numbers),
                "status": pa.array(["ok"] * ROWS),
                "inference": _inferences(inference).cast(column.type),
            }
        )
        record = RunRecord(model("model"), made, None)
        ensure = lambda changes: record.target(changes, None)  # noqa: E731
        _session().change(Upload(_session(), "model", column, rows, replaces=False, ensure=ensure))


def _session() -> Any:
    from localreg.session.current import current_session

    return current_session()


def _point(x: Any, y: Any) -> pa.StructArray:
    return pa.StructArray.from_arrays([pa.array(x), pa.array(y)], ["x", "y"])


def _boxes(count: int) -> dict[str, Any]:
    draw = np.random.default_rng(1)
    x, y = draw.random(count) * 600, draw.random(count) * 400
    labels = np.array(["cat", "dog", "cow"])[draw.integers(0, 3, count)]
    corners = _point(x, y), _point(x + draw.random(count), y + draw.random(count))
    return {"top_left": corners[0], "bottom_right": corners[1], "label": pa.array(labels), "score": draw.random(count)}


def _struct(columns: dict[str, Any]) -> pa.StructArray:
    return pa.StructArray.from_arrays([pa.array(each) for each in columns.values()], list(columns))


def _truths() -> pa.StructArray:
    box = _boxes(ROWS)
    del box["score"]
    return _struct({"box": _struct(box)})


def _inferences(inference: type[Any]) -> pa.StructArray:
    if inference is typed.Guess:
        box = _boxes(ROWS)
        return _struct({"label": _struct({name: box[name] for name in ("label", "score")})})
    offsets = pa.array(np.arange(0, 3 * ROWS + 1, 3), pa.int32())
    return _struct({"boxes": pa.ListArray.from_arrays(offsets, _struct(_boxes(3 * ROWS)))})
