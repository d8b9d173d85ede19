"""Make a repository on the Hub equal to a folder: what is new goes up, what is stale goes, the card comes last."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi, get_session
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from tqdm import tqdm

from .. import __version__
from ..errors import Bioscan5mError, OutputError


logger = logging.getLogger(__name__)

RepoType = Literal["dataset", "model", "space"]
CARD = "README.md"
UNFINISHED = Path(".bioscan5m", "building")
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


@dataclass(frozen=True)
class PushReport:
    """What a push did.

    Args:
        url: where to look at it: the repository, or the pull request that proposes the change.
        commits: ids of the commits, oldest first; none where nothing had changed.
        uploaded: files that are new or have changed.
        deleted: files that were in the repository and are not in the folder.
        unchanged: files the repository already had.
        bytes: size of the uploaded files.

    Examples:
        >>> PushReport("https://huggingface.co/datasets/me/bioscan-5m", unchanged=("README.md",)).commits
        ()
    """

    url: str
    commits: tuple[str, ...] = ()
    uploaded: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    bytes: int = 0


def push(
    folder: Path | str,
    repo_id: str,
    *,
    repo_type: RepoType = "dataset",
    private: bool = False,
    create_pr: bool = False,
    token: str | None = None,
    message: str | None = None,
    progress: bool = True,
) -> PushReport:
    """Make a repository on the Hub (`HF_ENDPOINT`) equal to a folder.

    One commit brings the new files and removes those that are not in the folder: shards of an earlier build would
    double the rows, and a loading script would make the repository unloadable. The card follows in a commit of its
    own, so that it never describes what is not there. Hidden files are left alone on both sides (`.gitattributes`
    belongs to the Hub, `.bioscan5m/` to the build). A push that was interrupted goes on when it is repeated: files the
    Hub already holds are not sent again.

    Args:
        folder: a built dataset, a model repository, or a Space.
        repo_id: `namespace/name`; the repository is made if there is none.
        repo_type: `dataset`, whose repository holds no code, `model`, or `space` (made for gradio).
        private: whether a repository that is made now can be seen by its owner only; an existing one stays as it is.
        create_pr: propose the change as a pull request, which needs no right to write; each call opens a new one.
        token: instead of the one of `hf auth login` or HF_TOKEN.
        message: the commits' summary.
        progress: show a progress bar, if there is a terminal.

    Returns:
        What was done.

    Raises:
        OutputError: the folder is not fit to be pushed.
        HubError: the Hub refused, or cannot be reached.

    Examples:
        >>> push("no-such-folder", "me/bioscan-5m")
        Traceback (most recent call last):
        ...
        bioscan5m_hf.errors.OutputError: no-such-folder is no folder: build it with `bioscan5m build`
    """
    files = files_to_push(folder, code=repo_type != "dataset")
    api = HfApi(token=token, library_name="bioscan5m-hf", library_version=__version__)
    repository = _Repository(api, repo_id, repo_type)
    summary = message or f"Update with bioscan5m-hf {__version__}"
    with _explained(repo_id, api, token), _bars(progress):
        repository.check_card(files[CARD])
        head = repository.open(private, create_pr)
        remote = repository.files(head)
        additions = [CommitOperationAdd(path, file) for path, file in files.items()]
        new = [addition for addition in additions if not _is_same(addition, remote.get(addition.path_in_repo))]
        stale = sorted(path for path in remote if path not in files and not _is_hidden(path))
        repository.upload(new, create_pr, progress)
        card = [addition for addition in new if addition.path_in_repo == CARD]
        data = [CommitOperationDelete(path) for path in stale] + [addition for addition in new if addition not in card]
        steps = [(data, summary), (card, f"{summary}: card" if data else summary)]
        url, commits = repository.commit(steps, head, create_pr)
    uploaded = tuple(addition.path_in_repo for addition in new)
    size = sum(addition.upload_info.size for addition in new)
    unchanged = tuple(path for path in files if path not in uploaded)
    return PushReport(url, commits, uploaded, tuple(stale), unchanged, size)


def files_to_push(folder: Path | str, *, code: bool = False) -> dict[str, Path]:
    """Give the files of a folder that go to the Hub: all but hidden ones.

    Args:
        folder: a built dataset, or a model repository.
        code: accept Python files.

    Returns:
        Path in the repository → file, sorted.

    Raises:
        OutputError: there is no such folder, it has no card, its build has not finished, or it holds code.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "README.md").write_text("# Insects"), (folder / ".DS_Store").write_text("")
        >>> list(files_to_push(folder))
        ['README.md']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OutputError(f"{folder} is no folder: build it with `bioscan5m build`")
    if (folder / UNFINISHED).exists():
        raise OutputError(
            f"the build of {folder} has not finished: repeat its `bioscan5m build`, which goes on, then push"
        )
    paths = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    files = {path: file for path, file in paths.items() if not _is_hidden(path)}
    if CARD not in files:
        raise OutputError(f"{folder} has no {CARD}, so it is no repository: build it with `bioscan5m build`")
    scripts = [path for path in files if path.endswith(".py")]
    if scripts and not code:
        raise OutputError(
            f"{folder} holds code ({', '.join(scripts)}): a dataset repository is data and its card, and `datasets` "
            "refuses to load one that has a script; move it elsewhere"
        )
    return files


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.split("/"))


def _is_same(addition: CommitOperationAdd, remote: RepoFile | None) -> bool:
    if remote is None or remote.size != addition.upload_info.size:
        return False
    if remote.lfs:
        return bool(remote.lfs.sha256 == addition.upload_info.sha256.hex())
    with addition.as_file() as file:
        blob = b"blob %d\0" % remote.size + file.read()
    return bool(remote.blob_id == hashlib.sha1(blob, usedforsecurity=False).hexdigest())


@dataclass(frozen=True)
class _Repository:
    """A repository on the Hub, which need not be there yet."""

    api: HfApi
    id: str
    type: RepoType

    def check_card(self, card: Path) -> None:
        """Ask the Hub whether it will take the card, before gigabytes are uploaded."""
        given = {"content": card.read_text(encoding="utf-8"), "repoType": self.type}
        response = get_session().post(f"{self.api.endpoint}/api/validate-yaml", json=given)
        if response.status_code == 400:
            wrong = "; ".join(str(error.get("message")) for error in response.json().get("errors", []))
            raise OutputError(f"{card}: the Hub refuses the YAML at its top: {wrong}")

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
def _bars(progress: bool) -> Iterator[None]:
    """Silence the client's own progress bars, if none are wanted."""
    silence = not progress and not are_progress_bars_disabled()
    if silence:
        disable_progress_bars()
    try:
        yield
    finally:
        if silence:
            enable_progress_bars()


@contextmanager
def _explained(repo_id: str, api: HfApi, token: str | None) -> Iterator[None]:
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
