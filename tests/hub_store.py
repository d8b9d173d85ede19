"""What the loopback Hub keeps: repositories, commits, bytes of files, requests seen, failures planned."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


LFS_SUFFIXES = (".parquet", ".zip", ".safetensors", ".bin", ".jpg", ".png", ".arrow", ".gz", ".npy")
LFS_BYTES = 10 * 2**20
GITATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()


class Refusal(Exception):
    """An answer other than success; the code is what the client chooses its exception by."""

    def __init__(self, status: int, code: str = "", message: str = "", **headers: str) -> None:
        self.status, self.message = status, message
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **headers}


@dataclass(frozen=True)
class Blob:
    """One version of a file; its bytes lie in the server's folder under their SHA-256."""

    sha256: str
    sha1: str
    size: int
    lfs: bool

    @property
    def oid(self) -> str:
        return self.sha256 if self.lfs else self.sha1

    def entry(self, path: str) -> dict[str, Any]:
        lfs = {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 134}} if self.lfs else {}
        return {"type": "file", "path": path, "size": self.size, "oid": self.sha1, **lfs}

    def sibling(self, path: str, blobs: bool) -> dict[str, Any]:
        if not blobs:
            return {"rfilename": path}
        lfs = {"lfs": {"sha256": self.sha256, "size": self.size, "pointerSize": 134}} if self.lfs else {}
        return {"rfilename": path, "size": self.size, "blobId": self.sha1, **lfs}


def folder_entry(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}


def is_lfs(path: str, size: int) -> bool:
    return size > 0 and (path.endswith(LFS_SUFFIXES) or size > LFS_BYTES)


@dataclass(frozen=True)
class Commit:
    """One commit: its operations as (file, lfsFile, deletedFile or deletedFolder; path), and all files after it."""

    oid: str
    message: str
    operations: tuple[tuple[str, str], ...]
    files: dict[str, Blob]

    def tree(self, folder: str, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder.strip('/')}/".removeprefix("/")
        inside = {path: blob for path, blob in sorted(self.files.items()) if path.startswith(prefix)}
        if prefix and not inside:
            raise Refusal(404, "EntryNotFound", f"no folder {folder}", **{"X-Repo-Commit": self.oid})
        entries: dict[str, dict[str, Any]] = {}
        for path, blob in inside.items():
            parts = path.removeprefix(prefix).split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                parent = prefix + "/".join(parts[:depth])
                entries.setdefault(parent, folder_entry(parent))
            if recursive or len(parts) == 1:
                entries[path] = blob.entry(path)
        return list(entries.values())


@dataclass
class Repo:
    """One repository; a revision is the list of its commits, oldest first; `lfs` are the large files it was sent."""

    id: str
    type: str
    private: bool = False
    revisions: dict[str, list[Commit]] = field(default_factory=dict)
    lfs: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    def commit(self, revision: str) -> Commit:
        if revision in self.revisions:
            return self.revisions[revision][-1]
        known = (commit for history in self.revisions.values() for commit in history)
        found = next((commit for commit in known if len(revision) >= 7 and commit.oid.startswith(revision)), None)
        if found is None:
            raise Refusal(404, "RevisionNotFound", f"no revision {revision}")
        return found

    def append(
        self, revision: str, message: str, operations: Iterable[tuple[str, str]], files: dict[str, Blob]
    ) -> Commit:
        history = self.revisions.setdefault(revision, [])
        seed = json.dumps([self.id, self.type, revision, len(history), message, sorted(files)])
        commit = Commit(hashlib.sha1(seed.encode()).hexdigest(), message, tuple(operations), files)
        history.append(commit)
        self.lfs |= {blob.sha256 for blob in files.values() if blob.lfs}
        return commit

    def open_pull_request(self, revision: str) -> str:
        name = f"refs/pr/{1 + sum(name.startswith('refs/pr/') for name in self.revisions)}"
        self.revisions[name] = list(self.revisions[revision])
        return name


class Store:
    """All repositories.

    Args:
        root: the folder that holds the bytes of all files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repos: dict[tuple[str, str], Repo] = {}

    def path(self, sha256: str) -> Path:
        return self.root / sha256

    def blob(self, sha256: str, lfs: bool) -> Blob:
        size = self.path(sha256).stat().st_size
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        content = pointer if lfs else self.path(sha256).read_bytes()
        return Blob(sha256, hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(), size, lfs)

    def add(self, content: bytes, lfs: bool) -> Blob:
        sha256 = hashlib.sha256(content).hexdigest()
        self.path(sha256).write_bytes(content)
        return self.blob(sha256, lfs)

    def create(self, repo_type: str, repo_id: str, private: bool = False) -> Repo:
        repo = self.repos[repo_type, repo_id] = Repo(repo_id, repo_type, private)
        files = {".gitattributes": self.add(GITATTRIBUTES, lfs=False)}
        repo.append("main", "initial commit", [("file", ".gitattributes")], files)
        return repo

    def apply(self, files: dict[str, Blob], kind: str, value: dict[str, Any]) -> None:
        """Do one operation of a commit to its files."""
        path = value["path"]
        if kind == "file":
            files[path] = self.add(base64.b64decode(value["content"]), lfs=False)
        elif kind == "lfsFile":
            if not self.path(value["oid"]).exists():
                raise Refusal(400, message=f"{path}: its LFS object was never uploaded")
            files[path] = self.blob(value["oid"], lfs=True)
        elif kind == "deletedFile":
            if files.pop(path, None) is None:
                raise Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
        elif kind == "deletedFolder":
            for name in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
                del files[name]
        else:
            raise Refusal(400, message=f"unknown operation {kind}")


@dataclass(frozen=True)
class Request:
    """One request and its answer; `received` and `sent` count the bytes of the bodies; status 0: connection cut."""

    method: str
    path: str
    status: int
    received: int
    sent: int


@dataclass
class Fault:
    """A planned failure, see `HubServer.fail`."""

    method: str
    path: str
    skip: int
    times: int
    status: int
    cut: int | None
    then: Callable[[], object] | None


def span(size: int, first: str, last: str) -> tuple[int, int]:
    """Read the two numbers of a Range header: `bytes=a-b`, `bytes=a-` or `bytes=-n`."""
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        raise Refusal(416, message="no such bytes", **{"Content-Range": f"bytes */{size}"})
    return start, stop
