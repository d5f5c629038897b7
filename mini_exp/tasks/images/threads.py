"""How many threads images of some size get."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import Tensor

from mini_exp.tasks.threads import one_thread

SMALL = 256
"""Numbers of a sample for which a second thread costs more than it gives."""


@contextlib.contextmanager
def fitting_threads(x: Tensor) -> Iterator[None]:
    """One thread for networks on small samples (n, …), else as many as before."""
    with one_thread() if x[0].numel() <= SMALL else contextlib.nullcontext():
        yield
