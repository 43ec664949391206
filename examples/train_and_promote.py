"""From training to deployment: 30 epochs on handwritten digits, the best checkpoint promoted, checked, and used.

A linear classifier of scikit-learn learns to read digits by stochastic gradient descent. Each epoch is logged, and
saved as a checkpoint, with an event before and after. A policy makes versions of checkpoints that are better than all
before them; another one guards the alias `production`. Killed half way, it goes on where it ended when it is run again.

Run it with a folder for the registry: python examples/train_and_promote.py [FOLDER]
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

import localreg
from localreg.experiments import Experiment
from localreg.policies import AliasGate, Promotion

EPOCHS = 30
DIGITS = range(10)
MODEL = "digit-reader"

Images = Any
Labels = Any


def main() -> None:
    """Train, promote, deploy, use; then tell the story."""
    registry = localreg.open(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    data = pictures()
    declare(registry)
    train(registry, data)
    deploy(registry, data)
    use(registry, data)
    tell(registry)


def pictures() -> dict[str, tuple[Images, Labels]]:
    """What is learnt from, and what is looked at: the same pictures by day and, dark and noisy, at dusk."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    held, held_labels = images[1_000:], labels[1_000:]
    noise = np.random.default_rng(0).normal(0, 0.1, held.shape)
    return {
        "train": (images[:1_000], labels[:1_000]),
        "day": (held, held_labels),
        "dusk": (np.clip(0.6 * held + noise, 0, 1), held_labels),
    }


def declare(registry: localreg.Registry) -> None:
    """What is to hold of the model, whoever trains or deploys it."""
    model = registry.create_model(MODEL, task="classification", exist_ok=True)
    for name in ("day", "dusk"):
        model.add_dataset(f"sklearn://digits/{name}", role="eval", name=name, replace=True)
    registry.add_policy(
        "best checkpoints",
        Promotion(experiment="sgd", best="accuracy", when="epoch >= 10", version="epoch {epoch}"),
        model=model,
        replace=True,
    )
    registry.add_policy(
        "release",
        AliasGate(
            alias="production",
            require=(
                "dataset_metrics.day.accuracy > 0.85",
                "dataset_metrics.dusk.accuracy > 0.75",
                "'report.md' IN artifacts",
            ),
        ),
        model=model,
        replace=True,
    )


def train(registry: localreg.Registry, data: dict[str, tuple[Images, Labels]]) -> None:
    """Learn, from wherever the last process ended."""
    params = {"learning_rate": 0.01, "batch": 50}
    with registry.experiment("sgd", params=params, framework="scikit-learn", resume=True) as experiment:
        experiment.add_dataset("sklearn://digits/train", role="train", name="train", replace=True)
        last = experiment.latest_checkpoint()
        if last is None:
            begun, classifier = 0, SGDClassifier(learning_rate="constant", eta0=params["learning_rate"], random_state=0)
        else:
            begun, classifier = last.epoch or 0, weights(last)
        for epoch in range(begun + 1, EPOCHS + 1):
            one_epoch(classifier, *data["train"], epoch=epoch, batch=int(params["batch"]))
            accuracy = float(classifier.score(*data["day"]))
            experiment.log({"train": {"accuracy": classifier.score(*data["train"])}, "accuracy": accuracy}, step=epoch)
            save(experiment, classifier, epoch, accuracy)


def one_epoch(classifier: SGDClassifier, images: Images, labels: Labels, *, epoch: int, batch: int) -> None:
    """Each picture once, in an order that hangs on the epoch alone: who goes on sees the same."""
    order = np.random.default_rng(epoch).permutation(len(images))
    for begin in range(0, len(order), batch):
        chosen = order[begin : begin + batch]
        classifier.partial_fit(images[chosen], labels[chosen], classes=DIGITS)


def save(experiment: Experiment, classifier: SGDClassifier, epoch: int, accuracy: float) -> None:
    """A checkpoint, and how long it took to write."""
    experiment.event("write_begin", source="trainer", metadata={"epoch": epoch})
    experiment.checkpoint(pickle.dumps(classifier), epoch=epoch, step=epoch, metrics={"accuracy": accuracy})
    experiment.event("write_end", source="trainer", metadata={"epoch": epoch})


def deploy(registry: localreg.Registry, data: dict[str, tuple[Images, Labels]]) -> None:
    """Measure the newest version, and let it into production if it may."""
    model = registry.get_model(MODEL)
    version = model.latest_version
    assert version is not None
    assert version.checkpoint is not None
    classifier = weights(version.checkpoint)
    for name in ("day", "dusk"):
        version.set_metrics({"accuracy": float(classifier.score(*data[name]))}, dataset=name)
    try:
        model.set_alias("production", version)
    except localreg.PolicyError as error:
        print(f"refused: {error}\n")
    report = f"# {MODEL} {version.name}\n\nLearnt from 1,000 digits in {EPOCHS} epochs.\n"
    version.upload(report.encode(), name="report.md", replace=True)
    model.set_alias("production", version)


def use(registry: localreg.Registry, data: dict[str, tuple[Images, Labels]]) -> None:
    """What a service does: it asks for the version in production, which the audit log remembers."""
    version = registry.consume(f"{MODEL}@production")
    assert version.checkpoint is not None
    images, labels = data["dusk"]
    read = weights(version.checkpoint).predict(images[:10])
    print(f"production is {version.name}; it reads {words(read)}, and true is {words(labels[:10])}\n")


def words(digits: Labels) -> str:
    """Them in a line."""
    return " ".join(map(str, digits))


def weights(checkpoint: Any) -> SGDClassifier:
    """The classifier that was saved, by this program, in this registry."""
    with tempfile.TemporaryDirectory() as folder:
        return pickle.loads(Path(checkpoint.download(folder)).read_bytes())


def tell(registry: localreg.Registry) -> None:
    """What the registry knows of it."""
    experiment = registry.get_experiment("sgd")
    model = registry.get_model(MODEL)
    written = experiment.durations(start="write_begin", end="write_end")
    curve = experiment.points("accuracy").dicts()
    print(f"{len(curve)} epochs, {len(experiment.checkpoints())} checkpoints, {len(written)} writes timed")
    print(f"versions: {', '.join(version.name for version in model.versions())}\n")
    for edge in model.resolve("production").lineage():
        print(f"{edge['source']} {edge['relation']} {edge['target']}")
    print()
    trail = registry.sql(
        "SELECT commit, actor, action, name, details->>'policy' AS policy, details->>'via' AS via FROM audit_events "
        "WHERE action IN ('promote', 'set_alias', 'consume') ORDER BY commit, event"
    )
    print(trail)


if __name__ == "__main__":
    main()
