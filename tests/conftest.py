"""Where all tests live: an empty home for the HF libraries, and a Hub of our own on the loopback interface.

The HF libraries read their environment once, when they are imported. So everything is set here, before any of them
is: `HF_HOME` is a fresh folder, and `HF_ENDPOINT` is a `HubServer` that runs in this process for the whole session
(each pytest-xdist worker has its own). Tests use `huggingface_hub`, `datasets` and `transformers` as a user does,
without patches, and what they ask of "the Hub" they ask of the server; child processes inherit the environment.
A host name that is not this machine's does not resolve: a test that would reach for the network fails instead.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from hub_server import HubServer  # noqa: E402


HF_LIBRARIES = ("huggingface_hub", "datasets", "transformers", "evaluate", "accelerate")
early = [name for name in HF_LIBRARIES if name in sys.modules]
if early:
    raise pytest.UsageError(f"imported before tests/conftest.py could set their environment: {', '.join(early)}")

HOME = tempfile.TemporaryDirectory(prefix="bioscan5m-tests-", ignore_cleanup_errors=True)
HUB = HubServer(Path(HOME.name) / "hub").__enter__()

for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))]:
    del os.environ[name]
os.environ |= {
    "HF_HOME": str(Path(HOME.name) / "hf"),
    "HF_ENDPOINT": HUB.url,
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "TOKENIZERS_PARALLELISM": "false",
}
os.environ.setdefault("OMP_NUM_THREADS", "1")

resolve = socket.getaddrinfo


def resolve_loopback_only(host: str | bytes | None, *args: object, **kwargs: object) -> list[tuple[object, ...]]:
    """Resolve the names of this machine; for the others there is no network."""
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, "", "localhost", "::1", "0.0.0.0", socket.gethostname()) and not name.startswith("127."):
        raise socket.gaierror(socket.EAI_NONAME, f"tests have no network: {name}")
    return resolve(host, *args, **kwargs)


socket.getaddrinfo = resolve_loopback_only

import datasets  # noqa: E402
from fixtures import common, dataset, release  # noqa: E402, F401


datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0  # else every end of a shuffled pass over Parquet takes 5 s
datasets.config.USE_PARQUET_EXPORT = False  # else each load asks datasets-server.<endpoint>
datasets.disable_progress_bars()


def pytest_unconfigure() -> None:
    """Stop the Hub and remove what the tests left."""
    HUB.__exit__()
    HOME.cleanup()


@pytest.fixture
def bioscan5m(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process; gives exit status, standard output and standard error."""

    from bioscan5m_hf import cli

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bioscan5m", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def whole_hub() -> HubServer:
    """Give the Hub that `HF_ENDPOINT` names as it is, for what several tests share."""
    return HUB


@pytest.fixture
def hub() -> HubServer:
    """Give the Hub that `HF_ENDPOINT` names, with an empty log and no failures planned; repositories stay."""
    return HUB.fresh()


@pytest.fixture
def repo_id(request: pytest.FixtureRequest) -> str:
    """Give an id that no other test uses (caches of the clients go by it)."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.nodeid.removeprefix("tests/")).strip("-")
    return f"tester/{name[-80:].lstrip('-')}"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real barcodes and photographs, which lies beside the repository where there is one."""
    return beside("data")


@pytest.fixture(scope="session")
def parity() -> Path:
    """Give the folder of fixtures that pin what the originals do."""
    return beside("parity")


def beside(name: str) -> Path:
    """Give `../shared/<name>`, seen from the repository, or skip the test."""
    folder = HERE.parent.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}: this test needs the shared {name}")
    return folder


@pytest.fixture
def fresh_python(tmp_path: Path) -> Callable[..., str]:
    """Give a function that runs code in a new interpreter (about a second each: use few) and returns what it printed.

    It takes the code, `cwd` (default: an empty folder) and environment variables as keywords.
    """

    def run(code: str, *, cwd: Path | None = None, **env: str) -> str:
        empty = tmp_path / "fresh"
        empty.mkdir(exist_ok=True)
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=cwd or empty, env=os.environ | env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder: a relative path or a bare dataset name finds nothing by accident."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
