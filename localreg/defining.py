"""What a `Registry` says of definitions: registered from YAML, loaded, and run on test suites."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from localreg import models
from localreg.models import Model, ModelVersion, Parts
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.definitions.definition import Definition
    from localreg.definitions.loading import Loaded, WorkerKind
    from localreg.definitions.registering import Registered
    from localreg.records.determinism import Determinism, Level
    from localreg.workflow import Evaluator, EvaluatorConfiguration, TestRun
    from localreg.workflow.evaluator_function import BasicEvaluatorFunction
    from localreg.workflow.running import OnError

__all__ = ["Defining"]


class _Definitions:
    """Makes definitions for models, which stand below them."""

    def create_version(
        self,
        model: Model,
        version: str | int | None,
        parts: Parts,
        *,
        metadata: Mapping[str, object] | None,
        description: str | None,
    ) -> ModelVersion:
        from localreg.definitions.creating import create_version

        return create_version(model, version, parts, metadata=metadata, description=description)

    def definition_of(self, session: Session, version: str) -> Definition | None:
        from localreg.definitions.definition import definition_of

        return definition_of(session, version)


models.serve_definitions(_Definitions)


class Defining:
    """Models by what they are made of and how they are run."""

    _session: Session

    def push(
        self, path: str | os.PathLike[str], *, only: Iterable[str] | None = None, network: bool = True
    ) -> list[Registered]:
        """Register the models that a YAML file describes, with their code and files: one commit, or nothing.

        Each gets a version, unless its newest content is there already. Code without a repository is that of the
        file's folder, but for what `.gitignore` names. No code is run. What is written as `${NAME}` under
        `access_token`, `credentials` and values of inputs stays so, and is resolved where it is used.

        Args:
            path: of the file; see the README for its keys.
            only: names of entries; None = all.
            network: whether repositories are asked which commit is meant. If not, and no full hash is given, that is
                found out at each load.

        Returns:
            What became of each entry.

        Raises:
            DefinitionError: something is wrong; all of it is told, each with its line, and nothing is registered.
            ConflictError: a version of that name is there, with other content.
            NotFoundError: there is no such file.
        """
        from localreg.definitions.pushing import push

        return push(self._session, path, only=only, network=network)

    def get_definition(self, reference: str | Model | ModelVersion) -> Definition:
        """What is registered of a version: `name` (the newest), `name@2`, `name@production`, or `${model.name}`.

        Raises:
            NotFoundError: no such version, or nothing is registered of it.
        """
        from localreg.definitions.definition import get_definition

        return get_definition(self._session, reference)

    def model_card(self, reference: str | Model | ModelVersion) -> str:
        """What is known of a version, as the README.md that people publish with a model: Markdown below YAML.

        What it is and how it is loaded, metrics by test suite, determinism, training, data sets, metadata, files with
        their digests, what it was run in, and lineage; what is not known is left out. The same state gives the same
        text. What users wrote stands there as text, and no secret: neither what is named as one in metadata, nor what
        opens an address.

        Args:
            reference: `name` (the newest version), `name@2` or `name@production`.

        Raises:
            NotFoundError: no such version.
            DefinitionError: its definition was registered by a later release.
        """
        from localreg.cards.card import model_card

        return model_card(self._session, reference)

    def load(
        self,
        reference: str | Model | ModelVersion,
        *,
        worker: WorkerKind = "process",
        device: str | None = None,
        load_timeout_s: float | None = 600,
        predict_timeout_s: float | None = None,
    ) -> Loaded:
        """Load a registered model: its code is fetched, imported and called, with the rights of this process.

        That the version is used is noted in the audit log, as by `consume`.

        Args:
            reference: `name` (the newest version), `name@2` or `name@production`.
            worker: `process`: in one of its own, which can be ended, and which may crash. `thread`: in this process,
                where what its code imports from beside itself is kept apart from others'.
            device: goes before that of the definition.
            load_timeout_s: how long it may take to load; None = for ever.
            predict_timeout_s: how long one batch may take; None = for ever.

        Raises:
            NotFoundError: no such version, or nothing says how it is run.
            DefinitionError: environment variables are not set, or a borrowed runtime does not fit.
            InvalidInputError: a module, function or package is missing, the process died, or took too long.
            IntegrityError: its code or files are not what was registered.
            StorageError: its repository does not answer, and its code is not in the cache.
            Exception: what its code raised.
        """
        from localreg.definitions.loading import Limits, load

        version = models.consume(self._session, reference, stacklevel=2)
        limits = Limits(load_timeout_s, predict_timeout_s)
        return load(self._session, version, worker=worker, device=device, limits=limits)

    def test(
        self,
        reference: str | Model | ModelVersion,
        suite: str,
        evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None = None,
        configurations: Iterable[EvaluatorConfiguration] | None = None,
        *,
        reset: bool = False,
        on_error: OnError = "raise",
        executor: Executor | str | None = None,
        hash_files: bool = True,
        device: str | None = None,
        load_timeout_s: float | None = 600,
        predict_timeout_s: float | None = None,
    ) -> TestRun:
        """Run a registered model on a test suite as its definition says, and evaluate it.

        No Python types are needed: its code is given dicts, with the fields of the test samples and `metadata`, and
        what it predicts becomes inferences of the suite's workflow: by the names of keys and fields, by `mapping` in
        the definition, or by a function named there. Evaluators that are there by name work as ever; one of yours is
        given dicts. Each worker of an executor loads the model once.

        Args:
            reference: `name` (the newest version), `name@2` or `name@production`.
            suite: name of a test suite, at its newest version.
            evaluator: as in `localreg.workflow.test`; None = only infer.
            configurations: likewise.
            reset: likewise.
            on_error: likewise.
            executor: likewise; None = one process beside this one.
            hash_files: likewise.
            device: as in `load`.
            load_timeout_s: as in `load`.
            predict_timeout_s: as in `load`.

        Raises:
            NotFoundError: no such version or suite, or nothing says how the model is run.
            DefinitionError: no inferences can be made of its predictions, or environment variables are not set.
            WorkflowMismatchError: the model belongs to another workflow.
            ConflictError: what is stored of the version was inferred by other code, since its runtime, or the branch of
                its repository, has moved; and `reset` is not set.
            LocalregError: as for `load` and `localreg.workflow.test`.
        """
        from localreg.definitions.loading import Limits
        from localreg.definitions.testing import Asked, run_model

        return run_model(
            self._session,
            reference,
            suite,
            evaluator=evaluator,
            configurations=configurations,
            reset=reset,
            on_error=on_error,
            executor=executor,
            hash_files=hash_files,
            asked=Asked(device, Limits(load_timeout_s, predict_timeout_s)),
        )

    def verify_determinism(
        self,
        reference: str | Model | ModelVersion,
        suite: str | None = None,
        n: int = 32,
        *,
        level: Level = "bit-exact",
        batch_size: int | None = None,
        rtol: float = 1e-5,
        atol: float = 1e-8,
        timeout_s: float = 600,
        device: str | None = None,
    ) -> Determinism:
        """Infer some samples again with a registered model, and tell how far its answers stay the same.

        As `localreg.workflow.Model.verify_determinism` does it, which tells the rest: each fresh process loads the
        model as its definition says. With `level="machine"` its answers are compared with those that it gave on another
        machine, where it was verified before.

        Args:
            reference: `name` (the newest version), `name@2` or `name@production`.
            suite: name of a test suite, at its newest version; None = any samples of the model's workflow.
            n: how many samples, at most. The same ones each time, and on each machine, chosen by their content.
            level: how much has to stay the same for `ok`.
            batch_size: how many samples it is given at once; None = as its definition says, or 64.
            rtol: of floats, relative to the greater of two, for `within tolerance`.
            atol: likewise, absolute, in addition.
            timeout_s: how long it may take to load and to answer for the first time, or for one call; then it is ended.
            device: as in `load`.

        Raises:
            NotFoundError: no such version or suite, nothing says how the model is run, or it belongs to no workflow
                and no suite is named.
            DefinitionError: no inferences can be made of its predictions, or environment variables are not set.
            InvalidInputError: it cannot be loaded, or as `localreg.workflow.Model.verify_determinism`.
            WorkflowMismatchError: the model belongs to another workflow.
            ReadOnlyError: the verdict could not be kept.
        """
        from localreg.definitions.testing import verify_model
        from localreg.workflow.agreement import Tolerance
        from localreg.workflow.determinism import Trial

        trial = Trial(n, level, batch_size, Tolerance(rtol, atol), timeout_s)
        return verify_model(self._session, reference, suite, trial, device)
