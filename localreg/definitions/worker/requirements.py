"""What a repository says of the packages that it needs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from glob import escape, glob

__all__ = ["advice"]

NAMES = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "google.protobuf": "protobuf",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tflite_runtime": "tflite-runtime",
    "torch": "torch",
    "umap": "umap-learn",
    "yaml": "PyYAML",
}
"""Packages that are installed under another name than they are imported by."""

SAME = {
    "faiss-cpu": {"faiss-gpu", "faiss"},
    "opencv-python": {"opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless", "opencv"},
    "torch": {"pytorch", "pytorch-cuda"},
}
"""Other names that bring the same."""


def advice(root: str, package: str) -> str:
    """What to do about a package that is not installed: a piece of a message.

    Args:
        root: folder of the code.
        package: by the name that is imported, such as `sklearn`.
    """
    name = NAMES.get(package, package)
    wanted = {_normal(each) for each in (package, name, *SAME.get(name, ()))}
    read: list[str] = []
    for path, lines in _files(root):
        file = os.path.relpath(path, root)
        read.append(file)
        for number, line in lines:
            if _normal(_named(line)) in wanted:
                return f"{file}, line {number}, asks for {line!r}: {_install(path, line)}"
    told = f"{' and '.join(read)} of its code {'does' if len(read) == 1 else 'do'} not name it: " if read else ""
    return f"{told}pip install {name}"


def _files(root: str) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Files that say what is needed, each with its lines that may name something."""
    for path in sorted(glob(os.path.join(escape(root), "requirements*.txt"))):
        yield path, _lines(path)
    project = os.path.join(root, "pyproject.toml")
    if os.path.isfile(project):
        yield project, _project(project)
    for name in ("environment.yml", "environment.yaml"):
        path = os.path.join(root, name)
        if os.path.isfile(path):
            yield path, [(number, line[1:].strip()) for number, line in _lines(path) if line.startswith("-")]


def _lines(path: str) -> list[tuple[int, str]]:
    """Lines that are not empty, without comments, with their numbers."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in file]
    except OSError:  # it only adds to a message
        return []
    return [(number, line) for number, line in enumerate(lines, 1) if line]


def _project(path: str) -> list[tuple[int, str]]:
    """The dependencies of a `pyproject.toml`, with the lines where they stand."""
    import tomllib  # only an error needs it

    try:
        with open(path, "rb") as file:
            asked = tomllib.load(file)["project"]["dependencies"]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    lines = _lines(path)
    return [
        (next((number for number, line in lines if each in line), 1), each) for each in asked if isinstance(each, str)
    ]


def _named(line: str) -> str:
    """The name that a line begins with."""
    found = re.match(r"(?:[\w.-]+::)?([A-Za-z0-9][\w.-]*)", line)
    return found[1] if found else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _install(path: str, line: str) -> str:
    if path.endswith(".txt"):
        return f"pip install -r {_quoted(path)}"
    return f'pip install "{line}"' if path.endswith(".toml") else f"conda env update --file {_quoted(path)}"


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path
