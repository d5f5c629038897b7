"""Downloading CIFAR-10 from a server on this machine."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import socket
import tarfile
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mini_exp.tasks.images import cifar10_files as cifar10
from mini_exp.tasks.images.cifar10_files import FILES, FOLDER, cifar10_images
from tests.tasks.cifar10_batches import CONTENTS, PARTIAL, batch, error_line, tree, written


def archive(contents: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A tar.gz of these files, after other members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for member in others:
            tar.addfile(member)
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


OFFICIAL = {f"{FOLDER}/{name}": content for name, content in CONTENTS.items()}
ARCHIVE = archive({**OFFICIAL, f"{FOLDER}/readme.html": b"<p>"})


def garbled() -> bytes:
    """A tar.gz whose compressed stream is damaged within the second file."""
    compressor = zlib.compressobj(wbits=31)
    start = compressor.compress(gzip.decompress(ARCHIVE)[:12_000])
    return start + compressor.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 1000


class Server:
    """Serves one file; can ignore Range, break off, refuse, say something else or nothing."""

    def __init__(self) -> None:
        self.content = ARCHIVE
        self.ranges = True
        self.cut: int | None = None  # bytes that the next answer ends after
        self.status: int | None = None
        self.asked: list[str | None] = []  # the Range of every request
        self.greeting: bytes | None = None  # in place of HTTP
        self.silent = False
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if server.silent:
                    server.closing.wait()
                elif server.greeting:
                    self.wfile.write(server.greeting)
                else:
                    server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data/cifar.tar.gz"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if self.status or start >= len(self.content):
            request.send_error(self.status or 416)
            return
        body = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.cut])
        self.cut = None

    def download(self, root: Path, md5: str | None = None) -> None:
        expected = hashlib.md5(self.content, usedforsecurity=False).hexdigest()
        cifar10.download_cifar10(root, self.url, md5 or expected)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.closing.set()
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def test_a_download(server: Server, tmp_path: Path) -> None:
    root = tmp_path / "made" / "here"
    server.download(root)
    assert tree(root) == OFFICIAL
    assert server.asked == [None]
    train, test = cifar10_images(root)
    assert (len(train), len(test)) == (20, 7)


@pytest.mark.parametrize("folder", [".", FOLDER])
def test_nothing_to_download(server: Server, tmp_path: Path, folder: str) -> None:
    written(tmp_path / folder)
    before = tree(tmp_path)
    server.download(tmp_path)
    assert server.asked == []
    assert tree(tmp_path) == before


def test_one_file_is_missing(server: Server, tmp_path: Path) -> None:
    """All six are replaced: the others might come from elsewhere."""
    written(tmp_path, dict.fromkeys(FILES[1:], batch(99)))
    server.download(tmp_path)
    assert tree(tmp_path) == CONTENTS


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_breaks_off_is_resumed(server: Server, tmp_path: Path, ranges) -> None:
    server.ranges = ranges
    server.cut = 1000
    early = len(ARCHIVE) - 1000
    error_line(
        lambda: server.download(tmp_path),
        rf"{server.url}: .* ended {early} bytes early; .* kept in .*{PARTIAL}: run again to resume",
    )
    assert tree(tmp_path) == {PARTIAL: ARCHIVE[:1000]}
    server.download(tmp_path)
    assert server.asked == [None, "bytes=1000-"]
    assert tree(tmp_path) == OFFICIAL


def test_a_download_that_breaks_off_twice(server: Server, tmp_path: Path) -> None:
    for cut in (1000, 500):
        server.cut = cut
        error_line(lambda: server.download(tmp_path), "bytes early")
    server.download(tmp_path)
    assert server.asked == [None, "bytes=1000-", "bytes=1500-"]
    assert tree(tmp_path) == OFFICIAL


def test_killed_before_it_had_unpacked(server: Server, tmp_path: Path) -> None:
    (tmp_path / PARTIAL).write_bytes(ARCHIVE)
    server.download(tmp_path)
    assert server.asked == []
    assert tree(tmp_path) == OFFICIAL


@pytest.mark.parametrize("partial", [b"wrong", ARCHIVE + b"more", ARCHIVE[:-1] + b"x"])
def test_a_damaged_partial_download(server: Server, tmp_path: Path, partial: bytes) -> None:
    (tmp_path / PARTIAL).write_bytes(partial)
    error_line(
        lambda: server.download(tmp_path), "expected an archive of MD5 .* deleted, run again"
    )
    assert tree(tmp_path) == {}
    server.download(tmp_path)
    assert server.asked == [f"bytes={len(partial)}-", None]
    assert tree(tmp_path) == OFFICIAL


def test_a_wrong_md5(server: Server, tmp_path: Path) -> None:
    found = hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest()
    message = rf"^{server.url}: expected an archive of MD5 {'0' * 32}, got {found}; .* deleted"
    error_line(lambda: server.download(tmp_path, "0" * 32), message)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "../../data_batch_1.bin", "evil.bin"])  # noqa: S108
def test_a_hostile_archive(server: Server, tmp_path: Path, name: str) -> None:
    """Nothing lands outside the folder, nor under a name that the archive chose."""
    link = tarfile.TarInfo(FOLDER)
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    server.content = archive({name: batch(99), **OFFICIAL}, link)
    server.download(tmp_path / "deep" / "root")
    assert tree(tmp_path) == {f"deep/root/{name}": content for name, content in OFFICIAL.items()}
    assert not Path("/tmp/evil").exists()  # noqa: S108


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_an_archive_with_a_link_for_a_file(server: Server, tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_bytes(batch(99))
    link = tarfile.TarInfo(f"{FOLDER}/test_batch.bin")
    link.type, link.linkname = kind, str(tmp_path / "secret")
    others = {name: content for name, content in OFFICIAL.items() if "test" not in name}
    server.content = archive(others, link)
    root = tmp_path / "root"
    error_line(lambda: server.download(root), rf"{PARTIAL}: lacks test_batch.bin; delete it")
    assert set(tree(root)) == {PARTIAL}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "expected a tar.gz archive: .*; delete it"),
        (ARCHIVE[: len(ARCHIVE) // 2], "expected a tar.gz archive: .*; delete it"),
        (garbled(), "expected a tar.gz archive: .*; delete it"),
        (archive({}), "lacks data_batch_1.bin, .*, test_batch.bin; delete it"),
        (archive(OFFICIAL | {f"{FOLDER}/test_batch.bin": b"1"}), "test_batch.bin: .* cut off"),
        (archive(OFFICIAL | {f"{FOLDER}/test_batch.bin": b"\xff" * 3073}), "label 0 … 9, got 255"),
    ],
    ids=["no archive", "cut off", "garbled", "empty", "a file cut off", "a label of no class"],
)
def test_a_damaged_archive(server: Server, tmp_path: Path, content: bytes, message: str) -> None:
    """Its MD5 is right; still nothing is written of it."""
    server.content = content
    error_line(lambda: server.download(tmp_path), rf"{PARTIAL}: .*{message}")
    assert tree(tmp_path) == {PARTIAL: content}


@pytest.mark.parametrize("status", [403, 404, 503])
def test_the_server_refuses(server: Server, tmp_path: Path, status: int) -> None:
    (tmp_path / PARTIAL).write_bytes(ARCHIVE[:1000])
    server.status = status
    error_line(lambda: server.download(tmp_path), f"cannot be fetched: HTTP Error {status}: ")
    assert tree(tmp_path) == {PARTIAL: ARCHIVE[:1000]}


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x.tar.gz"
        message = rf"^{url}: cannot be fetched: .*refused.*scripts/cifar10_from_images.py$"
        error_line(lambda: cifar10.download_cifar10(tmp_path, url), message)
    assert tree(tmp_path) == {}


def test_no_such_address(tmp_path: Path) -> None:
    url = "http://127.0.0.1:0/x.tar.gz"
    error_line(lambda: cifar10.download_cifar10(tmp_path, url), "cannot be fetched")


def test_a_server_that_says_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "TIMEOUT", 0.05)
    server.silent = True
    error_line(lambda: server.download(tmp_path), "cannot be fetched: .*timed out")
    assert tree(tmp_path) == {}


def test_a_server_that_speaks_no_http(server: Server, tmp_path: Path) -> None:
    server.greeting = b"220 ready\r\n"
    error_line(lambda: server.download(tmp_path), "cannot be fetched: 220 ready")
    assert tree(tmp_path) == {}


def test_the_disk_is_full(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        error_line(lambda: server.download(tmp_path), "No space left on device; .*make room")
    assert tree(tmp_path) == {PARTIAL: ARCHIVE}
    server.download(tmp_path)
    assert len(server.asked) == 1
    assert tree(tmp_path) == OFFICIAL


def test_a_file_in_the_folder_s_place(server: Server, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.write_text("mine")
    error_line(lambda: server.download(root), rf"{root}: cannot hold CIFAR-10: File exists; give")
    assert root.read_text() == "mine"
