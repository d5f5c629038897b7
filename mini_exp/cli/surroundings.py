"""What the surroundings of a command may hold and must not disturb it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

BACKEND = "MPLBACKEND"
EPOCH = "SOURCE_DATE_EPOCH"


def open_standard_streams() -> None:
    """Lead standard streams that are closed (`>&-`) nowhere, so that no file gets their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115 - for good


@contextlib.contextmanager
def own_surroundings() -> Iterator[None]:
    """Without variables that matplotlib would stumble over; afterwards they are as they were.

    Figures are only written to files. A notebook's backend need not be installed here.
    """
    taken = {}
    for name in (BACKEND, EPOCH):
        value = os.environ.get(name)
        if value is not None and not (name == EPOCH and value.isascii() and value.isdigit()):
            taken[name] = os.environ.pop(name)
    was_imported = "matplotlib" in sys.modules
    try:
        yield
    finally:
        os.environ.update(taken)
        if BACKEND in taken and not was_imported and "matplotlib" in sys.modules:
            import matplotlib as mpl

            with contextlib.suppress(ValueError):  # what an import would have taken from there
                mpl.rcParams["backend"] = taken[BACKEND]
