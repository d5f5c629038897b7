"""The live display of a run at a terminal."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.text import Text

from mini_exp.cli.terminal import new_console

LONGEST_BAR = 30  # characters; shorter where the terminal is narrow,
SHORTEST_BAR = 4  # and none below this
NARROW = 72  # columns of a terminal below which names are not aligned


class LiveRun:
    """The steps of a run: a line for each that has ended, and how far the present one is.

    A context manager; ``say`` and ``watch`` are those of an ``Experiment``.
    """

    def __init__(self) -> None:
        self._console = new_console()
        self._running: _Running | None = None
        # Drawn ten times a second by a thread of its own: training only leaves numbers.
        self._live = Live(
            console=self._console,
            get_renderable=self._shown,
            refresh_per_second=10,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._running = None
        self._console.print(line, soft_wrap=True)

    def watch(self, variant: str, step: str, counts: str) -> _Running:
        """Show a step as running, until the next line."""
        self._running = _Running(variant, step, counts)
        return self._running

    def _shown(self) -> RenderableType:
        return self._running or ""


class _Running:
    """The step that is running; called after every epoch, if it counts any."""

    def __init__(self, variant: str, step: str, counts: str) -> None:
        self._names = (variant, step)
        self._counts = counts
        self._since = time.monotonic()
        self._epoch: tuple[int, int, float] | None = None

    def __call__(self, epoch: int, epochs: int, loss: float) -> None:
        self._epoch = (epoch, epochs, loss)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line, cut where the terminal ends."""
        variant, step = self._names
        seconds = time.monotonic() - self._since
        line = Text(no_wrap=True, overflow="crop")
        if self._epoch is None:
            line.append(f"{variant:16} {step:15} {seconds:6.2f} s")  # as it will stay
        else:
            epoch, epochs, loss = self._epoch
            left = round(seconds / epoch * (epochs - epoch))
            done = f"{epoch:{len(str(epochs))}}/{epochs}"
            numbers = f"{self._counts} {done}  loss {loss:.3f}  {left // 60}:{left % 60:02} left"
            aligned = options.max_width >= NARROW
            line.append(f"{variant:16} {step:8}  " if aligned else f"{variant} {step}  ")
            room = min(options.max_width - len(line) - len(numbers) - 2, LONGEST_BAR)
            if room >= SHORTEST_BAR:
                bar = "-" if options.ascii_only else "━"
                full = room * epoch // epochs
                line.append(bar * full, "green")
                line.append((bar if console.color_system else " ") * (room - full), "bright_black")
                line.append("  ")
            line.append(numbers)
        yield line
