"""The page of specimens: browse."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(browse)


def browse(
    dataset: Annotated[str, typer.Argument(help="Dataset folder, or repository on the Hub.")],
    index: Annotated[
        str | None,
        typer.Option(help="Folder that `bioscan5m index` wrote, or its id on the Hub: shows what is nearest."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Names what is pasted or dropped: the model of the index, or without one a fine-tuned one."),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of the dataset on the Hub.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; by default this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
) -> None:
    """Show specimens on a page of this machine: filters, cards, neighbours, names."""
    from .browse.collection import open_collection
    from .browse.server import LOOPBACK, serve

    opened = open_collection(dataset, index=index, model=model, revision=revision)
    catalogue = opened.catalogue
    typer.echo(f"{len(catalogue):,} specimens; their filters take {catalogue.nbytes / 1e6:,.1f} MB of memory")
    if opened.photographs is None:
        typer.echo(f"note: {dataset} has no photographs: cards are shown without them")
    if host not in LOOPBACK:
        typer.echo(f"note: whoever reaches {host} sees the page, and can have specimens named")
    serve(opened, host, port, typer.echo)
