"""Where the work runs: in this process, in local processes, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import Any, TypeVar


Job = TypeVar("Job")
Result = TypeVar("Result")


class InProcess(Executor):
    """An executor that runs each job when it is submitted, in this process.

    Examples:
        >>> InProcess().submit(max, 1, 2).result()
        2
    """

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:  # noqa: ANN401
        """Run the job now; its error is raised now as well."""
        future: Future[Result] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def default_workers() -> int:
    """Give the number of processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def executor(workers: int | None = None, scheduler: str | None = None) -> Iterator[Executor]:
    """Open an executor for shard jobs; unfinished jobs are cancelled when it closes.

    Args:
        workers: number of local processes, by default the processor's cores; 1 works in this process.
        scheduler: address of a Dask scheduler, such as `tcp://10.0.0.1:8786`; its workers must see the same files.

    Raises:
        ValueError: `workers` is less than 1.
        ModuleNotFoundError: a scheduler is given and the extra `cluster` is not installed.
    """
    workers = default_workers() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers is {workers}: use 1 or more")
    if scheduler is not None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("a Dask scheduler needs `pip install 'bioscan5m-hf[cluster]'`") from error
        with Client(scheduler, set_as_default=False) as client:
            yield _sized(client.get_executor(), sum(client.nthreads().values()))
    elif workers == 1:
        yield InProcess()
    else:
        pool = _sized(ProcessPoolExecutor(workers, _context(), _end_with_parent), workers)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def ordered_map(pool: Executor, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Run jobs and yield their results in order, with a few more under way or waiting than there are workers.

    Args:
        pool: where they run.
        function: an importable function of one job.
        jobs: drawn when there is room.

    Examples:
        >>> list(ordered_map(InProcess(), abs, [-1, -2]))
        [1, 2]
    """
    waiting: deque[Future[Result]] = deque()
    window = _window(pool)
    for job in jobs:
        waiting.append(pool.submit(function, job))
        while waiting and (len(waiting) >= window or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def completed(pool: Executor, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[tuple[int, Result]]:
    """Run jobs and yield number and result of each as it finishes.

    Args:
        pool: where they run.
        function: an importable function of one job.
        jobs: drawn when there is room.

    Examples:
        >>> sorted(completed(InProcess(), abs, [-1, -2]))
        [(0, 1), (1, 2)]
    """
    numbers: dict[Future[Result], int] = {}
    for number, job in enumerate(jobs):
        numbers[pool.submit(function, job)] = number
        while len(numbers) >= _window(pool):
            yield from _finished(numbers)
    while numbers:
        yield from _finished(numbers)


def _finished(numbers: dict[Future[Result], int]) -> Iterator[tuple[int, Result]]:
    for future in wait(numbers, return_when=FIRST_COMPLETED).done:
        yield numbers.pop(future), future.result()


def _sized(pool: Executor, workers: int) -> Executor:
    pool.workers = workers  # type: ignore[attr-defined]
    return pool


def _window(pool: Executor) -> int:
    """Say how many jobs may be under way: one waits for each two workers, so that none is idle."""
    workers = getattr(pool, "workers", 1)
    return workers + -(-workers // 2) if workers > 1 else 1


def _context() -> BaseContext:
    """Start workers from a process that has imported what they need, where the system can; else each anew."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.shards", f"{__package__}.taxa"])
    return context


def _end_with_parent() -> None:
    """End a worker when the process that started it is gone, be it by `kill -9`: it would write for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()
