"""Random faults of a share, many at once, against an oracle: what was acknowledged is there once, nothing refused is.

A failing seed is run again by its name: `pytest "tests/crash/test_share_storms.py" -k "[7]"`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest

import localreg
from localreg import Registry
from localreg.errors import LocalregError, UnknownOutcomeError
from tests.crash.scenarios import short_spans
from tests.fuse import Mode, Share, mounted_share

pytestmark = pytest.mark.root

SEEDS = 8
COMMITS = 40

ERRORS = ["EIO", "ESTALE", "ETIMEDOUT", "EEXIST", "ENOENT", "EACCES", "ENOSPC", "EDQUOT", "ENOTCONN", "EINTR", "EBUSY"]
CALLS = [
    *("link", "rename_noreplace", "create", "write", "fsync", "fsyncdir", "close"),
    *("open", "read", "getattr", "readdir", "unlink", "mkdir", "rename"),
]
PATHS = ["/r/*", "*/log/*", "*/tmp/*", "*/snapshots/*", "*/log", "*/tmp", "*/r/localreg.json"]


@pytest.fixture(scope="module")
def _mounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Share]]:
    with mounted_share(tmp_path_factory.mktemp("share"), clients=2) as shares:
        yield shares


@pytest.fixture
def shares(_mounts: list[Share], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Share]]:
    """Two clients of one folder, emptied before each test, whose users do not wait for what does not show."""
    monkeypatch.setattr("localreg.log.publish.pause", lambda number: None)
    monkeypatch.setattr("localreg.log.patience.pause", lambda number: None)
    monkeypatch.setattr("localreg.session.turns.LONGEST_PAUSE_S", 0.0)
    behind = _mounts[0].behind
    if (behind / "r").exists():
        (behind / "r").rename(behind / f"r-{len(list(behind.iterdir()))}")
    with short_spans():
        yield _mounts
    for share in _mounts:
        share.clear()


def calm(share: Share, means: str) -> None:
    """End all faults, but what the share is not made for."""
    share.clear()
    if means != "link":
        share.fault("link", "EPERM")


def strike(random: Random, share: Share) -> None:
    """One fault, which strikes now or later, once or more often."""
    modes: list[Mode] = ["before", "before", "after"]
    if random.random() < 0.3:
        share.hide(random.choice(PATHS[:3]), looks=random.randint(1, 6), listings=random.randint(0, 6))
    elif random.random() < 0.1:
        share.fault("write", mode="short", times=random.randint(1, 5))
    else:
        share.fault(
            random.choice(CALLS),
            random.choice(ERRORS),
            path=random.choice(PATHS),
            times=random.randint(1, 5),
            skip=random.randint(0, 8),
            mode=random.choice(modes),
        )


class Oracle:
    """What was said of each commit."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.unknown: dict[str, UnknownOutcomeError] = {}

    def note(self, name: str, act: Callable[[], object]) -> None:
        """Try it, and keep what was said."""
        try:
            act()
            self.acknowledged.append(name)
        except UnknownOutcomeError as error:
            self.unknown[name] = error
        except LocalregError:
            self.refused.append(name)

    def agrees(self, registry: Registry) -> None:
        """Nothing is lost, doubled, in spite of a refusal, or unsettled."""
        report = registry.verify()
        assert report.ok, report
        made = [str(row["name"]) for row in registry.audit(kind="model") if row["action"] == "create"]
        assert len(made) == len(set(made)), "doubled"
        assert set(self.acknowledged) <= set(made), "lost"
        assert not set(self.refused) & set(made), "told that nothing was changed, and it was"
        for name, error in self.unknown.items():
            landed = registry.resolve(error.commit_id, commit=error.commit)
            assert (landed is not None) == (name in made), "settled wrongly"
        assert report.commits == registry.commit == len(made)


@pytest.mark.parametrize("means", ["link", "rename-noreplace"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_of_two_clients_in_a_storm_of_faults_nobody_is_told_what_is_not_so(
    shares: list[Share], seed: int, means: str
) -> None:
    random, oracle = Random(seed), Oracle()
    for share in shares:
        calm(share, means)
    clients = [
        localreg.open(share.path / "r", actor=actor) for share, actor in zip(shares, ("ana", "ben"), strict=True)
    ]
    clients[0].create_model("first")
    oracle.acknowledged.append("first")
    for number in range(COMMITS):
        side = random.randrange(2)
        for _ in range(random.randint(0, 2)):
            strike(random, shares[side])
        if random.random() < 0.2:
            with suppress(LocalregError):
                clients[side] = localreg.open(shares[side].path / "r", actor="again")
        name = f"model {number}"
        oracle.note(name, partial(clients[side].create_model, name))
        if random.random() < 0.3:
            calm(shares[side], means)
    for share in shares:
        calm(share, means)
    for side in (0, 1):
        clients[side].create_model(f"after, {side}")
        oracle.acknowledged.append(f"after, {side}")
    assert len(oracle.acknowledged) > COMMITS / 4, "a storm that lets nothing through shows nothing"
    oracle.agrees(localreg.open(shares[0].behind / "r"))


@pytest.mark.parametrize("seed", range(4))
def test_what_an_experiment_acknowledged_in_a_storm_is_there_once(
    shares: list[Share], seed: int, tmp_path: Path
) -> None:
    random, logged = Random(seed), list[float]()
    registry = localreg.open(shares[0].path / "r", actor="ana")
    experiment = registry.experiment("e", strict=True, flush_every=3_600.0)
    for step in range(30):
        for _ in range(random.randint(0, 1)):
            strike(random, shares[0])
        try:
            experiment.log({"x": float(step)}, step=step)
            logged.append(float(step))
            if step % 5 == 0:
                experiment.flush()
        except LocalregError:
            shares[0].clear()
    shares[0].clear()
    experiment.finish()
    there = [row["value"] for row in localreg.open(shares[0].behind / "r").get_experiment("e").points("x")]
    assert len(there) == len(set(there)), "doubled"
    assert set(logged) <= set(there), "lost"
