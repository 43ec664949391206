"""Three users on one folder, each a process of their own, with no server between them: who sees what, and when.

Run it from any folder; the registry is made anew, in a temporary folder if none is named:

    python examples/shared_drive.py [registry]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import localreg
from localreg import ConflictError, Registry

MODEL = "plate reader"


# --- what a user does -------------------------------------------------------------------------------------------------


def register(registry: Registry, version: str) -> str:
    registry.create_model(MODEL, exist_ok=True).create_version(version, metadata={"by": registry.actor})
    return f"registered {MODEL}@{version}"


def look(registry: Registry) -> str:
    model = registry.get_model(MODEL)
    aliases = {alias: version.version for alias, version in model.aliases().items()}
    return f"sees the versions {[each.version for each in model.versions()]}, and {aliases or 'no alias'}"


def promote(registry: Registry, version: str) -> str:
    """Looks, thinks (until the director says "go"), and moves the alias: if nobody else did meanwhile."""
    try:
        with registry.transaction(f"{registry.actor} likes {version}"):
            registry.get_model(MODEL).set_alias("production", version)
            say("looks at what is in production, and thinks")
            sys.stdin.readline()
        return f"moved production to {version}"
    except ConflictError as error:
        return f"was too late, and nothing was written: {str(error).replace(registry.uri, 'REGISTRY')}"


def report(registry: Registry, text: str) -> str:
    """As `promote`, of something that no other commit stands against: it lands on whatever came meanwhile."""
    with registry.transaction():
        registry.get_model(MODEL).tag(text)
        say("falls asleep in the middle of a transaction")
        sys.stdin.readline()
    return f"woke up, and tagged the model {text!r}"


def train(registry: Registry) -> str:
    """Is killed before it ends."""
    with registry.experiment("night run", code=False) as experiment:
        for step in range(3):
            experiment.log({"loss": 1 / (step + 1)}, step=step)
        say("logged 3 points of a training, and goes on")
        sys.stdin.readline()
    return "never comes here"


def read_points(registry: Registry) -> str:
    experiment = registry.get_experiment("night run")
    steps = [row["step"] for row in experiment.points("loss")]
    return f"finds the steps {steps} of the training, which was {experiment.status}"


# --- the users as processes, and who directs them ---------------------------------------------------------------------


def say(text: str) -> None:
    print(text, flush=True)


def user(name: str, folder: str) -> None:
    """Does what the lines of the standard input say, and tells what came of it."""
    os.umask(0o077)  # as careful users have it: the registry was made for the group, and stays so
    registry = localreg.open(folder, actor=name, shared="group")
    while line := sys.stdin.readline():
        verb, *words = line.split()
        say(globals()[verb](registry, *words))


class User:
    """A user's process, as seen by the director."""

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        command = [sys.executable, __file__, "--user", name, folder]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def does(self, line: str) -> None:
        """Says what to do, and prints what comes of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        print(f"{self.name:>4} {self.process.stdout.readline().rstrip()}")

    def leaves(self, *, killed: bool = False) -> None:
        """Is waited for; killed, if so wished."""
        if killed:
            self.process.kill()
            print(f"{self.name:>4} is killed (kill -9)")
        self.process.communicate()


def main(folder: str) -> None:
    ana, bo, cy = users = [User(name, folder) for name in ("ana", "bo", "cy")]
    for who, line in ((ana, "register 1"), (bo, "register 2"), (cy, "look")):
        who.does(line)
    print("\n— two want the alias —")
    for who, line in ((ana, "promote 1"), (bo, "promote 2"), (bo, "go"), (ana, "go"), (cy, "look")):
        who.does(line)
    print("\n— one sleeps, one is killed —")
    for who, line in ((bo, "report checked"), (cy, "train"), (ana, "register 3")):
        who.does(line)
    cy.leaves(killed=True)
    for who, line in ((ana, "read_points"), (bo, "go"), (bo, "look")):
        who.does(line)
    for each in users:
        each.leaves()

    registry = localreg.open(folder, actor="ana")
    print("\n— the audit log —")
    for row in registry.sql("SELECT commit, actor, action, kind, name FROM audit_events WHERE name <> namespace"):
        if row["kind"] != "registry":
            print(f"{row['commit']:>4} {row['actor']:<4} {row['action']:<10} {row['kind']:<14} {row['name']}")
    modes = {f"{path.stat().st_mode & 0o777:o}" for path in Path(folder, "namespaces/default/log").iterdir()}
    print(f"\nfiles of the log have the permissions {', '.join(modes)}; problems: {registry.doctor().problems}")
    print(registry.verify())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--user"]:
        user(*sys.argv[2:])
    elif sys.argv[1:]:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(str(Path(temporary) / "registry"))
