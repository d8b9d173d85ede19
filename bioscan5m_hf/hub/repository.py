"""A repository on the Hub: what it holds, how it is changed, and errors that say what to do."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi, get_session
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from tqdm import tqdm

from ..errors import Bioscan5mError, OutputError


logger = logging.getLogger(__name__)

RepoType = Literal["dataset", "model", "space"]
WHAT_TO_DO = {
    401: "the Hub does not know you: log in with `hf auth login`, or set HF_TOKEN",
    403: "you may not write there: log in as somebody who may (`hf auth login`), or propose the change (--create-pr)",
    404: "there is no such repository, or you may not see it: check its name, and log in with `hf auth login`",
    409: "it exists, but you may not see it: log in with `hf auth login` as somebody who may",
    412: "somebody else has committed to it meanwhile: look at what changed, then push again",
}


class HubError(Bioscan5mError):
    """The Hub refused, or cannot be reached; the text says what to do.

    Examples:
        >>> issubclass(HubError, Bioscan5mError)
        True
    """


def is_same(addition: CommitOperationAdd, remote: RepoFile | None) -> bool:
    """Tell whether a repository holds a file's very content."""
    if remote is None or remote.size != addition.upload_info.size:
        return False
    if remote.lfs:
        return bool(remote.lfs.sha256 == addition.upload_info.sha256.hex())
    with addition.as_file() as file:
        blob = b"blob %d\0" % remote.size + file.read()
    return bool(remote.blob_id == hashlib.sha1(blob, usedforsecurity=False).hexdigest())


@dataclass(frozen=True)
class Repository:
    """A repository on the Hub, which need not be there yet.

    Args:
        api: client.
        id: `namespace/name`.
        type: `dataset`, `model` or `space`.
    """

    api: HfApi
    id: str
    type: RepoType

    def check_card(self, text: str, name: str) -> None:
        """Ask the Hub whether it will take the text of a card, before anything is uploaded."""
        given = {"content": text, "repoType": self.type}
        response = get_session().post(f"{self.api.endpoint}/api/validate-yaml", json=given)
        if response.status_code == 400:
            wrong = "; ".join(str(error.get("message")) for error in response.json().get("errors", []))
            raise OutputError(f"{name}: the Hub refuses the YAML at its top: {wrong}")

    def open(self, private: bool, create_pr: bool) -> str:
        """Make the repository if there is none; give its newest commit."""
        if self.id.count("/") != 1:
            raise HFValidationError(self.id)
        try:
            return str(self.api.repo_info(self.id, repo_type=self.type, revision="main").sha)
        except RepositoryNotFoundError as error:
            if create_pr:
                raise HubError(f"{self.id}: {WHAT_TO_DO[404]} (without --create-pr it would be made)") from error
        sdk = {"space_sdk": "gradio"} if self.type == "space" else {}
        self.api.create_repo(self.id, repo_type=self.type, private=private, **sdk)
        return str(self.api.repo_info(self.id, repo_type=self.type, revision="main").sha)

    def files(self, revision: str) -> dict[str, RepoFile]:
        """List the files of a revision by their paths."""
        entries = self.api.list_repo_tree(self.id, repo_type=self.type, revision=revision, recursive=True)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def upload(self, additions: Sequence[CommitOperationAdd], create_pr: bool, progress: bool) -> None:
        """Send the content file by file; what is sent stays sent, also if the next one fails."""
        size = sum(addition.upload_info.size for addition in additions)
        silent = None if progress else True  # None: silent where there is no terminal
        with tqdm(total=size, unit="B", unit_scale=True, desc=f"Uploading to {self.id}", disable=silent) as bar:
            for addition in additions:
                self.api.preupload_lfs_files(
                    self.id, [addition], repo_type=self.type, create_pr=create_pr, free_memory=False
                )
                bar.update(addition.upload_info.size)

    def commit(
        self, steps: Sequence[tuple[list[object], str]], head: str, create_pr: bool
    ) -> tuple[str, tuple[str, ...]]:
        """Commit each step that has operations, all to the same pull request if there is to be one."""
        prefix = "" if self.type == "model" else f"{self.type}s/"
        url, revision = f"{self.api.endpoint}/{prefix}{self.id}", "main"
        commits = [head]
        for operations, summary in steps:
            if operations:
                done: CommitInfo = self.api.create_commit(
                    self.id, operations, commit_message=summary, repo_type=self.type, revision=revision,
                    create_pr=create_pr, parent_commit=commits[-1],
                )  # fmt: skip
                commits.append(done.oid)
                logger.info("committed %d operations to %s: %s", len(operations), self.id, done.commit_url)
                if create_pr:
                    url, revision, create_pr = done.pr_url, done.pr_revision, False
        return url, tuple(commits[1:])


@contextmanager
def explained(repo_id: str, api: HfApi, token: str | None) -> Iterator[None]:
    """Turn errors of the client into one that says what to do, and never a token."""
    try:
        yield
    except HFValidationError as error:
        raise HubError(f"{repo_id!r} is no name of a repository: give `namespace/name`") from error
    except OfflineModeIsEnabled as error:
        raise HubError("HF_HUB_OFFLINE is set: unset it to push") from error
    except (HTTPError, ConnectionError, RuntimeError) as error:
        # the client wraps what goes wrong in its upload threads
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        text = re.sub(r"hf_[A-Za-z0-9]{8,}", "hf_…", _what_happened(cause, api.endpoint))
        raise HubError(f"{repo_id}: {text.replace(token, '…') if token else text}") from error


def _what_happened(error: BaseException, endpoint: str) -> str:
    if not isinstance(error, HfHubHTTPError):
        return f"the exchange with {endpoint} failed ({error}): check the network, then push again, which goes on"
    status = error.response.status_code
    said = error.server_message or error.response.reason_phrase
    hint = WHAT_TO_DO.get(status, "push again, which goes on where it stopped")
    return f"the Hub answered {status} ({said}): {hint}"
