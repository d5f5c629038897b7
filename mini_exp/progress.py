"""Telling on stderr how far something is, for those who ask for it in Python."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Any


class Told:
    """What is gone through, while stderr tells how much of it has been.

    Parameters
    ----------
    items : iterable
    what : str
        What a line begins with.
    """

    def __init__(self, items: Iterable[Any], what: str) -> None:
        self.items, self.what = items, what

    def __iter__(self) -> Iterator[Any]:
        of = f" of {len(self.items)}" if isinstance(self.items, Sized) else ""
        n = 0
        for n, item in enumerate(self.items, start=1):
            sys.stderr.write(f"\r{self.what} {n}{of}")
            sys.stderr.flush()
            yield item
        if n:
            sys.stderr.write("\n")
