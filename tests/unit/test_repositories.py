"""Code in git repositories, on bare repositories that the tests make; of the network there is 127.0.0.1 alone."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localreg.definitions.repositories import (
    UNREACHABLE,
    Repository,
    Resolved,
    WorkingTree,
    absolute_url,
    cached,
    materialise,
    open_tree,
    resolve,
    working_tree,
)
from localreg.definitions.repositories.failures import known_failure, last_line
from localreg.definitions.repositories.mirror import Mirror
from localreg.errors import IntegrityError, InvalidInputError, NotFoundError, StorageError

GIT = shutil.which("git") or "git"
TOKEN = "ghp_hush0123456789"
WHEN = "2024-05-01T12:00:00+0000"
NONE = "0" * 40
NOT_READ = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes links, and programs of the shell")


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this machine's settings of git nor another test's cache."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "gitconfig").write_text(text)


@dataclass
class Origin:
    """A bare repository."""

    folder: Path

    def git(self, *arguments: str, data: bytes = b"") -> str:
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in PERSON.items()}
        done = subprocess.run(
            [GIT, f"--git-dir={self.folder}", *arguments],
            input=data,
            capture_output=True,
            check=True,
            env={**os.environ, **who},
        )
        return done.stdout.decode().strip()

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=content)

    def tree(self, *rows: tuple[str, str, str]) -> str:
        """A tree of rows (mode, name, object), as they are: git checks nothing."""
        data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in rows)
        return self.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", data=data)

    def commit_tree(self, tree: str, branch: str = "main") -> str:
        old = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        commit = self.git("commit-tree", tree, "-m", "x", *(["-p", old] if old else []))
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def commit(self, files: dict[str, str | bytes], branch: str = "main") -> str:
        """A commit of these files alone; of those in one folder, by slashes."""
        return self.commit_tree(self._tree(files), branch)

    def _tree(self, files: dict[str, str | bytes]) -> str:
        rows, folders = [], dict[str, dict[str, str | bytes]]()
        for path, content in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(first, {})[rest] = content
            elif isinstance(content, str) and content.startswith("-> "):
                rows.append(("120000", path, self.blob(content[3:].encode())))
            else:
                data = content.encode() if isinstance(content, str) else content
                rows.append(("100755" if path.endswith(".sh") else "100644", path, self.blob(data)))
        rows += [("40000", name, self._tree(inner)) for name, inner in folders.items()]
        return self.tree(*sorted(rows, key=lambda row: row[1] + ("/" if row[0] == "40000" else "")))

    def repository(self, branch: str | None = None, commit: str | None = None) -> Repository:
        return Repository(str(self.folder), branch, commit)


PERSON = {"NAME": "Ana", "EMAIL": "ana@example.org", "DATE": WHEN}


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return made(tmp_path / "origin")


def made(folder: Path, *options: str) -> Origin:
    subprocess.run([GIT, "init", "-q", "--bare", "-b", "main", *options, str(folder)], check=True)
    return Origin(folder)


def mirror(repository: Repository) -> Path:
    return Mirror(repository.url, 40).folder


def gone(origin: Origin) -> None:
    """The network is cut."""
    origin.folder.rename(origin.folder.with_name("moved"))


# --- which commit is meant --------------------------------------------------------------------------------------------


def test_a_branch_is_its_newest_commit_and_none_is_what_the_repository_stands_on(origin: Origin) -> None:
    first = origin.commit({"a.py": "1"})
    other = origin.commit({"a.py": "2"}, "feature/x")
    assert resolve(origin.repository()) == Resolved(first, "main")
    assert resolve(origin.repository("feature/x")) == Resolved(other, "feature/x")
    second = origin.commit({"a.py": "3"})
    assert resolve(origin.repository("main")) == Resolved(second, "main")
    origin.git("update-ref", "--no-deref", "HEAD", first)
    assert resolve(origin.repository()) == Resolved(first, None)


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_hash_is_that_commit_however_it_is_written(origin: Origin, form: str) -> None:
    first, _ = origin.commit({"a.py": "1"}), origin.commit({"a.py": "2"})
    url = form.format(origin.folder)
    for written in (first, first.upper(), first[:7], first[:12].upper()):
        assert resolve(Repository(url, commit=written)) == Resolved(first, None)
    assert resolve(Repository(url, "main", first)) == Resolved(first, "main")


def test_the_hash_of_a_tag_is_the_commit_that_it_marks(origin: Origin) -> None:
    commit = origin.commit({"a.py": "1"})
    origin.git("-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "v1", "-m", "x", commit)
    assert resolve(origin.repository(commit=origin.git("rev-parse", "v1"))) == Resolved(commit, None)


def test_what_a_branch_does_not_hold_is_found_by_its_full_hash(origin: Origin) -> None:
    commit = origin.commit({"a.py": "1"}, "side")
    origin.commit({"a.py": "2"})
    origin.git("update-ref", "-d", "refs/heads/side")
    assert resolve(origin.repository(commit=commit)).commit == commit


def test_where_a_commit_cannot_be_asked_for_alone_all_are_fetched(origin: Origin, tmp_path: Path) -> None:
    settings(tmp_path, "[protocol]\nversion = 0\n")
    first, second = origin.commit({"a.py": "1"}), origin.commit({"a.py": "2"})
    assert resolve(origin.repository(commit=first)).commit == first
    assert "origin/main" in Origin(mirror(origin.repository())).git("branch", "-r")
    assert resolve(origin.repository(commit=second)).commit == second
    with pytest.raises(NotFoundError, match=f"has no commit {NONE}; check the hash"):
        resolve(origin.repository(commit=NONE))


def test_a_host_that_hangs_up_on_one_commit_is_asked_for_all(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({"a.py": "1"})
    text = 'case "$*" in *--depth=1*) echo fatal: the remote end hung up unexpectedly >&2; exit 128;; esac'
    program(tmp_path / "bin", f'{text}\nexec {GIT} "$@"', monkeypatch)
    assert resolve(origin.repository(commit=commit)).commit == commit


def test_one_commit_is_fetched_without_its_history_and_a_short_hash_with_it(origin: Origin) -> None:
    first, second = origin.commit({"a.py": "1"}), origin.commit({"a.py": "2"})
    resolve(origin.repository(commit=second))
    assert not cached(origin.repository(), first)
    assert Origin(mirror(origin.repository())).git("rev-list", "--all") == second
    assert resolve(origin.repository(commit=first[:8])).commit == first
    assert cached(origin.repository(), first)


@pytest.mark.parametrize("protocol", [0, 2])
def test_a_source_that_is_shallow_itself_gives_what_it_has(origin: Origin, tmp_path: Path, protocol: int) -> None:
    settings(tmp_path, f"[protocol]\nversion = {protocol}\n")
    first, second = origin.commit({"a.py": "1"}), origin.commit({"a.py": "2"})
    shallow = tmp_path / "shallow"
    subprocess.run([GIT, "clone", "-q", "--depth=1", f"file://{origin.folder}", str(shallow)], check=True)
    assert resolve(Repository(str(shallow), commit=second[:8])).commit == second
    assert Origin(mirror(Repository(str(shallow)))).git("rev-list", "--all") == second
    assert resolve(Repository(f"file://{shallow}", commit=second)).commit == second
    with pytest.raises(NotFoundError):
        resolve(Repository(str(shallow), commit=first))


def test_branches_that_become_folders_of_branches_are_no_obstacle(origin: Origin) -> None:
    first = origin.commit({"a.py": "1"}, "a")
    assert resolve(origin.repository(commit=first[:9])).commit == first
    origin.git("update-ref", "-d", "refs/heads/a")
    second = origin.commit({"a.py": "2"}, "a/b")
    assert resolve(origin.repository(commit=second[:9])).commit == second
    assert cached(origin.repository(), first)


def test_repositories_of_longer_hashes_are_read_as_well(tmp_path: Path) -> None:
    origin = made(tmp_path / "long", "--object-format=sha256")
    commit = origin.commit({"a.py": "1"})
    assert len(commit) == 64
    assert resolve(origin.repository()).commit == commit
    assert resolve(origin.repository(commit=commit[:10])).commit == commit
    materialise(origin.repository(), commit, tmp_path / "out")
    assert (tmp_path / "out/a.py").read_text() == "1"


def test_what_is_not_there_is_named_with_what_is_near(origin: Origin) -> None:
    with pytest.raises(NotFoundError, match="has no commit that it stands on; push one first"):
        resolve(origin.repository())
    commit = origin.commit({"a.py": "1"})
    tree = origin.git("rev-parse", f"{commit}^{{tree}}")
    origin.git("tag", "v1.0", commit)
    for repository, message in (
        (origin.repository("mian"), "has no branch 'mian'; did you mean 'main'?"),
        (origin.repository("zzz"), "has no branch 'zzz'; check the name, and that it was pushed"),
        (origin.repository("v1.0"), f"has no branch 'v1.0'; it is a tag: write hash: {commit}"),
        (origin.repository(commit=NONE), f"has no commit {NONE}; check the hash, and that it was pushed"),
        (origin.repository(commit="00000"), "has no commit that begins with 00000 on any branch or tag; check the"),
        (origin.repository(commit=tree), f"has no commit {tree}"),
        (origin.repository(commit=tree[:10]), f"has no commit that begins with {tree[:10]}"),
    ):
        with pytest.raises(NotFoundError) as caught:
            resolve(repository)
        assert f"the repository {origin.folder} {message}" in str(caught.value)
    origin.git("update-ref", "-d", "refs/heads/main")
    origin.commit({"a.py": "2"}, "trunk")
    with pytest.raises(NotFoundError, match="has no commit that it stands on; name a branch"):
        resolve(origin.repository())


def test_two_commits_that_begin_alike_are_told_apart_by_more_of_the_hash(origin: Origin) -> None:
    seen: dict[str, str] = {}
    # As nothing of them changes, neither do their hashes.
    data = "".join(
        f"commit refs/heads/main\nmark :{number}\ncommitter A <a@b> 1700000000 +0000\ndata 5\n{number:05d}\n"
        for number in range(1, 2001)
    )
    origin.git("fast-import", "--quiet", "--date-format=raw", data=data.encode())
    for commit in origin.git("rev-list", "main").split():
        twin = seen.setdefault(commit[:4], commit)
        if twin != commit:
            break
    else:
        raise AssertionError("no two alike")
    with pytest.raises(InvalidInputError, match=r"\d commits of the repository .* begin with .*; write more of the"):
        resolve(origin.repository(commit=commit[:4]))
    assert resolve(origin.repository(commit=commit[:12])).commit == commit


@pytest.mark.parametrize("branch", ["", "-x", "a b", "a..b", "x.lock", "a*", "/a", "a/", "a\nb", "@", "a@{1}", ".a"])
def test_what_is_no_name_of_a_branch_is_refused(branch: str) -> None:
    with pytest.raises(InvalidInputError, match="is no name of a branch"):
        Repository("/x", branch)


@pytest.mark.parametrize("commit", ["", "abc", "main", "0x12345", "g" * 40, "a" * 41, "a" * 65, "-12345"])
def test_what_is_no_hash_is_refused(commit: str) -> None:
    with pytest.raises(InvalidInputError, match="is no hash of a commit"):
        Repository("/x", None, commit)


def test_a_hash_that_yaml_took_for_a_number_is_to_be_quoted() -> None:
    with pytest.raises(InvalidInputError, match=r"1234567 is no hash of a commit; .* in quotes"):
        Repository("/x", None, 1234567)  # type: ignore[arg-type]


# --- urls -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("https://host/team/plates", "https"),
        ("HTTPS://host:8443/team/plates.git", "https"),
        ("https://host/@team/plates", "https"),
        ("http://[::1]:80/x", "http"),
        ("ssh://git@host:22/team/plates", "ssh"),
        ("ssh://host/~ana/plates", "ssh"),
        ("git@host:team/plates.git", "ssh"),
        ("host:plates", "ssh"),
        ("git://host/x", "git"),
        ("file:///srv/x y", "file"),
        ("/srv/x:y@z", "file"),
    ],
)
def test_urls_as_git_clone_takes_them_are_taken(url: str, scheme: str) -> None:
    assert Repository(url).scheme == scheme


@pytest.mark.parametrize(
    "url",
    [
        "https://ana:hush@host/x",
        "https://hush@host/x",
        "http://hush@host/x",
        "https://ana:hu/hush@host/x",
        "https://ana:hush#@host/x",
        "ssh://git:hush@host/x",
        "ssh://git%3Ahush@host/x",
        "git://hush@host/x",
        "file://hush@host/x",
        "ana:hush@host:x",
        "ana:hush@host/x",
        "https:ana:hush@host/x",
        "hush@host/x",
    ],
)
def test_a_url_that_holds_a_secret_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    for call in (Repository, lambda url: absolute_url(url, tmp_path)):
        with pytest.raises(InvalidInputError, match=r"write access_token: \$\{GIT_KEY\}") as caught:
            call(url)
        assert "hush" not in "".join((str(caught.value), repr(caught.value.__cause__), str(caught.value.args)))


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "ext::sh -c touch% /tmp/x",
        "fd::17",
        "-uhush",
        "--upload-pack=hush",
        "ftp://host/x",
        "s3://bucket/x",
        "ssh://-oProxyCommand=hush/x",
        "ssh://-oProxyCommand=hush@host/x",
        "-oProxyCommand=hush:x",
        "host:-x",
        "https:///x",
        "https://host",
        "https://host:hush/x",
        "https://ana:hush%40host/x",
        "https://host/x?private_token=hush",
        "https://host/x#hush",
        "file://host/x",
        "file:relative",
        " /x",
        "/x\n",
        "/x\0y",
        "relative/x",
    ],
)
def test_other_urls_are_refused_before_git_sees_them(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InvalidInputError) as caught:
        Repository(url)
    if url.startswith("-"):
        assert "has no known form" in str(caught.value)
    else:
        assert "hush" not in str(caught.value)


def test_a_relative_path_begins_where_the_definition_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    assert absolute_url("../code", tmp_path / "x") == str(tmp_path / "code")
    assert absolute_url("~/code", tmp_path) == "/home/ana/code"
    for url in ("/srv/code", "https://host/x", "git@host:x"):
        assert absolute_url(url, tmp_path) == url
    with pytest.raises(InvalidInputError, match="relative"):
        Repository("../code")


# --- the files of a commit --------------------------------------------------------------------------------------------


def test_a_commit_is_written_to_the_byte_whatever_its_attributes_say(origin: Origin, tmp_path: Path) -> None:
    settings(tmp_path, '[filter "evil"]\nsmudge = "sh -c \'echo evil\'"\nrequired = true\n[core]\nautocrlf = true\n')
    files: dict[str, str | bytes] = {
        ".gitattributes": "*.txt export-ignore eol=crlf filter=evil ident\n",
        "a.txt": b"1\r\n2\n$Id$\x00\xff",
        "run.sh": "#!/bin/sh\n",
        "pkg/deep/größe 1.py": "x = 1\n",
        "pkg/empty": b"",
        "big.bin": bytes(range(256)) * 12_000,
    }
    commit = origin.commit(files)
    materialise(origin.repository(), commit, tmp_path / "new" / "out")
    out = tmp_path / "new" / "out"
    written = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert written == {path: each.encode() if isinstance(each, str) else each for path, each in files.items()}
    assert os.access(out / "run.sh", os.X_OK)
    assert not (out / "a.txt").stat().st_mode & 0o111
    assert os.listdir(out.parent) == ["out"]


def test_files_are_read_without_writing_them(origin: Origin) -> None:
    commit = origin.commit({"a.py": "x = 1\n", "pkg/b.py": "y", "l.py": "-> pkg/../a.py", "p": "-> pkg"})
    tree = open_tree(origin.repository(), commit)
    assert tree.commit == commit
    assert tree.paths() == ["a.py", "l.py", "p", "pkg/b.py"]
    assert tree.read("a.py") == tree.read("l.py") == b"x = 1\n"
    assert tree.read("p/b.py") == b"y"
    for path in ("b.py", "pkg", "p", "../a.py", "a.py/x", ""):
        assert tree.read(path) is None
    assert tree.files["l.py"].target == "pkg/../a.py"


def test_a_commit_once_fetched_is_there_without_the_network(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1"})
    repository = origin.repository()
    assert not cached(repository, commit)
    open_tree(repository, commit)
    gone(origin)
    assert cached(repository, commit)
    materialise(repository, commit, tmp_path / "out")
    assert (tmp_path / "out/a.py").read_text() == "1"
    assert resolve(origin.repository(commit=commit)).commit == commit
    for other in (repository, origin.repository("main"), origin.repository(commit=commit[:7])):
        with pytest.raises(StorageError) as caught:
            resolve(other)
        assert caught.value.code == UNREACHABLE


def test_links_that_stay_within_are_made(origin: Origin, tmp_path: Path) -> None:
    links = {"d/up": "-> ..", "e": "-> d/up/a.py", "f": "-> ./d//../a.py", "dangling": "-> none/x", "d/self": "-> ."}
    commit = origin.commit({"a.py": "1", "d/b.py": "2", **links})
    materialise(origin.repository(), commit, tmp_path / "out")
    assert {path: os.readlink(tmp_path / "out" / path) for path in links} == {k: v[3:] for k, v in links.items()}
    assert (tmp_path / "out/e").read_text() == "1"


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"x": "-> /etc/passwd"}, "'x'"),
        ({"x": "-> ../y"}, "'x'"),
        ({"d/x": "-> ../../y"}, "'d/x'"),
        ({"x": "-> none/../../y"}, "'x'"),
        ({"d/up": "-> ..", "x": "-> d/up/../y", "d/a": "1"}, "'x'"),
        ({"d/e/up": "-> ../..", "g": "-> d/e", "x": "-> g/up/d/../../y"}, "'x'"),
        ({"x": "-> x"}, "'x'"),
        ({"x": "-> y", "y": "-> x/z"}, "'x'"),
        ({"x": "-> c:/y"}, "'x'"),
        ({"x": "-> ..\\y"}, "'x'"),
    ],
)
def test_links_that_leave_are_refused_and_named(
    origin: Origin, tmp_path: Path, files: dict[str, str | bytes], named: str
) -> None:
    commit = origin.commit(files)
    refused(origin, commit, tmp_path, f"{named} is a link to ")


def test_links_are_looked_at_once_more_as_the_file_system_sees_them(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.definitions.repositories.tree._followed", lambda parts, links: parts)
    commit = origin.commit({"d/up": "-> ..", "d/a": "1", "x": "-> d/up/../y"})
    with pytest.raises(IntegrityError, match="'x' is a link that leads out of the folder"):
        materialise(origin.repository(), commit, tmp_path / "place/out")
    assert os.listdir(tmp_path / "place") == []


def refused(origin: Origin, commit: str, tmp_path: Path, message: str) -> None:
    (tmp_path / "place").mkdir()
    for call in (
        lambda: open_tree(origin.repository(), commit),
        lambda: materialise(origin.repository(), commit, tmp_path / "place/out"),
    ):
        with pytest.raises(IntegrityError) as caught:
            call()
        assert caught.value.code == "bad_path"
        assert message in str(caught.value)
    assert os.listdir(tmp_path / "place") == []


@pytest.mark.parametrize(
    "name",
    [
        *("..", ".", "../out", "a/../../out", "/etc/out", "a//b", "a/"),
        *(".git", ".GIT", "git~1", "GIT~1", ".git ", ".git.", ".g\u200cit", ".git::$INDEX_ALLOCATION", ".git/hooks/x"),
    ],
)
def test_paths_that_leave_or_are_gits_own_are_refused(origin: Origin, tmp_path: Path, name: str) -> None:
    blob = origin.blob(b"evil")
    commit = origin.commit_tree(origin.tree(("100644", name, blob)))
    refused(origin, commit, tmp_path, repr(name)[1:-1] if name.isprintable() else "it")


def test_folders_that_leave_or_are_gits_own_are_refused(origin: Origin, tmp_path: Path) -> None:
    inner = origin.tree(("100644", "config", origin.blob(b"evil")))
    refused(origin, origin.commit_tree(origin.tree(("40000", ".git", inner))), tmp_path, "'.git/config'")
    shutil.rmtree(tmp_path / "place")
    refused(origin, origin.commit_tree(origin.tree(("40000", "..", inner))), tmp_path, "'../config'")


def test_nothing_is_a_link_and_a_folder_at_once(origin: Origin, tmp_path: Path) -> None:
    inner = origin.tree(("100644", "x", origin.blob(b"evil")))
    both = origin.tree(("120000", "a", origin.blob(b"b")), ("40000", "a", inner), ("40000", "b", inner))
    refused(origin, origin.commit_tree(both), tmp_path, "'a/x' lies in 'a', which is no folder")
    shutil.rmtree(tmp_path / "place")
    blob = origin.blob(b"1")
    refused(origin, origin.commit_tree(origin.tree(("100644", "a", blob), ("100755", "a", blob))), tmp_path, "twice")


def test_submodules_are_left_out_and_told(origin: Origin, tmp_path: Path) -> None:
    blob = origin.blob(b"1")
    commit = origin.commit_tree(origin.tree(("100644", "a.py", blob), ("160000", "lib", "1" * 40)))
    assert open_tree(origin.repository(), commit).submodules == ("lib",)
    with pytest.warns(UserWarning, match="'lib' is left out: submodules are not fetched"):
        materialise(origin.repository(), commit, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["a.py"]


def test_files_that_git_lfs_keeps_are_told(origin: Origin, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"
    files = {f"{name}.npz": pointer for name in "abcd"} | {"long.md": pointer + "x" * 1024, "m.py": "1"}
    commit = origin.commit(dict(files))
    with pytest.warns(UserWarning, match=r"of 'a.npz', 'b.npz', 'c.npz' and 1 more is kept by git lfs"):
        materialise(origin.repository(), commit, tmp_path / "out")
    assert (tmp_path / "out/a.npz").read_text() == pointer


def test_a_folder_that_is_there_is_left_as_it_is(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1"})
    (tmp_path / "out").mkdir()
    materialise(origin.repository(), commit, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []


def test_where_nothing_can_be_written_is_told(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1"})
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(StorageError, match=r"cannot write the files of .* into .*file"):
            materialise(origin.repository(), commit, folder)
    assert not list(tmp_path.glob(".*incoming*"))


def test_only_a_full_hash_is_written(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1"})
    with pytest.raises(InvalidInputError, match="is no full hash of a commit; resolve it first"):
        materialise(origin.repository(), commit[:8], tmp_path / "out")


# --- processes --------------------------------------------------------------------------------------------------------

WRITE = """
import sys
from pathlib import Path
from localreg.definitions.repositories import Repository, materialise, resolve
sys.stdin.readline()
repository = Repository(sys.argv[1])
materialise(repository, resolve(repository).commit, Path(sys.argv[2]))
"""


def test_processes_that_write_one_folder_at_once_all_find_it_whole(origin: Origin, tmp_path: Path) -> None:
    origin.commit({f"d{number}/f.py": f"{number}" for number in range(200)})
    out = tmp_path / "place/out"
    arguments = [sys.executable, "-c", WRITE, str(origin.folder), str(out)]
    children = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        assert child.communicate()[1] == b""
        assert child.returncode == 0
    assert {path.parent.name: path.read_text() for path in out.rglob("f.py")} == {f"d{n}": str(n) for n in range(200)}
    assert os.listdir(out.parent) == ["out"]


KILLED = """
import os, signal
from localreg.definitions.repositories import materialising
whole = materialising._write_file
def write(contents, file, place):
    if file.path == "b.py":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(contents, file, place)
materialising._write_file = write
"""


def test_a_process_killed_half_way_leaves_nothing_to_be_seen(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1", "b.py": "2"})
    out = tmp_path / "place/out"
    arguments = [sys.executable, "-c", KILLED + WRITE, str(origin.folder), str(out)]
    assert subprocess.run(arguments, input=b"go\n", check=False).returncode == -signal.SIGKILL
    (left,) = out.parent.iterdir()
    assert left.name.startswith(".out.incoming-")
    assert [each.name for each in left.iterdir()] == ["a.py"]
    materialise(origin.repository(), commit, out)
    assert sorted(os.listdir(out)) == ["a.py", "b.py"]
    assert left.exists(), "another process may be at it"
    os.utime(left, (0, 0))
    shutil.rmtree(out)
    materialise(origin.repository(), commit, out)
    assert os.listdir(out.parent) == ["out"]


def test_locks_that_a_killed_fetch_left_are_no_obstacle(origin: Origin) -> None:
    first = origin.commit({"a.py": "1"})
    resolve(origin.repository(commit=first))
    second = origin.commit({"a.py": "2"})
    folder = mirror(origin.repository())
    for name in ("shallow.lock", f"refs/localreg/{second}.lock", "packed-refs.lock"):
        (folder / name).touch()
    (folder / "objects/pack/tmp_pack_x").touch()
    assert resolve(origin.repository(commit=second)).commit == second
    assert not (folder / "objects/pack/tmp_pack_x").exists()


def test_who_waits_too_long_for_another_fetch_is_told(origin: Origin) -> None:
    from filelock import FileLock

    commit = origin.commit({"a.py": "1"})
    open_tree(origin.repository(), commit)
    other = origin.commit({"a.py": "2"})
    with FileLock(f"{mirror(origin.repository())}.lock"):
        with pytest.raises(StorageError, match="another process has been fetching into") as caught:
            open_tree(origin.repository(), other, timeout_s=0.05)
        assert open_tree(origin.repository(), commit).read("a.py") == b"1"
    assert caught.value.code == "busy"


def test_a_copy_that_was_damaged_is_told_with_its_folder(origin: Origin) -> None:
    commit = origin.commit({"a.py": "1"})
    tree = open_tree(origin.repository(), commit)
    for pack in (mirror(origin.repository()) / "objects/pack").iterdir():
        pack.unlink()
    with pytest.raises(StorageError, match=r"is damaged \(.* is missing\); delete that folder") as caught:
        tree.read("a.py")
    assert caught.value.code == "cache_damaged"
    assert not cached(origin.repository(), commit)
    assert open_tree(origin.repository(), commit).read("a.py") == b"1"
    (mirror(origin.repository()) / "HEAD").unlink()
    with pytest.raises(StorageError, match=r"is damaged \(.*not a git repository.*\); delete that folder"):
        open_tree(origin.repository(), commit)


def test_the_cache_is_for_this_user_alone_and_a_bad_place_is_told(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(origin.repository(commit=origin.commit({"a.py": "1"})))
    assert (tmp_path / "cache/repositories").stat().st_mode & 0o077 == 0
    assert not list((tmp_path / "cache/repositories").glob("incoming-*"))
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"cannot keep repositories in the cache .* set LOCALREG_CACHE"):
        resolve(origin.repository())


def test_a_mirror_that_cannot_be_made_leaves_nothing(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({"a.py": "1"})
    text = f'{GIT} "$@" || exit\n[ $1 = init ] && echo no room >&2 && exit 1\nexit 0'
    program(tmp_path / "bin", text, monkeypatch)
    with pytest.raises(StorageError, match=r"cannot make .*: no room") as caught:
        resolve(origin.repository(commit=commit))
    assert caught.value.code == "cache_unusable"
    assert [each.suffix for each in (tmp_path / "cache/repositories").iterdir()] == [".lock"]


# --- the program ------------------------------------------------------------------------------------------------------


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `git` of our own, before the real one."""
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_that_git_is_missing_or_too_old_is_told(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "old", "echo git version 2.25.1", monkeypatch)
    with pytest.raises(StorageError, match=r"old/git is git 2\.25, and 2\.31 is needed; install a newer one") as caught:
        resolve(origin.repository())
    assert caught.value.code == "no_git"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StorageError, match="git is not installed") as caught:
        resolve(origin.repository())
    assert caught.value.code == "no_git"


def test_a_remote_that_does_not_answer_is_given_up_with_all_that_was_started(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "alive")
    text = f"[ $1 = version ] && exec {GIT} version\nexec 9>{tmp_path}/alive\nsleep 600 &\nwait"
    program(tmp_path / "bin", text, monkeypatch)
    ended = threading.Event()

    def watch() -> None:
        with (tmp_path / "alive").open("rb") as alive:
            alive.read()  # until nobody holds the other end
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    with pytest.raises(StorageError, match=r"cannot be reached \(it took longer than 1 s\)") as caught:
        resolve(origin.repository(), timeout_s=1)
    assert caught.value.code == UNREACHABLE
    assert ended.wait(60)


def test_the_variables_of_the_caller_do_not_lead_astray(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = origin.commit({"a.py": "1"})
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, "/none")
    monkeypatch.setenv("GIT_NAMESPACE", "none")
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("GIT_FLUSH", "0")
    assert resolve(origin.repository()).commit == commit
    assert open_tree(origin.repository(), commit).read("a.py") == b"1"


def test_settings_of_the_user_hold_but_run_nothing(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1"})
    hook = f"#!/bin/sh\necho x >>{tmp_path}/ran\n"
    for folder in ("hooks", "template/hooks"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "reference-transaction").write_text(hook)
        (tmp_path / folder / "reference-transaction").chmod(0o755)
    settings(
        tmp_path,
        f"[core]\nhooksPath = {tmp_path}/hooks\n[init]\ntemplateDir = {tmp_path}/template\n"
        f'[url "{origin.folder}"]\ninsteadOf = https://host/team/x\n[gc]\nauto = 1\n',
    )
    repository = Repository("https://host/team/x")
    assert resolve(repository).commit == commit
    assert open_tree(repository, commit).read("a.py") == b"1"
    assert not (tmp_path / "ran").exists()
    assert not (mirror(repository) / "hooks").exists()
    settings(
        tmp_path, f'[url "ext::sh -c touch% {tmp_path}/ran% "]\ninsteadOf = https://host/\n[protocol]\nallow=always\n'
    )
    with pytest.raises(StorageError, match="transport 'ext' not allowed"):
        resolve(Repository("https://host/x"))
    assert not (tmp_path / "ran").exists()


def test_settings_in_the_environment_of_the_caller_hold(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = origin.commit({"a.py": "1"})
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{origin.folder}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://host/x")
    assert resolve(Repository("https://host/x")).commit == commit
    monkeypatch.setenv("GIT_CONFIG_COUNT", "x")
    assert resolve(origin.repository()).commit == commit


def test_a_repository_around_the_cache_has_no_say(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({"a.py": "1"})
    around = tmp_path / "around"
    subprocess.run([GIT, "init", "-q", str(around)], check=True)
    with (around / ".git/config").open("a") as config:
        config.write(f'[url "/none"]\ninsteadOf = {origin.folder}\n')
    monkeypatch.setenv("LOCALREG_CACHE", str(around / "cache"))
    monkeypatch.chdir(around)
    assert resolve(origin.repository()).commit == commit
    assert resolve(origin.repository(commit=commit[:8])).commit == commit


def test_ssh_asks_nobody_and_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(
        f'#!/bin/sh\nenv >>{tmp_path}/env\necho "$@" >>{tmp_path}/asked\necho Permission denied >&2\nexit 255\n'
    )
    (folder / "ssh").chmod(0o755)
    shutil.copy(folder / "ssh", folder / "plink")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    options = "-o BatchMode=yes -o ConnectTimeout=20"
    for variable, setting, expected in (
        (None, None, options),
        (None, "ssh -i key", f"-i key {options}"),
        ("ssh -p 7", "ssh -i key", f"-p 7 {options}"),
        ("plink -load x", None, "-load x"),
    ):
        settings(tmp_path, f"[core]\nsshCommand = {setting}\n" if setting else "")
        if variable:
            monkeypatch.setenv("GIT_SSH_COMMAND", variable)
        with pytest.raises(StorageError, match=r"may not be read .*; have a key that may read it") as caught:
            resolve(Repository("git@host:team/x"), token=TOKEN)
        assert caught.value.code == "forbidden"
        asked = (tmp_path / "asked").read_text().splitlines()[-1]
        assert asked.startswith(f"{expected} ")
        assert ("BatchMode" in asked) == ("BatchMode" in expected)
    assert "LC_ALL=C" in (tmp_path / "env").read_text()
    assert basic(f"x-access-token:{TOKEN}") not in (tmp_path / "env").read_text()


def test_nothing_heavy_is_loaded() -> None:
    heavy = ("pyarrow", "duckdb", "numpy", "filelock", "fsspec")
    code = f"import sys, localreg.definitions.repositories; print(*[m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


# --- what fails -------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed() -> Iterator[int]:
    """A port where nobody listens, nor will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}/x", "git://127.0.0.1:{}/x"])
def test_a_dead_remote_is_told_with_its_url(form: str, closed: int) -> None:
    repository = Repository(form.format(closed), "main")
    for call in (lambda: resolve(repository), lambda: open_tree(repository, NONE)):
        with pytest.raises(StorageError, match=r"cannot be reached .*; check the url and the network") as caught:
            call()
        assert caught.value.code == UNREACHABLE
        assert repository.url in str(caught.value)


@pytest.mark.parametrize("form", ["{}/none", "file://{}/no%20ne"])
def test_a_path_that_is_not_there_is_a_dead_remote_too(form: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be reached \(there is no .*/no ?ne\)") as caught:
        resolve(Repository(form.format(tmp_path)))
    assert caught.value.code == UNREACHABLE


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(InvalidInputError, match="is no git repository"):
            resolve(Repository(str(path)))
        with pytest.raises(InvalidInputError, match="is no git repository"):
            open_tree(Repository(str(path)), NONE)


@pytest.mark.parametrize(
    ("url", "said", "code"),
    [
        ("https://h/x", "fatal: unable to access 'https://h/x/': Could not resolve host: h", UNREACHABLE),
        ("https://h/x", "fatal: unable to access 'https://h/x/': Recv failure: Connection reset by peer", UNREACHABLE),
        ("https://h/x", "fatal: unable to access 'https://h/x/': The requested URL returned error: 503", UNREACHABLE),
        (
            "https://h/x",
            "fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF",
            UNREACHABLE,
        ),
        ("git@h:x", f"ssh: Could not resolve hostname h: Name or service not known\r\n{NOT_READ}", UNREACHABLE),
        ("git@h:x", f"ssh: connect to host h port 22: Connection timed out\n{NOT_READ}", UNREACHABLE),
        ("git@h:x", f"git@h: Permission denied (publickey).\n{NOT_READ}", "forbidden"),
        ("git@h:x", f"Host key verification failed.\n{NOT_READ}", "forbidden"),
        ("git@h:x", f"ERROR: Repository not found.\n{NOT_READ}", "no_repository"),
        ("git@h:x", "error: cannot run ssh: No such file or directory\nfatal: unable to fork", "no_ssh"),
        ("https://h/x", "remote: Not found.\nfatal: repository 'https://h/x/' not found", "no_repository"),
        ("https://h/x", "fatal: could not read Username for 'https://h': terminal prompts disabled", "forbidden"),
        ("https://h/x", "fatal: unable to access 'https://h/x/': The requested URL returned error: 403", "forbidden"),
        ("https://h/x", "fatal: https://h/x/info/refs not valid: is this a git repository?", "no_repository"),
        ("/x", "fatal: detected dubious ownership in repository at '/x'\nTo add an exception, call:\n", "forbidden"),
    ],
)
def test_words_of_git_and_of_hosts_are_understood(url: str, said: str, code: str) -> None:
    error = known_failure(said, url, Repository(url).scheme)
    assert error is not None
    assert error.code == code
    assert url in str(error)


def test_words_of_a_url_are_not_taken_for_those_of_git() -> None:
    url = "https://h/permission-denied/connection refused"
    assert known_failure(f"fatal: unable to access '{url}/': odd", url, "https") is None


def test_of_what_git_says_the_telling_line_is_shown_without_secrets() -> None:
    said = "remote: \x1b[31mno\nfatal: at 'https://ana:pass@h/x' with hush\nhint: try\nPlease make sure you have"
    assert last_line(said, ["hush"]) == "fatal: at 'https://h/x' with …"
    assert last_line("") == "it said nothing"


# --- a private repository over http -----------------------------------------------------------------------------------


@dataclass
class Web:
    """A host of repositories.

    Attributes:
        url: where it is.
        seen: the `Authorization` of each request; None = there was none.
        wanted: what it must be; None = anything.
        leads_to: another host, to which it sends all requests on.
    """

    url: str
    seen: list[str | None]
    wanted: str | None = None
    leads_to: str | None = None


@contextmanager
def served(folder: Path) -> Iterator[Web]:
    host = Web("", [])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host.seen.append(self.headers.get("Authorization"))
            if host.leads_to is not None:
                self.answer(302, [("Location", host.leads_to + self.path)], b"")
            elif host.wanted is not None and host.seen[-1] != host.wanted:
                self.answer(401, [("WWW-Authenticate", 'Basic realm="x"')], b"")
            else:
                self.backend(data)

        do_POST = do_GET

        def backend(self, data: bytes) -> None:
            path, _, query = self.path.partition("?")
            variables = {
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH": os.defpath,
            }
            done = subprocess.run(
                [GIT, "http-backend"], input=data, capture_output=True, check=False, env=variables
            ).stdout
            head, _, body = done.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().splitlines()]
            status = next((int(value.split()[0]) for key, value in lines if key == "Status"), 200)
            self.answer(status, [(key, value) for key, value in lines if key != "Status"], body)

        def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for key, value in headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """To nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with served(tmp_path) as web:
        yield web


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_a_repository_over_http_is_read(origin: Origin, web: Web, tmp_path: Path) -> None:
    first, second = origin.commit({"a.py": "1"}), origin.commit({"a.py": "2"})
    repository = Repository(f"{web.url}/origin")
    assert resolve(repository) == Resolved(second, "main")
    assert resolve(Repository(repository.url, commit=first)).commit == first
    assert resolve(Repository(repository.url, commit=second[:9])).commit == second
    with pytest.raises(NotFoundError, match=f"has no commit {NONE}"):
        resolve(Repository(repository.url, commit=NONE))
    with pytest.raises(NotFoundError, match="there is no repository") as caught:
        resolve(Repository(f"{web.url}/none"))
    assert caught.value.code == "no_repository"
    assert set(web.seen) == {None}


@pytest.mark.parametrize("token", [TOKEN, f" {TOKEN}\n", f"ana:{TOKEN}"], ids=["bare", "spaced", "named"])
def test_a_private_repository_is_read_with_its_token_which_is_left_nowhere(
    origin: Origin, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    first, second = origin.commit({"a.py": "1"}), origin.commit({"a.py": "2"})
    web.wanted = basic(token.strip() if ":" in token else f"x-access-token:{TOKEN}")
    monkeypatch.setenv("GIT_KEY", token)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "3")
    for number in range(3):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", "user.name")
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", "ana")
    (tmp_path / "notes").mkdir()
    lines = f'printf "%s\\n" "$@" >>{tmp_path}/notes/arguments\nenv >>{tmp_path}/notes/environment\nexec {GIT} "$@"'
    program(tmp_path / "bin", lines, monkeypatch)
    settings(tmp_path, f'[http "{web.url}/"]\nextraHeader = "Authorization: Basic eDp5"\n')
    repository = Repository(f"{web.url}/origin")
    assert resolve(repository, token=token).commit == second
    assert resolve(Repository(repository.url, commit=first[:9]), token=token).commit == first
    assert open_tree(repository, second, token=token).read("a.py") == b"2"
    materialise(repository, first, tmp_path / "out")
    assert set(web.seen) == {web.wanted}

    coded = web.wanted.removeprefix("Basic ")
    files = [path for top in ("cache", "out") for path in (tmp_path / top).rglob("*") if path.is_file()]
    files.append(tmp_path / "notes/arguments")
    for secret in (TOKEN, coded):
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
    environment = (tmp_path / "notes/environment").read_text()
    assert coded in environment
    assert TOKEN not in environment, "the user's own variable goes to nobody"
    assert "ls-remote" in (tmp_path / "notes/arguments").read_text()


@pytest.mark.parametrize("token", [None, "", f"{TOKEN}-old"])
def test_a_private_repository_without_its_token_says_what_to_write(
    origin: Origin, web: Web, tmp_path: Path, token: str | None
) -> None:
    commit = origin.commit({"a.py": "1"})
    web.wanted = basic(f"x-access-token:{TOKEN}")
    repository = Repository(f"{web.url}/origin")
    for call in (
        lambda: resolve(repository, token=token),
        lambda: resolve(Repository(repository.url, commit=commit[:8]), token=token),
        lambda: materialise(repository, commit, tmp_path / "out", token=token),
    ):
        with pytest.raises(StorageError, match=r"may not be read .*; write access_token: \$\{GIT_KEY\}") as caught:
            call()
        assert caught.value.code == "forbidden"
        assert repository.url in str(caught.value)
        assert TOKEN not in str(caught.value)
        assert caught.value.__cause__ is None
    assert not (tmp_path / "out").exists()


def test_a_token_that_a_host_repeats_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = f"[ $1 = version ] && exec {GIT} version\nenv | grep -i basic >&2\necho fatal: no {TOKEN} >&2\nexit 1"
    program(tmp_path / "bin", text, monkeypatch)
    with pytest.raises(StorageError, match="git could not read the repository http://h/x: fatal: no …; try"):
        resolve(Repository("http://h/x"), token=TOKEN)
    (tmp_path / "bin/git").write_text(
        f"#!/bin/sh\n[ $1 = version ] && exec {GIT} version\nenv | grep Basic | sed s/^/fatal:\\ / >&2\nexit 1\n"
    )
    with pytest.raises(StorageError, match="Authorization: Basic …; try"):
        resolve(Repository("http://h/x"), token=TOKEN)


def test_a_token_does_not_go_to_another_host(origin: Origin, web: Web, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1"})
    with served(tmp_path) as other:
        web.leads_to = other.url
        with pytest.raises(InvalidInputError, match="leads on to another url, where its access_token does not go"):
            resolve(Repository(f"{web.url}/origin"), token=TOKEN)
        assert other.seen == []
        assert resolve(Repository(f"{web.url}/origin")).commit == commit
        assert set(other.seen) == {None}


def test_helpers_of_the_user_are_asked_only_without_a_token(origin: Origin, web: Web, tmp_path: Path) -> None:
    commit = origin.commit({"a.py": "1"})
    web.wanted = basic("ana:pass")
    helper = f'"!echo x >>{tmp_path}/asked; echo username=ana; echo password=pass; :"'
    settings(tmp_path, f'[credential "{web.url}"]\nhelper = {helper}\n[credential]\nhelper = {helper}\n')
    with pytest.raises(StorageError, match="may not be read"):
        resolve(Repository(f"{web.url}/origin"), token=TOKEN)
    assert not (tmp_path / "asked").exists()
    assert resolve(Repository(f"{web.url}/origin")).commit == commit
    assert (tmp_path / "asked").exists()


def test_nobody_is_asked_for_a_password(
    origin: Origin, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.commit({"a.py": "1"})
    web.wanted = basic("ana:pass")
    asks = tmp_path / "asks"
    asks.write_text(f"#!/bin/sh\necho x >>{tmp_path}/asked\necho pass\n")
    asks.chmod(0o755)
    settings(tmp_path, f"[core]\naskPass = {asks}\n")
    monkeypatch.setenv("GIT_ASKPASS", str(asks))
    monkeypatch.setenv("SSH_ASKPASS", str(asks))
    with pytest.raises(StorageError, match="may not be read"):
        resolve(Repository(f"{web.url}/origin"))
    assert not (tmp_path / "asked").exists()


def test_a_password_in_settings_of_the_user_is_not_shown(origin: Origin, web: Web, tmp_path: Path) -> None:
    origin.commit({"a.py": "1"})
    web.wanted = basic("ana:pass")
    where = web.url.replace("http://", "http://ana:hush@")
    settings(tmp_path, f'[url "{where}/"]\ninsteadOf = https://host/\n')
    with pytest.raises(StorageError, match="may not be read") as caught:
        resolve(Repository("https://host/origin"))
    assert "hush" not in str(caught.value)


# --- local code -------------------------------------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working tree with one commit: `.gitignore`, `code/a.py` and `other/b.py`."""
    folder = tmp_path / "work"
    for name, text in ((".gitignore", "*.npz\nbuild/\n"), ("code/a.py", "1"), ("other/b.py", "2")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run([GIT, "init", "-q", "-b", "main", str(folder)], check=True)
    commit_all(folder)
    return folder


def commit_all(folder: Path) -> str:
    person = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
    subprocess.run([GIT, "-C", str(folder), "add", "."], check=True)
    subprocess.run([GIT, "-C", str(folder), *person, "commit", "-q", "-m", "x", f"--date={WHEN}"], check=True)
    return head(folder)


def head(folder: Path) -> str:
    return subprocess.run(
        [GIT, "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_of_local_code_is_told_and_whether_the_folder_differs(work: Path) -> None:
    clean, dirty = WorkingTree(head(work), dirty=False), WorkingTree(head(work), dirty=True)
    (work / "other/b.py").write_text("changed")
    (work / "code/weights.npz").write_text("ignored")
    assert working_tree(work / "code") == clean
    assert working_tree(work) == dirty
    (work / "code/a.py").write_text("changed")
    assert working_tree(work / "code") == dirty
    (work / "code/a.py").write_text("1")
    assert working_tree(work / "code") == clean
    (work / "code/new.py").write_text("new")
    assert working_tree(work / "code") == dirty
    (work / "code/new.py").unlink()
    (work / "code/a.py").unlink()
    assert working_tree(work / "code") == dirty


def test_the_variables_of_the_caller_and_of_hooks_do_not_count(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/none")
    monkeypatch.setenv("GIT_INDEX_FILE", "/none/index")
    monkeypatch.setenv("GIT_WORK_TREE", "/")
    assert working_tree(work / "code") == WorkingTree((work / ".git/refs/heads/main").read_text().strip(), dirty=False)


def test_what_git_does_not_know_has_no_commit(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "build").mkdir()
    (work / "build/a.py").write_text("1")
    fresh = tmp_path / "fresh"
    subprocess.run([GIT, "init", "-q", str(fresh)], check=True)
    (tmp_path / "plain").mkdir()
    for folder in (work / "build", work / ".git", fresh, tmp_path / "plain", tmp_path / "none"):
        assert working_tree(folder) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert working_tree(work) is None


def test_settings_of_a_repository_run_nothing_when_it_is_looked_at(work: Path, tmp_path: Path) -> None:
    with (work / ".git/config").open("a") as config:
        config.write(f'[core]\nfsmonitor = "touch {tmp_path}/ran; :"\n')
    assert working_tree(work) == WorkingTree(head(work), dirty=False)
    assert not (tmp_path / "ran").exists()
