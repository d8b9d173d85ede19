"""Make a repository on the Hub equal to a folder: what is new goes up, what is stale goes, the card comes last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from .. import __version__
from ..errors import OutputError
from .repository import HubError, Repository, RepoType, explained, is_same


__all__ = ["HubError", "PushReport", "files_to_push", "push"]

CARD = "README.md"
UNFINISHED = Path(".bioscan5m", "building")


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
    repository = Repository(api, repo_id, repo_type)
    summary = message or f"Update with bioscan5m-hf {__version__}"
    with explained(repo_id, api, token), bars(progress):
        repository.check_card(files[CARD].read_text(encoding="utf-8"), str(files[CARD]))
        head = repository.open(private, create_pr)
        remote = repository.files(head)
        additions = [CommitOperationAdd(path, file) for path, file in files.items()]
        new = [addition for addition in additions if not is_same(addition, remote.get(addition.path_in_repo))]
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


@contextmanager
def bars(progress: bool) -> Iterator[None]:
    """Silence the client's own progress bars, if none are wanted."""
    silence = not progress and not are_progress_bars_disabled()
    if silence:
        disable_progress_bars()
    try:
        yield
    finally:
        if silence:
            enable_progress_bars()
