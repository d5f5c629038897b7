"""Where results were made: versions, platform, threads, git revision."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import mini_exp

PACKAGES = ("numpy", "scipy", "torch", "pandas", "matplotlib")


@functools.cache
def environment() -> dict[str, Any]:
    """What a number may depend on beside settings, inputs and code; looked up once per process."""
    return {
        "mini_exp": mini_exp.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "git_revision": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
    }


def _git(*arguments: str) -> str | None:
    """Output of git in the package's checkout; None where there is none."""
    folder = Path(mini_exp.__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
