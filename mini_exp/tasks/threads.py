"""How many threads a computation gets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

SMALL = 256
"""Numbers of a sample for which a second thread costs more than it gives."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread.

    Small matrices are not worth sharing: with more, one busy core holds up every product.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def fitting_threads(x: Tensor) -> Iterator[None]:
    """One thread for networks on small samples (n, …), else as many as before."""
    with one_thread() if x[0].numel() <= SMALL else contextlib.nullcontext():
        yield
