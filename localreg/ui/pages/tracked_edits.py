"""What people edit of experiments and artifacts: one commit each, by the public methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from starlette.responses import Response

from localreg.artifacts import Artifact
from localreg.experiments import Experiment
from localreg.ui.pages.artifacts import artifact_of
from localreg.ui.pages.edits import edited, key_of, lines_of, text_of, typed_value
from localreg.ui.pages.experiment import experiment_of
from localreg.ui.view import Form, View

__all__ = ["edit_artifact", "edit_experiment"]

ExperimentEdit: TypeAlias = Callable[[Experiment, Form], object]
ArtifactEdit: TypeAlias = Callable[[Artifact, Form], object]


def edit_experiment(view: View) -> Response:
    """`POST /experiments/{id}`: the field `verb` says which edit."""
    experiment = experiment_of(view)
    return edited(view, EXPERIMENT_EDITS, experiment, f"/experiments/{experiment.id}")


def edit_artifact(view: View) -> Response:
    """`POST /artifacts/{id}`: the field `verb` says which edit."""
    artifact = artifact_of(view)
    return edited(view, ARTIFACT_EDITS, artifact, f"/artifacts/{artifact.id}")


EXPERIMENT_EDITS: Mapping[str, ExperimentEdit] = {
    "describe": lambda experiment, form: experiment.update(
        description=text_of(form, "description"),
        owner=text_of(form, "owner"),
        framework=text_of(form, "framework"),
        task=text_of(form, "task"),
        external_id=text_of(form, "external_id"),
    ),
    "tags": lambda experiment, form: experiment.update(tags=lines_of(form, "tags")),
    "set": lambda experiment, form: experiment.update(metadata={key_of(form): typed_value(form)}),
    "unset": lambda experiment, form: experiment.update(unset=[form.text("key")]),
    "set_param": lambda experiment, form: experiment.log_params({key_of(form): typed_value(form)}),
    "archive": lambda experiment, _: experiment.archive(),
    "restore": lambda experiment, _: experiment.restore(),
}
ARTIFACT_EDITS: Mapping[str, ArtifactEdit] = {
    "rename": lambda artifact, form: artifact.rename(form.text("name").strip()),
    "describe": lambda artifact, form: artifact.update(media_type=text_of(form, "media_type")),
    "set": lambda artifact, form: artifact.update(metadata={key_of(form): typed_value(form)}),
    "unset": lambda artifact, form: artifact.update(unset=[form.text("key")]),
}
