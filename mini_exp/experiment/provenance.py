"""Where results were made: versions, platform, threads, git revision."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import mini_exp

PACKAGE = Path(mini_exp.__file__).parent
INSTALLED = f"installed, version {mini_exp.__version__}"  # where there is no revision
PACKAGES = ("numpy", "scipy", "torch", "pandas", "matplotlib")


@functools.cache
def environment() -> dict[str, Any]:
    """What a number may depend on beside settings, inputs and code; looked up once per process."""
    own = _is_own_checkout()
    return {
        "mini_exp": mini_exp.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "git_revision": _git("rev-parse", "HEAD") if own else INSTALLED,
        "git_dirty": own and bool(_git("status", "--porcelain")),
    }


def _is_own_checkout() -> bool:
    """Whether the package stands in its own repository, not in that around an environment."""
    root = PACKAGE.parent
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    named = project.get("project", {}).get("name") == "mini-exp"
    top = _git("rev-parse", "--show-toplevel")
    return named and top is not None and Path(top).resolve() == root.resolve()


def _git(*arguments: str) -> str | None:
    """Output of git in the package's folder; None where there is none."""
    # GIT_DIR and its like name somebody else's repository.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE), *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
