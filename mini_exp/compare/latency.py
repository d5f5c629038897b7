"""How long a network takes for images."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor, nn

from mini_exp.pruning.calibration import eval_mode
from mini_exp.tasks.threads import one_thread

LATENCY_IMAGES = 100
REPEATS = 7


@torch.no_grad()
def latency_ms(network: nn.Module, x: Tensor) -> float:
    """Median milliseconds of a forward pass of these images, in eval mode, one thread on a CPU."""
    seconds = []
    with one_thread(), eval_mode(network):
        for _ in range(1 + REPEATS):  # the first warms up
            started = time.perf_counter()
            network(x)
            if x.is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:])) * 1e3
