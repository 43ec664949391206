"""What bash's own line editor makes of the names that are offered to it."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg

BASH = shutil.which("bash")
NAMES = (
    "meadow-5 (YOLOR-D6, 1280x1280)",
    "o'brien; touch harmed",
    "$(touch harmed) `touch harmed`",
    'wow!really "so" \\n',
    "a:b=c@d<e>f|g&h*i?j[k]#~",
    "~tilde",
    "Übung 🌱",
)

pytestmark = pytest.mark.skipif(BASH is None, reason="needs bash")


class Terminal:
    """An interactive bash in a folder, with localreg's completion loaded; the command only prints its words."""

    def __init__(self, folder: Path) -> None:
        program = folder / "bin" / "localreg"
        program.parent.mkdir()
        entry = f"exec {sys.executable} -c 'import sys; from localreg.cli import main; main(sys.argv[1:])' \"$@\""
        program.write_text(
            "#!/bin/bash\n"
            f'if [ -n "$_LOCALREG_COMPLETE" ]; then {entry}; fi\n'
            f'printf "%s\\0" "$#" "$@" > {folder}/words\n'
        )
        program.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(localreg.__file__).parents[1]),
            "LOCALREG_URI": str(folder / "registry"),
            "PS1": "<ready>",
            "PS2": "<more>",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
        }
        script = subprocess.run(
            [str(program), "--show-completion", "bash"],
            env={
                **environment,
                "_LOCALREG_COMPLETE": "source_bash",
                "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        (folder / "complete.sh").write_text(script)
        ours, theirs = pty.openpty()
        self._folder, self._screen, self._descriptor = folder, b"", ours
        self._bash = subprocess.Popen(
            [str(BASH), "--norc", "--noprofile", "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)
        self._wait("<ready>")
        self._type("source complete.sh; PS1='<ne''xt>'\n", "<next>")

    def words(self, line: str) -> list[str]:
        """What a command gets, when a line is typed up to a tab, and Enter follows."""
        (self._folder / "words").unlink(missing_ok=True)
        self._type(f"{line}\t\n", "<next>")
        count, *words, end = (self._folder / "words").read_text(encoding="utf-8").split("\0")
        assert (int(count), end) == (len(words), "")
        return words

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait()
        os.close(self._descriptor)

    def _type(self, keys: str, until: str) -> None:
        self._screen = b""
        os.write(self._descriptor, keys.encode())
        self._wait(until)

    def _wait(self, text: str) -> None:
        while text.encode() not in self._screen:
            self._screen += os.read(self._descriptor, 65_536)
            assert b"<more>" not in self._screen, f"a quote stays open: {self._screen!r}"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("bash")
    registry = localreg.open(folder / "registry", actor="ana")
    for name in NAMES:
        registry.create_model(name)
    terminal = Terminal(folder)
    yield terminal
    terminal.close()
    assert not (folder / "harmed").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_completed_name_is_one_word_and_the_name(terminal: Terminal, name: str) -> None:
    typed = f"\\{name[0]}" if name[0] in "$~" else name[0]
    assert terminal.words(f"localreg models show {typed}") == ["models", "show", name]


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_completed_within_the_quote_that_was_begun(terminal: Terminal, name: str, quote: str) -> None:
    typed = f"\\{name[0]}" if name[0] == "$" and quote == '"' else name[0]
    assert terminal.words(f"localreg models show {quote}{typed}") == ["models", "show", name]


@pytest.mark.parametrize("typed", ["mea'dow-5 (", 'mea"dow-5 (Y', "'mea'dow-5\\ \\(", '"mea"dow'])
def test_a_quote_may_begin_and_end_within_the_word(terminal: Terminal, typed: str) -> None:
    assert terminal.words(f"localreg models show {typed}") == ["models", "show", NAMES[0]]
