"""The report printed by a browser, without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mini_exp.errors import MiniExpError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
)
SECONDS = 60
# Nothing is asked of a network: the page holds all it shows.
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)


def browser() -> str:
    """The first browser on the PATH that can print without a window.

    Raises
    ------
    MiniExpError
        If there is none.
    """
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise MiniExpError(
            "--pdf: expected Chromium, Google Chrome or Microsoft Edge on the PATH; install one, "
            "or print report.html from any browser"
        )
    return program


def printed(html_path: Path) -> bytes:
    """A page as PDF.

    Parameters
    ----------
    html_path : Path

    Returns
    -------
    bytes
        The content of a PDF file.

    Raises
    ------
    MiniExpError
        If there is no browser, or it fails or takes longer than a minute.
    """
    program = browser()
    failed = f"--pdf: {program} could not print {html_path}"
    # A browser that is killed may still write to its profile for a moment.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        pdf, log = Path(folder) / "report.pdf", Path(folder) / "log"
        command = [program, *OPTIONS, f"--user-data-dir={folder}/profile", f"--print-to-pdf={pdf}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # root has none to enter
        command.append(html_path.resolve().as_uri())
        try:
            with log.open("wb") as output:  # a pipe would be held by the browser's own children
                done = subprocess.run(
                    command, stdout=output, stderr=output, timeout=SECONDS, check=False
                )
        except subprocess.TimeoutExpired:
            raise MiniExpError(f"{failed} within {SECONDS} s") from None
        except OSError as error:
            raise MiniExpError(f"{failed}: {error.strerror}") from None
        content = pdf.read_bytes() if pdf.is_file() else b""
        if done.returncode or not content.startswith(b"%PDF"):
            said = log.read_text(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(said) if line.strip()), "no message")
            raise MiniExpError(f"{failed}: exit code {done.returncode}: {last[:300]}")
    return content
