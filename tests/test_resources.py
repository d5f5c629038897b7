"""Processors and memory that a process may use, from made-up trees of /proc and /sys."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from mini_exp.resources import usable_memory, usable_processors

GB = 10**9
V2, V1 = "0::/a/b\n", "7:memory:/a\n3:cpuacct,cpu:/a\n1:name=systemd:/\n"

# What /proc/self/cgroup says, files below /sys/fs/cgroup, and what comes of 8 processors.
PROCESSORS = {
    "no cgroups": ("", {}, 8),
    "no quota": (V2, {"a/b/cpu.max": "max 100000"}, 8),
    "a quota": (V2, {"a/b/cpu.max": "200000 100000"}, 2),
    "a quota between": (V2, {"a/b/cpu.max": "250000 100000"}, 2),
    "less than one": (V2, {"a/b/cpu.max": "50000 100000"}, 1),
    "more than there are": (V2, {"a/b/cpu.max": "6400000 100000"}, 8),
    "of the cgroup around": (V2, {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
    "of the root": (V2, {"cpu.max": "400000 100000"}, 4),
    "the smallest": (V2, {"a/cpu.max": "300000 100000", "a/b/cpu.max": "200000 100000"}, 2),
    "outside of the view": ("0::/../../x\n", {"cpu.max": "200000 100000"}, 2),
    "damaged": (V2, {"a/b/cpu.max": "a lot"}, 8),
    "empty": (V2, {"a/b/cpu.max": ""}, 8),
    "no period": (V2, {"a/b/cpu.max": "200000 0"}, 8),
    "version 1": (V1, {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
    "version 1 without": (V1, {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "1"}, 8),
}
# The same for memory, of 16 GB that the machine has left.
MEMORY = {
    "no cgroups": ("", {}, 16 * GB),
    "no limit": (V2, {"a/b/memory.max": "max", "a/b/memory.current": "5"}, 16 * GB),
    "a limit": (V2, {"a/b/memory.max": str(4 * GB), "a/b/memory.current": str(GB)}, 3 * GB),
    "cache counts as free": (
        V2,
        {
            "a/b/memory.max": str(4 * GB),
            "a/b/memory.current": str(3 * GB),
            "a/b/memory.stat": f"anon 5\ninactive_file {2 * GB}\n",
        },
        3 * GB,
    ),
    "of the cgroup around": (V2, {"a/memory.max": str(2 * GB), "a/memory.current": "0"}, 2 * GB),
    "used up": (V2, {"a/b/memory.max": str(GB), "a/b/memory.current": str(2 * GB)}, 0),
    "version 1": (
        V1,
        {"memory/a/memory.limit_in_bytes": str(GB), "memory/a/memory.usage_in_bytes": "0"},
        GB,
    ),
    "version 1 without": (V1, {"memory/a/memory.limit_in_bytes": str(2**63 - 4096)}, 16 * GB),
}


def tree(root: Path, groups: str, files: dict[str, str]) -> Path:
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(groups)
    for name, content in files.items():
        path = root / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize("case", PROCESSORS)
def test_processors_are_those_of_the_quota(tmp_path, monkeypatch, case):
    groups, files, expected = PROCESSORS[case]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_processors(tree(tmp_path, groups, files)) == expected


@pytest.mark.parametrize("count", [1, 3])
def test_processors_are_those_that_the_process_is_bound_to(tmp_path, monkeypatch, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)
    assert usable_processors(tmp_path) == count


def test_where_no_process_is_bound_all_count(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_processors(tmp_path) == 6


@pytest.mark.parametrize("case", MEMORY)
def test_memory_is_what_the_limit_leaves(tmp_path, monkeypatch, case):
    groups, files, expected = MEMORY[case]
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=16 * GB))
    assert usable_memory(tree(tmp_path, groups, files)) == expected
