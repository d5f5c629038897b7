"""Processes that compute chunks: local ones, or those of a running Dask scheduler."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from typing import TypeAlias

import dask
import distributed

from mini_exp.errors import MiniExpError
from mini_exp.study.chunks import Arrays

Task: TypeAlias = Callable[[int, int], Arrays]
"""Computes the replicates start … stop − 1; it is sent to the workers."""

# Of a local worker. Dask's own has MALLOC_TRIM_THRESHOLD_, too: training then takes half as long
# again, for the memory that every step frees goes back to the system at once.
ENVIRONMENT = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}

CONNECT_SECONDS = 5  # per attempt; Dask makes two


@contextlib.contextmanager
def cluster(workers: int, scheduler: str | None) -> Iterator[distributed.Client]:
    """A client of the given scheduler, or of one local process per worker with one thread each.

    Raises
    ------
    MiniExpError
        If the scheduler cannot be reached or has no workers.
    """
    for name in ("distributed", "distributed.client"):  # each with a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        with _client_of(scheduler) as client:
            yield client
        return
    if os.name == "posix":
        _start_resource_tracker()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRONMENT})
            )
            local = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=":0",  # any free port; there is no dashboard to look at
                silence_logs=logging.CRITICAL,
            )
            stack.enter_context(local)
            client = stack.enter_context(distributed.Client(local))
        except (OSError, RuntimeError, ValueError, TypeError, LookupError) as error:
            raise _not_started(error) from error
        yield client


def _not_started(error: Exception) -> MiniExpError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return MiniExpError(
        f"study: the workers cannot be started: {reason}; Dask's own settings may be why "
        "(variables DASK_…, files in ~/.config/dask)"
    )


@contextlib.contextmanager
def _client_of(scheduler: str) -> Iterator[distributed.Client]:
    """A client of a scheduler that has workers."""
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MiniExpError(f"--scheduler {scheduler}: cannot be reached: {reason}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise MiniExpError(f"--scheduler {scheduler}: has no workers; start some") from None
        yield client


def _start_resource_tracker() -> None:
    """Start the process that clears away what multiprocessing leaves behind if this one is killed.

    It would warn that there was something. And starting it unblocks signals in the thread that
    does so, and with it in the threads and workers that follow: hence a thread of its own.
    """
    filters = (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker:UserWarning")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, filters))
    thread = threading.Thread(target=resource_tracker.ensure_running)
    thread.start()
    thread.join()


def computed_chunks(
    client: distributed.Client, command: str, task: Task, ranges: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], Arrays]]:
    """Yield every chunk as it is finished, with its range; none is held on to.

    Raises
    ------
    MiniExpError
        If the scheduler is lost or the workers keep dying.
    """
    futures = {client.submit(task, *wanted, pure=False): wanted for wanted in ranges}
    for future in distributed.as_completed(list(futures)):
        start, stop = futures[future]
        try:
            arrays = future.result()
        except distributed.KilledWorker:
            raise MiniExpError(
                f"{command}: workers keep dying over replicates {start}–{stop - 1}; finished "
                "chunks are kept: run the same command again, with fewer --workers"
            ) from None
        except (distributed.CancelledError, OSError):
            raise MiniExpError(
                f"{command}: the scheduler is gone; finished chunks are kept: run the same "
                "command again"
            ) from None
        future.release()
        yield (start, stop), arrays
