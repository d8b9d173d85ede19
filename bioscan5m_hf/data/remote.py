"""Reading from an address: connections fail, and a user is told where and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fsspec import AbstractFileSystem
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from ..errors import Bioscan5mError


ATTEMPTS = 3
WAIT = 1.0
"""Seconds between attempts."""


def is_remote(path: str) -> bool:
    """Tell an address from a local path.

    Examples:
        >>> is_remote("https://host/release"), is_remote("/data/release")
        (True, False)
    """
    return "://" in path


@contextmanager
def connection(path: str) -> Iterator[None]:
    """Say which address it was when reading from it fails; nothing for a local path.

    It is no error of the release, so that `--on-error skip` does not leave specimens out for it.

    Args:
        path: local path or address.

    Raises:
        Bioscan5mError: the connection failed.

    Examples:
        >>> with connection("https://host/release.zip"):
        ...     raise TimeoutError("no answer")
        Traceback (most recent call last):
        bioscan5m_hf.errors.Bioscan5mError: https://host/release.zip: the connection failed (no answer); ...
    """
    if not is_remote(path):
        yield
        return
    try:
        yield
    except _failures() as error:
        cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
        raise Bioscan5mError(
            f"{path}: the connection failed ({str(cause) or type(cause).__name__}); "
            "what is finished is kept: run the same command to go on"
        ) from error


def read_range(system: AbstractFileSystem, path: str, start: int, stop: int) -> bytes:
    """Read bytes of a remote file; a few failures are survived.

    Args:
        system: the file system of the address.
        path: the file's path in it.
        start: first byte.
        stop: byte after the last.

    Raises:
        ConnectionError: something else came, or nothing; or what the client raises.
    """
    attempts = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(WAIT),
        retry=retry_if_exception_type(_failures()),
        reraise=True,
    )
    return attempts(_read_range, system, path, start, stop)


def _read_range(system: AbstractFileSystem, path: str, start: int, stop: int) -> bytes:
    data: bytes = system.cat_file(path, start, stop)
    if len(data) != stop - start:
        raise ConnectionError(f"{len(data)} bytes came for a range of {stop - start}")
    return data


def _failures() -> tuple[type[Exception], ...]:
    import aiohttp
    import httpx2

    return aiohttp.ClientError, httpx2.HTTPError, ConnectionError, TimeoutError, FileNotFoundError
