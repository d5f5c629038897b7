"""What `mini-exp` alone says: the six steps, and what to type next."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path

import click


def welcome(steps: Sequence[click.Command]) -> str:
    """The steps of an experiment on MINI, and what to type next in this directory."""
    lines = [
        (str(step.name), step.get_short_help_str(60))
        for step in steps
        if step.name not in ("load-images", "load-data", "export")
    ]
    following = []
    config = _experiment_here()
    finished = sorted(path.parent for path in Path("results").glob("*/table1.csv"))
    if finished:
        own = [path for path in finished if config and path.name == config.stem]
        shown = shlex.quote(str((own or finished)[0]))
        following.append((f"mini-exp show {shown}", "what a finished run gave"))
    if config is None:
        following.append(("mini-exp init my.yaml", "write an experiment file"))
    run = f"mini-exp run {shlex.quote(str(config or 'my.yaml'))}"
    following += [(run, "all six steps"), ("mini-exp --help", "every command")]
    return "\n".join(
        [
            "Spectral Pruning as in Sørby (2019), in six steps:\n",
            *(f"  {name:16}{what}" for name, what in lines),
            "\nNext:\n",
            *(f"  {command:34}{what}" for command, what in following),
        ]
    )


def _experiment_here() -> Path | None:
    """An experiment file of this directory."""
    if Path("configs/mini.yaml").is_file():
        return Path("configs/mini.yaml")
    for path in sorted(Path().glob("*.y*ml")):
        with contextlib.suppress(OSError):
            if "\nvariants:" in path.read_text(encoding="utf-8", errors="replace"):
                return path
    return None
