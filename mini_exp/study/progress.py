"""How far the replicates are: a bar where somebody looks, a line per chunk elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

Say: TypeAlias = Callable[[str], None]
Advance: TypeAlias = Callable[[int, int], None]
"""Receives the range of a chunk that has been finished."""


@contextlib.contextmanager
def progress(command: str, missing: int, replicates: int, say: Say, bar: bool) -> Iterator[Advance]:
    """Show how many of the replicates are there; so many were missing at the start."""
    with _bar(missing) if bar else _lines(command, missing, replicates, say) as advance:
        yield advance


@contextlib.contextmanager
def _lines(command: str, missing: int, replicates: int, say: Say) -> Iterator[Advance]:
    started, done = time.monotonic(), 0

    def advance(start: int, stop: int) -> None:
        nonlocal done
        done += stop - start
        rate = done / (time.monotonic() - started)
        say(
            f"{command}: replicates {start}–{stop - 1}, {replicates - missing + done} of "
            f"{replicates}, {rate:.1f} per second, {(missing - done) / rate:.0f} s left"
        )

    yield advance


@contextlib.contextmanager
def _bar(missing: int) -> Iterator[Advance]:
    import rich.progress as rp

    columns = (
        rp.TextColumn("replicates"),
        rp.BarColumn(),
        rp.MofNCompleteColumn(),
        rp.TextColumn("{task.fields[rate]}"),
        rp.TimeRemainingColumn(),
    )
    started = time.monotonic()
    with rp.Progress(*columns) as shown:
        shown.console.show_cursor()  # Ctrl-C must not leave it hidden
        task = shown.add_task("replicates", total=missing, rate="")

        def advance(start: int, stop: int) -> None:
            shown.advance(task, stop - start)
            rate = shown.tasks[0].completed / (time.monotonic() - started)
            shown.update(task, rate=f"{rate:.1f}/s")

        yield advance
