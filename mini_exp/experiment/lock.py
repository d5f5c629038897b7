"""A results directory belongs to one process at a time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mini_exp.errors import ArtifactError
from mini_exp.files import PARTIAL, write_bytes


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a results directory for this process.

    What a killed process left half-written is cleared away. The operating system frees the lock
    when its process ends, however it ends.

    Raises
    ------
    ArtifactError
        If another process holds it, naming that process and since when; or if the directory
        cannot be written.
    """
    import filelock

    owner = directory / ".lock-owner"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(directory / ".lock", blocking=False)
        lock.acquire()
    except filelock.Timeout:
        try:
            holder = owner.read_text()
        except OSError:
            holder = "another process"
        raise ArtifactError(f"{directory}: in use by {holder}; wait until it has ended") from None
    except OSError as error:
        raise ArtifactError(f"{directory}: cannot be written: {error.strerror}") from None
    except NotImplementedError:  # filelock's word for a file system without locks
        raise ArtifactError(
            f"{directory}: its file system has no locks; give another directory with --results"
        ) from None
    try:
        for partial in directory.rglob(f".*{PARTIAL}"):
            partial.unlink(missing_ok=True)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        write_bytes(owner, f"process {os.getpid()} since {now}".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()
