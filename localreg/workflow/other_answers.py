"""What is said when a model version answers for a sample otherwise than it did."""

from __future__ import annotations

from typing import cast

from localreg.canonical import JsonObject
from localreg.errors import NonDeterministicError
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node
from localreg.workflow.samples import samples_at
from localreg.workflow.typed import TypedColumn

__all__ = ["other_answer"]

SHOWN_CHARS = 200
"""Of a sample."""


def other_answer(
    session: Session, state: State, workflow_id: str, *, model: str, index: int, own: str, stored: str
) -> NonDeterministicError:
    """The error to raise.

    Args:
        session: the namespace.
        state: which holds the sample.
        workflow_id: of the sample.
        model: its name.
        index: `sample_idx` of the sample.
        own: what the model says now.
        stored: what is stored.
    """
    return NonDeterministicError(
        f"model {model!r} gave {own} for the sample with sample_idx {index} "
        f"({_shown(session, state, workflow_id, index)}), and {stored} is stored for the same version; make a new "
        "version for a changed model, or pass reset=True"
    )


def _shown(session: Session, state: State, workflow_id: str, index: int) -> str:
    """A sample by its fields: users know it by these, and not by its number."""
    import numpy as np

    row = state.get("workflow", workflow_id)
    assert row is not None, "its sample was looked up just now"
    node = Node.from_json(cast(JsonObject, row.load(WorkflowRecord).test_sample))
    column = TypedColumn("sample", object, node)
    fields = samples_at(session, state, workflow_id, column, np.array([index]), vectors=False)["sample"][0].as_py()
    text = ", ".join(f"{name} {value!r}" for name, value in fields.items() if value is not None)
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"
