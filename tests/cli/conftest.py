"""Commands in terminals of their own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command in a terminal, and what it has written there so far."""

    def __init__(self, arguments: list[str], environment: dict[str, str], columns: int) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mini_exp", *arguments],
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.written = b""

    def until(self, pattern: bytes) -> None:
        while not re.search(pattern, self.written):
            self.written += os.read(self.ours, 10_000)

    def end(self) -> int:
        with contextlib.suppress(OSError):  # nobody holds the other end any more
            while content := os.read(self.ours, 10_000):
                self.written += content
        os.close(self.ours)
        return self.process.wait()

    def lines(self) -> list[str]:
        """What stays on the screen: a bar is wiped before the next line."""
        whole = [line.rpartition(b"\x1b[2K")[2] for line in self.written.split(b"\r\n")]
        return [ESCAPE.sub(b"", line).decode().rstrip() for line in whole]


@pytest.fixture
def terminal_of(environment) -> Iterator[object]:
    """Start commands in terminals of their own."""
    started: list[Terminal] = []

    def start(*arguments: object, columns: int = 80, **variables: str) -> Terminal:
        clean = {k: v for k, v in environment.items() if k not in ("COLUMNS", "NO_COLOR")}
        variables = {"TERM": "xterm-256color", **variables}
        started.append(Terminal([*map(str, arguments)], clean | variables, columns))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
