"""Reading from an address: connections fail, and a user is told where and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Bioscan5mError


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
    import aiohttp
    import httpx2

    try:
        yield
    except (aiohttp.ClientError, httpx2.HTTPError, ConnectionError, TimeoutError, FileNotFoundError) as error:
        cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
        raise Bioscan5mError(
            f"{path}: the connection failed ({cause or type(cause).__name__}); "
            "what is finished is kept: run the same command to go on"
        ) from error
