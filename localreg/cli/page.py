"""The page in a browser: `ui`."""

from typing import Annotated

import typer

from localreg.cli.place import Place, examples, placed

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


def _ui(
    place: Place,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="Else 8642, or any free one if it is taken.")] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others than this machine get in by a token alone.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What whoever comes must bring; else one is made where --host needs it."),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER", help="Whose pictures may be shown, beside this folder and the registry. Repeatable."
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing can be edited on the page.")] = False,
) -> None:
    """Open the page: find, look at and edit models; compare them; experiments, artifacts, policies, the audit log.

    It answers this machine alone, until Ctrl-C. Edits are made as --actor.
    """
    registry = place.read() if read_only else place.write()

    def opened(address: str) -> None:
        print(f"localreg ui: {address}  (Ctrl-C ends it)", flush=True)
        if browser:
            import webbrowser

            webbrowser.open(address)

    try:
        from localreg.ui.serving import serve

        serve(registry, host=host, port=port, token=token, files=files or (), opened=opened)
    except ImportError as error:
        from localreg.errors import InvalidInputError

        told = "the page needs starlette, uvicorn and jinja2; install them: pip install 'localreg-registry[ui]'"
        raise InvalidInputError(told) from error


app.command("ui", epilog=examples("localreg ui", "localreg ui --port 8700 --no-browser", "localreg ui --read-only"))(
    placed(_ui, hidden={"at"})
)
