"""A Hub on the loopback interface: the part of the Hub's HTTP API that its Python clients use.

    with HubServer(folder) as hub:
        ...  # a process started with HF_ENDPOINT=hub.url and HF_HUB_DISABLE_XET=1 talks to it
        hub.history("me/insects")[-1].operations        # (("lfsFile", "train.parquet"), ("deletedFile", "old.py"))
        hub.requested("GET", r"/resolve/.*\\.parquet")   # [Request(method, path, status, received, sent), ...]
        hub.fail("PUT", "/lfs/", skip=2)                # the third upload is answered with 503

What is there beyond HTTP (repositories, commits, bytes) lives in `hub_store`.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from hub_store import Commit, Fault, Refusal, Repo, Request, Store, folder_entry, is_lfs, span


DATE = "2026-01-01T00:00:00.000Z"


class HubServer:
    """A Hub with its repositories, the log of its requests, and its planned failures.

    Args:
        root: the folder that holds the bytes of all files.
        users: token → namespaces it may write to. Empty: everybody may do everything, without a token.
        aliases: name → repository id it stands for (the bare names of old, such as `bioscan-5m`).
    """

    def __init__(
        self, root: Path | str, users: dict[str, Iterable[str]] | None = None, aliases: dict[str, str] | None = None
    ) -> None:
        self.store = Store(Path(root))
        self.users, self.aliases = dict(users or {}), dict(aliases or {})
        self.log: list[Request] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> HubServer:
        self.store.root.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True, name="hub").start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fresh(self) -> HubServer:
        """Forget log, failures, users and aliases; repositories stay."""
        for memory in (self.log, self.faults, self.users, self.aliases):
            memory.clear()
        return self

    def fail(self, method: str, path: str, *, skip: int = 0, times: int = 1, status: int = 503,
             cut: int | None = None, then: Callable[[], object] | None = None) -> None:  # fmt: skip
        """Plan a failure of requests whose path matches a regular expression.

        Args:
            method: of the requests.
            path: regular expression, searched in the path with its query.
            skip: how many such requests succeed before.
            times: how many then fail.
            status: what they are answered with.
            cut: instead of answering, close the connection after so many bytes of the body (a GET's: of the answer).
            then: called at the moment of failure, for instance to kill the client.
        """
        self.faults.append(Fault(method, path, skip, times, status, cut, then))

    def fault(self, method: str, path: str) -> Fault | None:
        """Give the failure that is due for a request, and count it."""
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method == method and re.search(fault.path, path):
                    if not fault.skip:
                        fault.times -= 1
                        return fault
                    fault.skip -= 1
        return None

    def requested(self, method: str, path: str = "", status: int | None = None) -> list[Request]:
        """Give the requests with this method whose path matches (and that were answered so), in order."""
        found = [request for request in self.log if request.method == method and re.search(path, request.path)]
        return [request for request in found if status in (None, request.status)]

    def repo(self, repo_id: str, repo_type: str = "dataset") -> Repo:
        """Give a repository by its id, or by a bare name that stands for it."""
        repo = self.store.repos.get((repo_type, self.aliases.get(repo_id, repo_id)))
        if repo is None:
            raise Refusal(404, "RepoNotFound", f"no {repo_type} {repo_id}")
        return repo

    def history(self, repo_id: str, repo_type: str = "dataset", revision: str = "main") -> list[Commit]:
        """Give the commits of a revision, oldest first; the first is the Hub's own, with `.gitattributes`."""
        return self.repo(repo_id, repo_type).revisions[revision]

    def files(self, repo_id: str, repo_type: str = "dataset", revision: str = "main") -> dict[str, bytes]:
        """Give the content of a revision."""
        files = self.repo(repo_id, repo_type).commit(revision).files
        return {path: self.store.path(blob.sha256).read_bytes() for path, blob in sorted(files.items())}

    def seed(self, repo_id: str, files: dict[str, bytes], repo_type: str = "dataset", message: str = "seed") -> None:
        """Commit files to a repository, which is made if need be, without HTTP."""
        with self.lock:
            repo = self.store.repos.get((repo_type, repo_id)) or self.store.create(repo_type, repo_id)
            blobs = {path: self.store.add(content, is_lfs(path, len(content))) for path, content in files.items()}
            operations = [("lfsFile" if blob.lfs else "file", path) for path, blob in blobs.items()]
            repo.append("main", message, operations, {**repo.commit("main").files, **blobs})


class Handler(BaseHTTPRequestHandler):
    """One connection: finds the route of each request, answers and counts what goes over the wire."""

    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        self.query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        self.fault, self.body = self.hub.fault(self.command, self.path), b""
        try:
            if self.fault and self.fault.then:
                self.fault.then()
            self.body = self.read_body()
            if self.fault and self.fault.cut is None:
                raise Refusal(self.fault.status, message="planned failure")
            self.route(url.path)
        except Refusal as refusal:
            self.answer(refusal.status, {"error": refusal.message}, **refusal.headers)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def route(self, path: str) -> None:
        for methods, pattern, action in ROUTES:
            match = re.fullmatch(pattern, path) if self.command in methods else None
            if match:
                return action(self, **{name: unquote(value or "") for name, value in match.groupdict().items()})
        raise Refusal(404, message="no such route")

    def read_body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if self.fault and self.fault.cut is not None and self.command != "GET":
            self.hang_up(received=len(self.rfile.read(min(length, self.fault.cut))))
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(length)
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def hang_up(self, received: int = 0, sent: int = 0) -> None:
        self.hub.log.append(Request(self.command, self.path, 0, received, sent))
        self.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    def answer(self, status: int, payload: object, **headers: str) -> None:
        self.reply(status, json.dumps(payload).encode(), {"Content-Type": "application/json", **headers})

    def reply(self, status: int, content: bytes, headers: dict[str, str], length: int | None = None) -> None:
        cut = self.fault.cut if self.fault and self.command == "GET" else None
        body = b"" if self.command == "HEAD" else content[:cut]
        if cut is None:
            self.hub.log.append(Request(self.command, self.path, status, len(self.body), len(body)))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content) if length is None else length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if cut is not None:
            self.hang_up(sent=len(body))

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def may_write(self, repo_id: str) -> None:
        if self.hub.users and self.token not in self.hub.users:
            raise Refusal(401, message="Invalid credentials in Authorization header" if self.token else "log in first")
        if self.hub.users and repo_id.split("/")[0] not in self.hub.users[self.token]:
            raise Refusal(403, message=f"you may not write to {repo_id}")

    def repo(self, type: str, id: str) -> Repo:
        repo = self.hub.repo(id, type or "model")
        if repo.private and self.hub.users and repo.id.split("/")[0] not in self.hub.users.get(self.token, ()):
            raise Refusal(401, "RepoNotFound", f"no {repo.type} {id}")
        return repo

    def whoami(self) -> None:
        if self.hub.users and self.token not in self.hub.users:
            raise Refusal(401, message="Invalid credentials in Authorization header")
        name, *others = self.hub.users.get(self.token, ["tester"])
        self.answer(200, {"type": "user", "name": name, "orgs": [{"name": other} for other in others]})

    def create_repo(self) -> None:
        given = json.loads(self.body)
        repo_type, repo_id = given.get("type") or "model", f"{given.get('organization') or 'tester'}/{given['name']}"
        with self.hub.lock:
            exists = (repo_type, repo_id) in self.hub.store.repos
            if not exists:
                self.may_write(repo_id)
                self.hub.store.create(repo_type, repo_id, private=given.get("visibility") == "private")
        url = f"{self.hub.url}/{self.hub.repo(repo_id, repo_type).address}"
        self.answer(409 if exists else 200, {"url": url, "name": repo_id, "id": repo_id})

    def validate_yaml(self) -> None:
        found = re.match(r"---\n(.*?)\n---", json.loads(self.body)["content"], re.DOTALL)
        warnings = [] if found else [{"message": "empty or missing yaml metadata in repo card"}]
        try:
            yaml.safe_load(found[1] if found else "")
        except yaml.YAMLError as error:
            return self.answer(400, {"error": "bad yaml", "errors": [{"message": str(error)}], "warnings": warnings})
        self.answer(200, {"errors": [], "warnings": warnings})

    def preupload(self, type: str, id: str, revision: str) -> None:
        known = self.repo(type, id).commit(revision).files
        files = [(file["path"], is_lfs(file["path"], file["size"])) for file in json.loads(self.body)["files"]]
        answers = [
            {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False,
             "oid": known[path].oid if path in known else None}
            for path, lfs in files
        ]  # fmt: skip
        self.answer(200, {"files": answers})

    def lfs_batch(self, type: str, id: str) -> None:
        repo, given = self.repo(type, id), json.loads(self.body)
        if "ref" in given:  # left out by the client for a pull request, which needs no right to write
            self.may_write(repo.id)
        objects = [{"oid": wanted["oid"], "size": wanted["size"]} for wanted in given["objects"]]
        for wanted in objects:
            if wanted["oid"] not in repo.lfs:
                upload = f"{self.hub.url}/lfs/{repo.address}/{wanted['oid']}"
                wanted["actions"] = {"upload": {"href": upload}, "verify": {"href": f"{self.hub.url}/lfs-verify"}}
        self.answer(200, {"transfer": "basic", "objects": objects})

    def lfs_upload(self, type: str, id: str, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refusal(400, message="the content does not have this SHA-256")
        self.hub.store.add(self.body, lfs=True)
        self.repo(type, id).lfs.add(oid)
        self.answer(200, {})

    def lfs_verify(self) -> None:
        if not self.hub.store.path(json.loads(self.body)["oid"]).exists():
            raise Refusal(404, message="not uploaded")
        self.answer(200, {})

    def commit(self, type: str, id: str, revision: str) -> None:
        repo, pull = self.repo(type, id), "create_pr" in self.query
        header, *operations = (json.loads(line) for line in self.body.splitlines())
        if not pull and not revision.startswith("refs/pr/"):
            self.may_write(repo.id)
        with self.hub.lock:
            parent = repo.commit(revision)
            if not parent.oid.startswith(header["value"].get("parentCommit", "")):
                raise Refusal(412, message="A commit has happened since. Please refresh and try again.")
            files = dict(parent.files)
            for operation in operations:
                self.hub.store.apply(files, operation["key"], operation["value"])
            revision = repo.open_pull_request(revision) if pull else revision
            done = [(operation["key"], operation["value"]["path"]) for operation in operations]
            commit = repo.append(revision, header["value"]["summary"], done, files)
        home = f"{self.hub.url}/{repo.address}"
        request = f"{home}/discussions/{revision.rsplit('/', 1)[1]}" if pull else None
        url = f"{home}/commit/{commit.oid}"
        self.answer(200, {"success": True, "commitOid": commit.oid, "commitUrl": url, "pullRequestUrl": request})

    def info(self, type: str, id: str, revision: str = "main") -> None:
        repo = self.repo(type, id)
        commit = repo.commit(revision)
        siblings = [blob.sibling(path, "blobs" in self.query) for path, blob in commit.files.items()]
        known = {"_id": repo.id, "id": repo.id, "author": repo.id.split("/")[0], "sha": commit.oid, "tags": [],
                 "private": repo.private, "gated": False, "disabled": False, "downloads": 0, "likes": 0,
                 "lastModified": DATE, "createdAt": DATE, "siblings": siblings}  # fmt: skip
        self.answer(200, known)

    def tree(self, type: str, id: str, revision: str, path: str = "") -> None:
        recursive = self.query.get("recursive", "").lower() in ("true", "1")
        self.answer(200, self.repo(type, id).commit(revision).tree(path, recursive))

    def paths_info(self, type: str, id: str, revision: str) -> None:
        files = self.repo(type, id).commit(revision).files
        given = json.loads(self.body) if self.body.startswith(b"{") else parse_qs(self.body.decode())
        folders = {str(parent) for name in files for parent in Path(name).parents}
        found = [files[path].entry(path) for path in given["paths"] if path in files]
        self.answer(200, found + [folder_entry(path) for path in given["paths"] if path in folders])

    def resolve(self, type: str, id: str, revision: str, path: str) -> None:
        commit = self.repo(type, id).commit(revision)
        blob = commit.files.get(path)
        if blob is None:
            raise Refusal(404, "EntryNotFound", f"no file {path}", **{"X-Repo-Commit": commit.oid})
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{blob.oid}"', "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-Etag": f'"{blob.oid}"', "X-Linked-Size": str(blob.size)}
        start, stop = 0, blob.size
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start, stop = span(blob.size, *wanted.groups())
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
        content = b""
        if self.command == "GET":
            with self.hub.store.path(blob.sha256).open("rb") as file:
                file.seek(start)
                content = file.read(stop - start)
        self.reply(206 if wanted else 200, content, headers, length=stop - start)


API = r"/api/(?P<type>model|dataset|space)s/(?P<id>[\w.-]+(?:/[\w.-]+)?)"
WEB = r"/(?:(?P<type>dataset|space)s/)?(?P<id>[\w.-]+(?:/[\w.-]+)?)"
ROUTES: tuple[tuple[tuple[str, ...], str, Callable[..., Any]], ...] = (
    (("GET",), "/api/whoami-v2", Handler.whoami),
    (("POST",), "/api/repos/create", Handler.create_repo),
    (("POST",), "/api/validate-yaml", Handler.validate_yaml),
    (("POST",), API + "/preupload/(?P<revision>[^/]+)", Handler.preupload),
    (("POST",), API + "/commit/(?P<revision>[^/]+)", Handler.commit),
    (("POST",), API + "/paths-info/(?P<revision>[^/]+)", Handler.paths_info),
    (("GET",), API + "/revision/(?P<revision>[^/]+)", Handler.info),
    (("GET",), API + "/tree/(?P<revision>[^/]+)(?P<path>/.*)?", Handler.tree),
    (("GET",), API, Handler.info),
    (("POST",), WEB + r"\.git/info/lfs/objects/batch", Handler.lfs_batch),
    (("PUT",), "/lfs" + WEB + "/(?P<oid>[0-9a-f]{64})", Handler.lfs_upload),
    (("POST",), "/lfs-verify", Handler.lfs_verify),
    (("GET", "HEAD"), WEB + "/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Handler.resolve),
)
