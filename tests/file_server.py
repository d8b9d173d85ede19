"""A file server on the loopback interface that misbehaves as told: refuses, cuts, stalls, ignores ranges."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class File:
    """What stands at an address.

    Args:
        content: the bytes.
        statuses: HTTP statuses of the next requests, before the file is served.
        cuts: of the next answers, after how many bytes of the body the connection is closed.
        stall: after how many bytes of the body the server falls silent.
        ranges: requests for a range are answered with one.
        shift: how many bytes later than asked a range begins.
        length: the answer says how long it is.
        headers: more headers, on error answers too.
    """

    content: bytes
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    stall: int | None = None
    ranges: bool = True
    shift: int = 0
    length: bool = True
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    authorization: str | None


class FileServer:
    """Serves `files` by name, and logs what was asked."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.requests: list[Request] = []
        owner = self

        class Handler(_Handler):
            server_files = owner.files
            log = owner.requests

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def ranges(self, name: str) -> list[str | None]:
        """Give the ranges of the GET requests for a file, in order."""
        return [request.range for request in self.requests if request.method == "GET" and request.path == f"/{name}"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet where a client hangs up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_files: dict[str, File]
    log: list[Request]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.log.append(Request(self.command, self.path, self.headers["Range"], self.headers["Authorization"]))
        file = self.server_files.get(self.path[1:])
        if file is None or file.statuses:
            self.send_response(404 if file is None else file.statuses.pop(0))
            self._finish({"Content-Length": "0", **(file.headers if file else {})})
            return
        total, start, stop = len(file.content), 0, len(file.content)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "") if file.ranges else None
        if asked:
            start = int(asked[1]) + file.shift
            stop = min(int(asked[2]) + 1, total) if asked[2] else total
        if asked and start >= total:
            self.send_response(416)
            self._finish({"Content-Range": f"bytes */{total}", "Content-Length": "0"})
            return
        headers = {"Content-Length": str(stop - start)} if file.length else {"Connection": "close"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
        self.send_response(206 if asked else 200)
        self._finish({**headers, "Accept-Ranges": "bytes" if file.ranges else "none", **file.headers})
        if not body:
            return
        if file.stall is not None:
            self.wfile.write(file.content[start:stop][: file.stall])
            while file.stall is not None:
                time.sleep(0.01)
            self.close_connection = True
            return
        cut = file.cuts.pop(0) if file.cuts else None
        self.wfile.write(file.content[start:stop][:cut])
        if cut is not None or not file.length:
            self.close_connection = True

    def _finish(self, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *message: Any) -> None:
        """Stay quiet."""
