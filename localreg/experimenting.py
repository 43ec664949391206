"""What a `Registry` says of experiments: begun, gone on with, looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from localreg import models
from localreg.events import serve_event_tables
from localreg.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from localreg.experiments import Checkpoint, Experiment

__all__ = ["Experimenting"]


def _checkpoint(session: Session, id: str) -> Checkpoint:
    from localreg.experiments import Checkpoint

    return Checkpoint(session, id)


models.serve_checkpoints(_checkpoint)  # models stand below experiments, whose checkpoints they are made of


def _event_tables(given: object) -> Iterator[pa.Table]:
    from localreg.experiments.event_tables import tables_of_events

    return tables_of_events(given)


serve_event_tables(_event_tables)  # models stand below the reader of tables


class Experimenting:
    """Experiments: what is tried to make a model."""

    _session: Session

    def experiment(
        self,
        name: str,
        *,
        owner: str | None = None,
        framework: str | None = None,
        task: str | None = None,
        params: Mapping[str, object] | None = None,
        external_id: str | None = None,
        description: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, object] | None = None,
        resume: bool = False,
        flush_every: float = 5.0,
        strict: bool = False,
        system_metrics: float | None = None,
        code: bool = True,
    ) -> Experiment:
        """Begin an experiment, which this process logs to: `with registry.experiment("sgd", params={"lr": 0.1}) as e`.

        Args:
            name: free text, unique in the namespace.
            owner: whom to ask.
            framework: what it trains with, such as `pytorch`.
            task: what the model is for.
            params: hyperparameters, any JSON object: `registry.experiments("params.lr < 0.2")`.
            external_id: what another system calls it.
            description: free text.
            tags: words to find it by.
            metadata: any JSON object.
            resume: go on with the experiment if there is one, whatever became of it; params are laid over those that it
                has, all else stays. If other processes run it, this one joins them.
            flush_every: seconds after which others can read what was logged, at most.
            strict: let `log` raise, which else only tells what cannot be logged.
            system_metrics: log what this machine is doing every so many seconds, under `system/<host>/…`: CPU, memory,
                disk and GPUs (extra `system`). None = not.
            code: keep what the code differs by from the commit that is checked out, as artifact `uncommitted.diff`; or,
                where there is no git, the program and the modules in its folder, as `sources`; up to 16 MiB.

        Raises:
            AlreadyExistsError: the name is taken, and `resume` is False.
            InvalidInputError: a malformed argument.
            ReadOnlyError: the registry was opened read-only.
        """
        from localreg.experiments.opening import experiment

        texts = {
            "owner": owner,
            "framework": framework,
            "task": task,
            "external_id": external_id,
            "description": description,
        }
        return experiment(
            self._session,
            name,
            params=params,
            metadata=metadata,
            tags=tags,
            texts=texts,
            resume=resume,
            flush_every=flush_every,
            strict=strict,
            system_every=system_metrics,
            code=code,
        )

    def get_experiment(self, name: str) -> Experiment:
        """The experiment of that name, to be looked at.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.experiments.opening import get_experiment

        return get_experiment(self._session, name)

    def recover_experiments(self) -> list[Experiment]:
        """Close the experiments whose processes are gone, as killed, with all that they logged.

        Of processes on other machines a dead one is known by that its file was not renewed for half a minute.
        """
        from localreg.experiments.opening import recover_all

        return recover_all(self._session)
