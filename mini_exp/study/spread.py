"""Replicates spread over processes: what is there is kept, what is missing is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mini_exp.resources import usable_memory
from mini_exp.study.chunks import Chunks
from mini_exp.study.cluster import Task, cluster, computed_chunks
from mini_exp.study.guard import check_main_guard
from mini_exp.study.limits import memory_of_a_task
from mini_exp.study.progress import Say, progress

Check: TypeAlias = Callable[[float], None]
"""Refuses chunks that do not fit into so many free bytes."""


@dataclass(frozen=True)
class Spread:
    """How replicates are spread.

    Attributes
    ----------
    command : str
        What the user typed, as lines and errors begin with it.
    replicates : int
    chunk_size : int
        Replicates per task, a multiple of ``BLOCK``.
    workers : int
        Local processes.
    scheduler : str or None
        ``tcp://host:port`` of a running Dask scheduler, instead of local processes.
    say : callable
    bar : bool
        Show a progress bar rather than a line per chunk.
    """

    command: str
    replicates: int
    chunk_size: int
    workers: int
    scheduler: str | None
    say: Say
    bar: bool

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First replicate and the one after the last of every chunk."""
        starts = range(0, self.replicates, self.chunk_size)
        return [(start, min(start + self.chunk_size, self.replicates)) for start in starts]

    def check_here(self, check: Check) -> None:
        """Refuse what does not go on this machine, if that is where chunks are computed."""
        if self.scheduler is None:
            check_main_guard(self.command)
            check(usable_memory() / self.workers)

    def complete(self, chunks: Chunks, task: Task, check: Check) -> None:
        """Compute every chunk that is missing.

        Raises
        ------
        ConfigError
            If a chunk does not fit into a worker's memory.
        MiniExpError
            If the scheduler cannot be reached or the workers keep dying.
        """
        ranges = self.ranges
        missing = [wanted for wanted in ranges if not chunks.has(*wanted)]
        if len(missing) < len(ranges):
            there = len(ranges) - len(missing)
            self.say(f"{self.command}: {there} of {len(ranges)} chunks are there")
        if not missing:
            return
        with cluster(self.workers, self.scheduler) as client:
            if self.scheduler is not None:
                check(memory_of_a_task(client))
            n_missing = sum(stop - start for start, stop in missing)
            shown = progress(self.command, n_missing, self.replicates, self.say, self.bar)
            with shown as advance:
                for wanted, arrays in computed_chunks(client, self.command, task, missing):
                    chunks.add(*wanted, arrays)
                    advance(*wanted)
