"""The server of the page: this machine alone, unless it is told otherwise; the browser is told to ask nobody else."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ..errors import Bioscan5mError, OutputError
from .collection import Collection
from .drawing import world_svg
from .page import make_page
from .style import CSS, theme


LARGEST = "30mb"
"""Of a photograph that is dropped."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio's own, which makes functions of its templates
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
"""What the browser may load: nothing from elsewhere (Content-Security-Policy)."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def make_app(collection: Collection, *, hosts: list[str] | None = None) -> FastAPI:
    """Make the application: the page, photographs by row, and the outlines of the world.

    Args:
        collection: what is shown.
        hosts: names under which it is asked for; others are refused, so that no foreign page reaches it by a name of
            its own (DNS rebinding); None for any.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)

    @app.middleware("http")
    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.get("/photographs/{number}")
    def photograph(number: int) -> Response:
        try:
            data = collection.photograph(number)
        except (Bioscan5mError, LookupError, OSError) as error:
            return Response(str(error), 404, media_type="text/plain")
        if data is None:
            return Response("this dataset has no photographs", 404, media_type="text/plain")
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    @app.get("/world.svg")
    def world() -> Response:
        return Response(world_svg(), media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=86400"})

    mounted: FastAPI = gr.mount_gradio_app(
        app, make_page(collection), "", theme=theme(), css=CSS, footer_links=[], max_file_size=LARGEST, ssr_mode=False,
        show_error=True, enable_monitoring=False, pwa=False, mcp_server=False,
    )  # fmt: skip
    return mounted


def serve(
    collection: Collection, host: str = "127.0.0.1", port: int = 7860, say: Callable[[str], object] = print
) -> None:
    """Show the page until it is interrupted.

    Args:
        collection: what is shown.
        host: address to listen on; only this machine by default.
        port: 0 takes a free one.
        say: told where the page is.

    Raises:
        OutputError: it cannot listen there.
    """
    bound = listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"
    app = make_app(collection, hosts=[*LOOPBACK, "[::1]"] if host in LOOPBACK else None)
    say(f"{address}   (Ctrl+C ends it)")
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([bound])


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        OutputError: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise OutputError(
            f"cannot listen on {host}, port {port} ({error}): name another with --host or --port"
        ) from error
    return bound
