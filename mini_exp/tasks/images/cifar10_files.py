"""CIFAR-10 in its binary layout: read it, download it. Nothing is ever unpickled.

The files stand in the data root, or as the official archive unpacks, in ``cifar-10-batches-bin``
there. A record is a label byte, then 32 × 32 bytes each of red, green and blue, row by row.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from mini_exp.errors import ArtifactError
from mini_exp.tasks.images.image_data import Images

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
TIMEOUT = 30.0  # seconds without a byte

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
TRAINING_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILE = "test_batch.bin"
FILES = (*TRAINING_FILES, TEST_FILE)
FOLDER = "cifar-10-batches-bin"
HOW_TO_GET = "set data.download: true, or make the files with scripts/cifar10_from_images.py"


def cifar10_images(root: Path) -> tuple[Images, Images]:
    """Training and test set, in the order of the files.

    Parameters
    ----------
    root : Path
        The folder of data_batch_1.bin … data_batch_5.bin and test_batch.bin, or its parent.

    Returns
    -------
    train, test : Images
        Pixels of shape (n, 3, 32, 32), 0 … 255; labels index ``CLASSES``. A file may hold any
        number of records; the official ones hold 10 000.

    Raises
    ------
    ArtifactError
        If a file is missing, unreadable, cut off inside a record or holds a label above 9. One
        that is cut off between two records cannot be told from a smaller one.

    Notes
    -----
    All of it takes 184 MB, twice that while the files are joined.

    References
    ----------
    Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images;
    https://www.cs.toronto.edu/~kriz/cifar.html
    """
    folder = _folder(root)
    missing = [name for name in FILES if not (folder / name).exists()]
    if missing:
        raise ArtifactError(
            f"{folder}: expected CIFAR-10's six files, missing {', '.join(missing)}; {HOW_TO_GET}"
        )
    return _images(folder, TRAINING_FILES), _images(folder, (TEST_FILE,))


def _folder(root: Path) -> Path:
    """Where the files stand; where a download puts them if there are none."""
    return root if any((root / name).exists() for name in FILES) else root / FOLDER


def _images(folder: Path, names: tuple[str, ...]) -> Images:
    parts = []
    for name in names:
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise ArtifactError(f"{folder / name}: cannot be read: {error.strerror}") from None
        parts.append(_records(content, str(folder / name)))
    pixels = np.concatenate([records[:, 1:] for records in parts]).reshape(-1, *SHAPE)
    return Images(pixels, np.concatenate([records[:, 0] for records in parts]).astype(np.int64))


def _records(content: bytes, source: str) -> npt.NDArray[np.uint8]:
    """The content of one file, checked: (n, 3073)."""
    n, rest = divmod(len(content), RECORD)
    if rest or not n:
        raise ArtifactError(
            f"{source}: expected at least one record of {RECORD} bytes and nothing more, "
            f"got {len(content)} bytes: record {n} is cut off; delete the file, then {HOW_TO_GET}"
        )
    records = np.frombuffer(content, np.uint8).reshape(n, RECORD)
    wrong = np.flatnonzero(records[:, 0] >= len(CLASSES))
    if len(wrong):
        raise ArtifactError(
            f"{source}: record {wrong[0]}: expected a label 0 … 9, got {records[wrong[0], 0]}: "
            f"not CIFAR-10 or damaged; delete the file, then {HOW_TO_GET}"
        )
    return records


def download_cifar10(root: Path, url: str = URL, md5: str = MD5) -> None:
    """Fetch the official archive, check it and unpack the six files; nothing where they are.

    Parameters
    ----------
    root : Path
        Made where it is missing. The files come into its ``cifar-10-batches-bin``, or into
        itself where it holds some of them already.
    url, md5 : str
        The archive's address (http or https) and the MD5 of its content.

    Raises
    ------
    ArtifactError
        If the network or the disk fails (what has arrived is kept, and the next call resumes
        there), the MD5 differs (what has arrived is deleted), or the archive lacks a file.

    Notes
    -----
    170 MB over the network; as much on disk until it is unpacked, and 184 MB of memory then. A
    server that cannot resume sends everything anew. Of the archive only the six files are read,
    into names that are known beforehand, and all are checked before the first is written.

    References
    ----------
    RFC 9110, section 14 (range requests).
    """
    folder = _folder(root)
    if all((folder / name).exists() for name in FILES):
        return
    archive = root / f"{url.rpartition('/')[2]}.partial"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if _md5(archive) != md5:  # else an earlier call was stopped before it had unpacked
            _fetch(url, archive)
            fetched = _md5(archive)
            if fetched != md5:
                archive.unlink(missing_ok=True)
                raise ArtifactError(
                    f"{url}: expected an archive of MD5 {md5}, got {fetched}; "
                    f"what had arrived is deleted, run again to fetch it anew"
                )
        contents = _unpacked(archive)
        folder.mkdir(exist_ok=True)
        for name, content in contents.items():
            _write(folder / name, content)
        archive.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"{root}: cannot hold CIFAR-10: {error.strerror}; give another data.root or make room"
        ) from None


def _md5(path: Path) -> str | None:
    """None where there is no file."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _fetch(url: str, archive: Path) -> None:
    """Add to the archive what it lacks; start anew where the server cannot resume.

    Not with pooch: it fetches into a temporary file and deletes that where the connection breaks.
    """
    start = archive.stat().st_size if archive.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the caller's own address)
    try:
        with (
            urllib.request.urlopen(request, timeout=TIMEOUT) as response,  # noqa: S310
            archive.open("ab" if response.status == HTTPStatus.PARTIAL_CONTENT else "wb") as file,
        ):
            shutil.copyfileobj(response, file)
            if response.length:  # read() is silent about it
                raise ConnectionError(f"the connection ended {response.length} bytes early")
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # nothing is lacking: the MD5 decides
        reason = " ".join(str(error).split())  # a server's words may be several lines
        raise ArtifactError(
            f"{url}: cannot be fetched: {reason}; what has arrived is kept in {archive}: "
            f"run again to resume, or make the files with scripts/cifar10_from_images.py"
        ) from None


def _unpacked(archive: Path) -> dict[str, bytes]:
    """The content of the six files, checked."""
    contents = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = PurePosixPath(member.name).name
                if name in FILES and member.isfile() and (file := members.extractfile(member)):
                    contents[name] = file.read()
                    _records(contents[name], f"{archive}: {member.name}")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ArtifactError(f"{archive}: expected a tar.gz archive: {error}; delete it") from None
    missing = [name for name in FILES if name not in contents]
    if missing:
        raise ArtifactError(f"{archive}: lacks {', '.join(missing)}; delete it")
    return contents


def _write(path: Path, content: bytes) -> None:
    """Whole or absent under its name, whenever the process dies."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
