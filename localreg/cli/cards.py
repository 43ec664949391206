"""`localreg card`: what is known of a model version, as a document."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.output import Rows
from localreg.cli.place import examples, reading

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@dataclass(frozen=True)
class Document:
    """A model card, and the file that it was written to, if it was."""

    text: str
    file: Path | None
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """The card itself, unless it stands in a file."""
        yield from self.text.splitlines() if self.file is None else [f"wrote {self.file}"]

    def json(self) -> dict[str, object]:
        """The card, as one text."""
        return {"card": self.text}

    def csv(self) -> Rows:
        """Likewise."""
        return Rows(("card",), [(self.text,)])


@app.command("card", epilog=examples("localreg card meadow-5@production", "localreg card meadow-5 --output README.md"))
@reading()
def card(
    registry: "Registry",
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="MODEL (its newest version), MODEL@VERSION or MODEL@ALIAS.",
            autocompletion=completion.models,
        ),
    ],
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, such as to README.md.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> Document:
    """Print a model card: what is known of a version, as the README.md that is published with it.

    YAML for tools, then Markdown: metrics by test suite, data, files with their digests, lineage. No secret is in it.
    """
    text = registry.model_card(model)
    if output is not None:
        from localreg.storage.new_file import checked_target, new_file

        with new_file(checked_target(output, overwrite=overwrite), overwrite=overwrite) as file:
            file.write(text.encode())
    return Document(text, output)
