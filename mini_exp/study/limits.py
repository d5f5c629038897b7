"""What cannot work is refused before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mini_exp.errors import ConfigError
from mini_exp.settings.sections import Study
from mini_exp.settings.settings import Settings
from mini_exp.study.networks import BLOCK

if TYPE_CHECKING:
    import distributed

MOST_REPLICATES = 1_000_000_000  # above: a slip, not a study
WORKSPACE = 500e6  # bytes of a worker beside what it keeps per replicate: 430 MB seen, rounded up
KEPT = 4000  # bytes kept per variant and replicate beside the widths: some 110 columns, with room
SWEPT = 24  # bytes kept per layer and ρ: both widths and the factor of the bound
DRAW = 1300  # bytes per draw of the population while one is drawn: 1170 seen, rounded up


def check_numbers(replicates: int, chunk_size: int, workers: int) -> None:
    """Refuse numbers out of range.

    Raises
    ------
    ConfigError
    """
    if not 1 <= replicates <= MOST_REPLICATES:
        raise ConfigError(
            f"--replicates: expected at least 1 and at most {MOST_REPLICATES}, got {replicates}"
        )
    if workers < 1:
        raise ConfigError(f"--workers: expected at least 1, got {workers}")
    if chunk_size < 1 or chunk_size % BLOCK:
        raise ConfigError(
            f"--chunk: expected a multiple of {BLOCK} (replicates are computed {BLOCK} at a time, "
            f"so that their bits depend on nothing else), got {chunk_size}"
        )


def check_memory(
    variants: Mapping[str, Settings], study: Study, replicates: int, chunk_size: int, free: float
) -> None:
    """Refuse chunks of which one does not fit into the ``free`` bytes that a task has.

    Raises
    ------
    ConfigError
        Naming a size that fits, if there is one.
    """
    n_layers = max(len(settings.model.widths) for settings in variants.values())
    each = len(variants) * (KEPT + SWEPT * study.rho_num * n_layers)
    left = free - WORKSPACE - DRAW * study.n_population
    size = min(chunk_size, replicates)
    if size * each <= left:
        return
    fits = int(max(left, 0) / each) // BLOCK * BLOCK
    if not fits:
        raise ConfigError(
            f"--chunk: even {BLOCK} replicates are too many for a worker in which "
            f"{free / 1e9:.1f} GB are free; use fewer workers or a smaller study.n_population"
        )
    raise ConfigError(
        f"--chunk: {size} replicates need {size * each / 1e9:.1f} GB in a worker, "
        f"{left / 1e9:.1f} GB are free; use --chunk {fits}"
    )


def memory_of_a_task(client: distributed.Client) -> float:
    """Bytes that a task has on the smallest worker of a cluster, as far as workers have limits."""
    workers = client.scheduler_info()["workers"].values()
    shares = [worker["memory_limit"] / worker["nthreads"] for worker in workers]
    return min((share for share in shares if share), default=math.inf)
