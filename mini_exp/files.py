"""Files that are whole or absent under their name, known by their SHA-256, and never unpickled."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mini_exp.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

NOT_PERMITTED = {
    *(errno.EPERM, errno.EACCES, errno.EROFS, errno.EINVAL, errno.ENOSYS, errno.EBADF),
    *(errno.ENOTSUP, errno.EOPNOTSUPP, errno.EISDIR),
}

PARTIAL = ".partial"  # ends the name of a file that is being written


def sha256(path: Path) -> str | None:
    """Hexadecimal SHA-256 of a file's content; None where there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None


def write_bytes(path: Path, content: bytes) -> str:
    """Write a file so that it is whole or absent under its name, whenever the process dies.

    A temporary file in the same directory is flushed to disk and renamed.

    Returns
    -------
    str
        Its SHA-256.

    Raises
    ------
    ArtifactError
        If the disk is full or the directory cannot be written; an earlier file stays as it was.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent
        )
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            with _where_permitted():
                os.fsync(file.fileno())
        with _where_permitted():
            temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
        with _where_permitted(), _directory(path.parent) as parent:
            os.fsync(parent)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _where_permitted() -> Iterator[None]:
    """Do what some file systems do not permit, or have not: the file is whole without it."""
    try:
        yield
    except OSError as error:
        if error.errno not in NOT_PERMITTED:
            raise


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_bytes(path: Path, expected: str | None) -> bytes:
    """A file's content.

    Parameters
    ----------
    path : Path
    expected : str or None
        SHA-256 that it must have.

    Raises
    ------
    ArtifactError
        If the file is missing or differs.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise ArtifactError(f"{path}: damaged or replaced: not the file that was written here")
    return content


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Named arrays as an npz file."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def npz_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Arrays of an npz file that `npz_bytes` could have written; anything else is refused.

    Sizes are checked against the file before anything is allocated.
    """
    import zipfile

    import numpy as np

    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > len(content):
                raise ValueError(f"{member.filename} is compressed or larger than the file")
            data = io.BytesIO(archive.read(member))
            if np.lib.format.read_magic(data) != (1, 0):
                raise ValueError(f"{member.filename} is not an array of format 1.0")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(data)
            rest = data.read()
            if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(rest):
                raise ValueError(f"{member.filename} holds objects or has a wrong size")
            order: Literal["F", "C"] = "F" if fortran else "C"
            arrays[name] = np.frombuffer(rest, dtype).reshape(shape, order=order).copy(order=order)
    return arrays
