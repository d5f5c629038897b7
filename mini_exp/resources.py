"""What this process may use: of processors and memory, not what the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
UNLIMITED = 2**60  # version 1 of cgroups says so of no limit at all, rounded to pages


def usable_processors(root: Path = ROOT) -> int:
    """Processors that the process may run on, within the quota of its cgroups; at least 1.

    Parameters
    ----------
    root : Path
        Holds ``proc`` and ``sys``.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    for quota in _quotas(root):
        count = min(count, max(math.floor(quota), 1))
    return count


def usable_memory(root: Path = ROOT) -> float:
    """Bytes that the process may still take: of the machine's, and within its cgroups' limits."""
    import psutil

    return min([float(psutil.virtual_memory().available), *_free(root)])


def _quotas(root: Path) -> Iterator[float]:
    """Processors' worth of time that each cgroup may use, of those that limit it."""
    for folder in _folders(root, "cpu"):
        limit = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        numbers = [_number(word) for word in limit[:2]]
        if len(numbers) == 2 and numbers[0] is not None and numbers[1]:
            yield numbers[0] / numbers[1]


def _free(root: Path) -> Iterator[float]:
    """Bytes that each cgroup has left, of those that limit them; what can be dropped is free."""
    for folder in _folders(root, "memory"):
        for limit_file, usage_file, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit, usage = (_first_number(folder / name) for name in (limit_file, usage_file))
            if limit is not None and limit < UNLIMITED:
                words = _words(folder / "memory.stat")
                values = dict(zip(words[::2], words[1::2], strict=False))
                dropped = _number(values.get(cache, "0")) or 0.0
                yield max(limit - max((usage or 0.0) - dropped, 0.0), 0.0)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """The process's cgroup and those around it, of both versions."""
    mounted = root / "sys" / "fs" / "cgroup"
    for line in _lines(root / "proc" / "self" / "cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number != "0" and controller not in controllers.split(","):
            continue
        base = mounted if number == "0" else mounted / controller
        inside = Path(path.lstrip("/"))
        if ".." not in inside.parts:  # a cgroup outside of the container's view
            yield from (base / part for part in (inside, *inside.parents))
        else:
            yield base


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _first_number(path: Path) -> float | None:
    return next(map(_number, _words(path)), None)


def _number(word: str) -> float | None:
    """None for ``max``, for −1, and for what is no number."""
    return float(word) if word.isascii() and word.isdigit() else None
