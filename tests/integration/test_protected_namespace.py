"""Users of an operating system, whom the permissions of a protected namespace let in, let look, or keep out."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.cli import run
from localreg.errors import ReadOnlyError, StorageError
from localreg.log.log import SNAPSHOT_EVERY
from localreg.storage import LocalStore
from localreg.workflow import test
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel
from tests.users import as_user, open_folder

TEAM = 61_100
ANA, BEN, EVE = 61_101, 61_102, 61_103
"""Made up: no list of users has them. Ana makes the registry; Ben is of her team; Eve is of none."""

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes other users: needs root"),
]


def work(registry: Registry, name: str) -> None:
    """Entries, snapshots, the hint, bulk files of several tables, artifacts, an experiment with its spool."""
    assert not registry.read_only
    with localreg.use(registry):
        case = TestCase(f"case of {name}", test_samples=[(Picture(len(name)), Truth(name))])
        test(
            TypedModel(f"typed of {name}", lambda sample: Guess(str(sample.number))), TestSuite(name, test_cases=[case])
        )
    registry.get_version(f"typed of {name}@1").upload(name.encode(), name="weights")
    with registry.experiment(f"experiment of {name}", code=False) as experiment:
        experiment.log({"loss": 0.5}, step=1)
    for number in range(SNAPSHOT_EVERY + 1):
        registry.create_model(f"{name} {number}")


def look(registry: Registry) -> None:
    """Everything that reads."""
    assert len(registry.models("name LIKE '% 0'")) > 0
    assert len(registry.sql("SELECT * FROM inferences")) > 0
    assert len(registry.sql("SELECT * FROM metric_points")) > 0
    assert len(registry.audit()) > 0
    assert registry.verify().ok
    assert registry.disk_usage().dicts()
    assert registry.namespaces()
    assert registry.doctor().findings


@pytest.fixture(scope="module", autouse=True)
def _rehearsed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All modules are loaded by who may read them."""
    with localreg.open(tmp_path_factory.mktemp("rehearsal") / "registry", actor="root") as registry:
        work(registry, "root")
        look(registry)
        import_module("localreg.cli.wording")
        queue = registry._session.store.queue()
        assert queue is not None
        with queue.take(0, lambda: None):
            pass
        run(["namespaces", "list", "--registry", registry.uri])
        run(["models", "list", "-A", "--registry", registry.uri])
        registry.protect(0)


def opened(place: Path, actor: str, namespace: str = "vision") -> Registry:
    return localreg.open(place, namespace=namespace, actor=actor)


@pytest.fixture
def place() -> Iterator[Path]:
    """A registry of Ana's, with a namespace for all and one that is protected for the team."""
    with open_folder() as folder:
        home = folder / "home"
        home.mkdir()
        os.chown(home, ANA, ANA)
        home.chmod(0o755)
        place = home / "registry"

        def make() -> None:
            opened(place, "ana", "default").create_model("known")
            opened(place, "ana").create_model("hidden")
            assert opened(place, "ana").protect(TEAM).ok

        as_user(ANA, [TEAM], make, umask=0o022)
        yield place


def assert_protected(place: Path, *, mode: int = 0o2770, of_files: int = 0o660) -> None:
    folder = place / "namespaces/vision"
    for path in (folder, *folder.rglob("*")):
        status = path.stat()
        assert status.st_gid == TEAM, path
        assert stat.S_IMODE(status.st_mode) == (mode if path.is_dir() else of_files), path


def test_members_with_private_umasks_build_on_each_others_files(place: Path) -> None:
    def ben() -> None:
        registry = opened(place, "ben")
        work(registry, "ben")
        look(registry)
        assert opened(place, "ben", "default").read_only, "which Ana did not share"

    def ana() -> None:
        registry = opened(place, "ana")
        work(registry, "ana")
        look(registry)
        store = registry._session.store
        assert isinstance(store, LocalStore)
        queue = store.queue()
        assert queue is not None
        with queue.take(0, lambda: None) as turn:
            assert turn.taken
        registry.get_model("typed of ben").create_version("2")
        with registry.experiment("experiment of ben", resume=True, code=False) as experiment:
            experiment.log({"loss": 0.25}, step=2)
        registry.snapshot()

    as_user(BEN, [TEAM], ben)
    assert_protected(place)
    as_user(ANA, [TEAM], ana)
    as_user(BEN, [TEAM], lambda: look(opened(place, "ben")))
    assert_protected(place)
    owners = {path.stat().st_uid for path in (place / "namespaces/vision").rglob("*")}
    assert owners == {ANA, BEN}
    assert opened(place, "root").verify().ok


def test_what_a_killed_member_logged_is_taken_up_by_another(place: Path) -> None:
    def killed() -> None:
        experiment = opened(place, "ben").experiment("killed", code=False, flush_every=3600.0)
        experiment.log({"loss": 0.5}, step=1)
        os._exit(0)

    as_user(BEN, [TEAM], killed)
    assert_protected(place)

    def ana() -> None:
        registry = opened(place, "ana")
        (recovered,) = registry.recover_experiments()
        assert len(recovered.points("loss")) == 1

    as_user(ANA, [TEAM], ana)
    assert_protected(place)


def test_an_outsider_sees_that_it_is_inaccessible_and_goes_on(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def eve() -> None:
        registry = opened(place, "eve", "default")
        names = registry.namespaces()
        assert names == ["default"]
        assert "Permission denied" in names.inaccessible["vision"]
        assert [row["name"] for row in registry.all().models().dicts()] == ["known"]
        assert len(registry.all().models(search="hidden")) == 0
        assert ("vision", "inaccessible", None) in [
            (row["namespace"], row["what"], row["bytes"]) for row in registry.disk_usage().dicts()
        ]
        report = registry.doctor()
        problems = [each for each in report.problems if each.what != "versions"]  # packages that she cannot read
        assert not problems
        assert [each.level for each in report.findings if each.what == "vision: inaccessible"] == ["note"]
        for act in (lambda: opened(place, "eve").models().dicts(), lambda: opened(place, "eve").commit):
            with pytest.raises(StorageError) as caught:
                act()
            assert caught.value.code == "forbidden"
        with pytest.raises(ReadOnlyError):
            opened(place, "eve").create_model("x")
        assert run(["namespaces", "list", "--registry", str(place)]) == 0
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert run(["models", "list", "-A", "--registry", str(place)]) == 0
        assert not told, "it is a line for people"

    as_user(EVE, [], eve)
    out, err = capfd.readouterr()
    assert [line.split() for line in out.splitlines()[2:4]] == [["default", "owner"], ["vision", "inaccessible"]]
    assert "left out, since they may not be read: vision" in err


def test_a_group_that_may_read_reads_and_does_not_write(place: Path) -> None:
    as_user(ANA, [TEAM], lambda: work(opened(place, "ana"), "ana"))

    def ana() -> None:
        assert opened(place, "ana").protect(members="read").ok
        opened(place, "ana").create_model("one more")

    as_user(ANA, [TEAM], ana)
    assert_protected(place, mode=0o2750, of_files=0o640)
    before = set(place.rglob("*"))

    def ben() -> None:
        registry = opened(place, "ben")
        assert registry.read_only
        look(registry)
        assert registry.find_model("one more") is not None
        with pytest.raises(ReadOnlyError, match="may not write there; check the folder's permissions"):
            registry.create_model("x")
        with pytest.raises(ReadOnlyError):
            registry.protect(members="write")

    as_user(BEN, [TEAM], ben)
    assert set(place.rglob("*")) == before
    as_user(ANA, [TEAM], lambda: work(opened(place, "ana"), "ana again"))
    assert_protected(place, mode=0o2750, of_files=0o640)


def test_files_of_others_are_named_and_root_sets_them(place: Path) -> None:
    as_user(BEN, [TEAM], lambda: work(opened(place, "ben"), "ben"))

    def ana() -> None:
        report = opened(place, "ana").protect(others="read")
        assert not report.ok
        assert all("Operation not permitted" in each.fault for each in report.deviations)

    as_user(ANA, [TEAM], ana)
    for act in (
        lambda: opened(place, "ben").protect(others="none"),  # not his folder
        lambda: opened(place, "ben").protect(BEN),
    ):
        as_user(BEN, [TEAM], refused(act))
    assert opened(place, "root").protect().ok
    assert_protected(place, mode=0o2775, of_files=0o664)


def test_an_owner_who_is_no_member_may_not_give_it_to_the_group(place: Path) -> None:
    as_user(ANA, [], refused(lambda: opened(place, "ana", "default").protect(TEAM)))
    assert not (place / "namespaces/default/protection.json").exists()


def refused(act: Callable[[], object]) -> Callable[[], None]:
    def run_it() -> None:
        with pytest.raises(ReadOnlyError, match=r"belongs to the user|is no member"):
            act()

    return run_it
