"""Fetching official files: which ones are needed, and bringing each to the disk whole.

Requests go through the Hub client's own session (`huggingface_hub.get_session`), so that proxies, certificates and
offline mode are those a user has already set up; `tenacity` decides about another attempt. The client's `http_get`
resumes too, but it is not public, gives up after a reset connection or a 503, and knows nothing of mirrors and md5.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bioscan5m_hf.data.packages import IMAGE_PACKAGES, PACKAGES, Package
from bioscan5m_hf.data.release import walk
from bioscan5m_hf.errors import ReleaseError
from bioscan5m_hf.splits import SPLIT_NAMES, parse


if TYPE_CHECKING:
    import httpx2
    from tenacity import RetryCallState
    from tqdm import tqdm


logger = logging.getLogger(__name__)

FRUITLESS_ATTEMPTS = 5
"""Attempts in a row that bring no new byte, after which a mirror is given up."""
FIRST_WAIT, LONGEST_WAIT, TIMEOUT = 1.0, 60.0, 30.0
"""Seconds: scale and bound of the random exponential pause between attempts, and how long a server may be silent."""
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class _MirrorError(Exception):
    """This address does not give the file; another one may."""


class _CutError(Exception):
    """The answer ended early or did not fit what is on the disk: ask again."""


def plan(
    packages: Sequence[str], splits: Sequence[str] | None = None, *, registry: Sequence[Package] = PACKAGES
) -> list[Package]:
    """Choose the files to fetch: the metadata, and those that hold the wanted photographs with the fewest others.

    Among files with the same photographs those with a published md5 come first (so `pretrain` comes from Zenodo, in
    two parts), then the smaller, then the fewer ones.

    Args:
        packages: image packages, `metadata`, or official file names.
        splits: split expressions, such as `train` or `unseen`; by default all splits.
        registry: the packages to choose from.

    Raises:
        ReleaseError: there is no such package, or it cannot be downloaded.
        ValueError: there is no such split.

    Examples:
        >>> [package.name for package in plan(["cropped_256"], ["train", "val"])][1:]
        ['BIOSCAN_5M_cropped_256_train.zip', 'BIOSCAN_5M_cropped_256_eval.zip']
    """
    wanted = parse("+".join(splits)) if splits else SPLIT_NAMES
    chosen = [package for package in registry if package.kind == "metadata"]
    for name in packages:
        named = [package for package in registry if name in (package.name, package.kind) and name != "images"]
        if name in IMAGE_PACKAGES:
            chosen.extend(_cover([package for package in registry if package.image_package == name], wanted, name))
        elif named:
            chosen.extend(named)
        else:
            allowed = ", ".join((*IMAGE_PACKAGES, "metadata"))
            raise ReleaseError(f"unknown package {name!r}", hint=f"use {allowed}, or an official file name")
    unreachable = [package for package in chosen if not package.mirrors]
    if unreachable:
        names = ", ".join(package.name for package in unreachable)
        folders = " and ".join(dict.fromkeys(str(package.folder) for package in unreachable))
        hint = f"fetch by hand what you need of {names} from {folders}, and put it into the release folder"
        raise ReleaseError("published on Google Drive only, where programs cannot download it", file=names, hint=hint)
    return list(dict.fromkeys(chosen))


def download(
    root: str | Path,
    *,
    packages: Sequence[str],
    splits: Sequence[str] | None = None,
    confirm: Callable[[str], bool] | None = None,
    progress: bool = True,
    registry: Sequence[Package] = PACKAGES,
) -> list[Path]:
    """Fetch official files into a folder; what is there already is kept, and what was begun is continued.

    A file has its name only once it is complete and its md5 is right; until then it is called `<name>.part`.

    Args:
        root: the local release folder, made where it does not exist.
        packages: image packages, `metadata`, or official file names.
        splits: split expressions, such as `train` or `unseen`; by default all splits.
        confirm: asked with number, size and destination before anything is fetched; nothing is where it says no.
        progress: show a progress bar (on a terminal).
        registry: the packages to choose from.

    Returns:
        Where the files are, metadata first; an empty list where `confirm` said no.

    Raises:
        ReleaseError: a file cannot be had or written, or the disk is too small.

    Examples:
        >>> import tempfile
        >>> download(tempfile.mkdtemp(), packages=["cropped_256"], splits=["val"], confirm=lambda question: False)
        []
    """
    if "://" in str(root):
        raise ReleaseError(f"cannot download into {root}", hint="give a local folder")
    folder = Path(root).expanduser()
    files = plan(packages, splits, registry=registry)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    places = _in_place(folder, files)
    missing = [package for package in files if package.name not in places]
    if missing:
        _check_space(folder, missing)
        if confirm is not None and not confirm(summary(missing, folder)):
            return []
    for package in missing:
        places[package.name] = _fetch(package, folder, progress=progress)
    return [places[package.name] for package in files]


def summary(packages: Sequence[Package], folder: Path) -> str:
    """Say how much will be fetched and where to.

    Examples:
        >>> summary(plan(["cropped_256"], ["train", "val"]), Path("release"))
        '3 files, 5.8 GB, to release'
    """
    sizes = [package.size for package in packages]
    about = "about " if any(package.approximate for package in packages) else ""
    unknown = f" and {sizes.count(None)} of unknown size" if None in sizes else ""
    begun = sum(_size(_part(folder, package)) for package in packages)
    already = f" ({_gigabytes(begun)} of it are here)" if begun else ""
    files = f"{len(packages)} file{'s' if len(packages) > 1 else ''}"
    return f"{files}, {about}{_gigabytes(sum(size or 0 for size in sizes))}{unknown}{already}, to {folder}"


def _cover(packages: list[Package], wanted: tuple[str, ...], name: str) -> list[Package]:
    """Choose the whole groups (a file, or all parts of one) that hold the wanted splits at the least cost."""
    parts: dict[tuple[str, ...], list[Package]] = {}
    groups = [[package] for package in packages if not package.part]
    for package in packages:
        if package.part:
            parts.setdefault(package.splits, []).append(package)
    groups += parts.values()

    def cost(choice: tuple[list[Package], ...]) -> tuple[int, int, int, int]:
        files = [package for group in choice for package in group]
        photographs = sum(group[0].specimens for group in choice)
        return photographs, sum(not p.md5 for p in files), sum(p.size or 0 for p in files), len(files)

    choices = (choice for n in range(1, len(groups) + 1) for choice in itertools.combinations(groups, n))
    covers = [choice for choice in choices if {s for group in choice for s in group[0].splits} >= set(wanted)]
    if not covers:
        raise ReleaseError(f"no published files of {name} hold {', '.join(wanted)}")
    return [package for group in min(covers, key=cost) for package in group]


def _in_place(folder: Path, files: list[Package]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in walk(folder):
        found.setdefault(path.name, path)
    places = {package.name: found[package.name] for package in files if package.name in found}
    for package in files:
        if package.name in places and (fault := _fault(places[package.name], package)):
            hint = "move it away and run the same command again"
            raise ReleaseError(f"is not the official file: {fault}", file=str(places[package.name]), hint=hint)
    return places


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 10**8 else f"{size / 1e6:.1f} MB"


def _part(folder: Path, package: Package) -> Path:
    return folder / f"{package.name}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_space(folder: Path, packages: list[Package]) -> None:
    needed = sum(max(0, (package.size or 0) - _size(_part(folder, package))) for package in packages)
    free = shutil.disk_usage(folder).free
    if needed > free:
        message = f"{_gigabytes(needed)} are needed, {_gigabytes(free)} are free"
        raise ReleaseError(message, file=str(folder), hint="make room, or ask for fewer splits")


def _fault(path: Path, package: Package) -> str | None:
    """Say what is wrong with a complete file; None where it is the official one as far as that can be told."""
    size = path.stat().st_size
    if package.bytes is not None and size != package.bytes:
        return f"expected {package.bytes:,} bytes, got {size:,}"
    if package.md5 is not None:
        with path.open("rb") as stream:
            md5 = hashlib.file_digest(stream, "md5").hexdigest()
        return None if md5 == package.md5 else f"expected md5 {package.md5}, got {md5}"
    return "it is no complete zip" if package.name.endswith(".zip") and not zipfile.is_zipfile(path) else None


def _fetch(package: Package, folder: Path, *, progress: bool) -> Path:
    from tqdm import tqdm

    part, path, failures = _part(folder, package), folder / package.name, []
    bar = tqdm(desc=package.name, unit="B", unit_scale=True, disable=None if progress else True)
    with bar, _writing(part):
        for mirror, url in zip(package.mirrors, package.urls, strict=True):
            try:
                _transfer(url, part, package, bar, hub=mirror.startswith("hf://"))
            except _MirrorError as error:
                failures.append(f"{url}: {error}")
                logger.warning("%s", failures[-1])
                continue
            bar.set_postfix_str("checking")
            fault = _fault(part, package)
            if fault is None:
                os.replace(part, path)
                return path
            part.unlink()
            failures.append(f"{url}: {fault} (removed)")
            logger.warning("%s", failures[-1])
    kept = f"what arrived is kept in {part.name}; " if part.exists() else ""
    hint = f"{kept}run the same command again later, or fetch the file from {package.page} by hand"
    raise ReleaseError(f"cannot be downloaded: {'; '.join(failures)}", file=package.name, hint=hint)


def _transfer(url: str, part: Path, package: Package, bar: tqdm[NoReturn], *, hub: bool) -> None:
    """Bring the bytes that are still missing; repeat as long as each attempt brings some."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled
    from tenacity import Retrying, retry_if_exception

    try:
        for attempt in Retrying(
            retry=retry_if_exception(_is_transient), stop=_Stalled(part), wait=_wait, reraise=True
        ):
            with attempt:
                _append(url, part, package, bar, hub=hub)
    except httpx2.HTTPStatusError as error:
        raise _MirrorError(f"HTTP status {error.response.status_code}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, _CutError, OfflineModeIsEnabled) as error:
        raise _MirrorError(str(error) or type(error).__name__) from error


def _append(url: str, part: Path, package: Package, bar: tqdm[NoReturn], *, hub: bool) -> None:
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers

    begun = _size(part)
    if begun == package.bytes:
        return
    headers = {**(build_hf_headers() if hub else {}), "Accept-Encoding": "identity"}
    if begun:
        headers["Range"] = f"bytes={begun}-"
    with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
        total = _total(response, begun)
        if response.status_code != 416:
            response.raise_for_status()
        if package.bytes is not None and total not in (None, package.bytes):
            raise _MirrorError(f"expected {package.bytes:,} bytes, the server has {total:,}")
        if response.status_code == 416:
            if total == begun:
                return
            part.unlink()
            raise _CutError(f"the server has {total} bytes, {part.name} had {begun}")
        total = package.bytes if total is None else total
        if response.status_code != 206:
            begun = 0  # the server ignores ranges and begins anew
        bar.reset(total)
        bar.update(begun)
        with part.open("ab" if begun else "wb") as stream:
            for block in response.iter_raw():
                stream.write(block)
                bar.update(len(block))
    arrived = part.stat().st_size
    if total is not None and arrived < total:
        raise _CutError(f"the connection ended after {arrived:,} of {total:,} bytes")


def _total(response: httpx2.Response, begun: int) -> int | None:
    """Read the size of the whole file from an answer; an answer that continues elsewhere than asked is refused."""
    if response.status_code in (206, 416):
        span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if response.status_code == 206 and not span.startswith(f"{begun}-"):
            raise _MirrorError(f"asked for bytes from {begun}, was sent {span or 'others'}")
        return int(total) if total.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


class _Stalled:
    """Stops after attempts in a row that brought no new byte: a long file may be cut any number of times."""

    def __init__(self, part: Path) -> None:
        self._part, self._fruitless = part, 0
        self._most = _size(part)

    def __call__(self, state: RetryCallState) -> bool:
        arrived = _size(self._part)
        self._fruitless = 0 if arrived > self._most else self._fruitless + 1
        self._most = max(self._most, arrived)
        return self._fruitless >= FRUITLESS_ATTEMPTS


def _is_transient(error: BaseException) -> bool:
    import httpx2

    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code in TRANSIENT
    return isinstance(error, httpx2.TransportError | _CutError)


def _wait(state: RetryCallState) -> float:
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    if asked.isdecimal():
        return min(float(asked), LONGEST_WAIT)
    return wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kept = "what arrived is kept: " if path.suffix == ".part" else ""
        hint = f"{kept}make room or choose another folder, then run the same command again"
        raise ReleaseError(f"cannot be written: {error.strerror or error}", file=str(path), hint=hint) from error
