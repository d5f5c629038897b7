"""`report --pdf` prints the report by a browser, and says so where none can."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mini_exp.errors import MiniExpError
from mini_exp.report import pdf


def fake_browser(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """The only browser on the PATH."""
    folder.mkdir()
    program = folder / "google-chrome"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


PRINTS = """for argument; do case $argument in
--print-to-pdf=*) echo "%PDF $*" > "${argument#--print-to-pdf=}";;
esac; done"""


def test_pdf_is_written_beside_the_report(small, tmp_path, monkeypatch):
    fake_browser(tmp_path / "bin", monkeypatch, PRINTS)
    result = small("report", "--pdf")
    path = small.directory / "report.pdf"
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == f"Printed: {path}"
    content = path.read_text()
    assert content.startswith("%PDF --headless")
    assert content.endswith(f"{(small.directory / 'report.html').as_uri()}\n")
    assert ("--no-sandbox" in content) == (os.geteuid() == 0)


def test_pdf_without_a_browser_builds_nothing(small, tmp_path, monkeypatch):
    before = small.identities()
    monkeypatch.setenv("PATH", str(tmp_path))
    result = small("report", "--pdf", "--force")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "mini-exp: --pdf: expected Chromium, Google Chrome or Microsoft Edge on the PATH; install "
        "one, or print report.html from any browser\n"
    )
    assert small.identities() == before


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no display >&2; exit 3", "exit code 3: no display"),
        ("exit 0", "exit code 0: no message"),
        (PRINTS.replace("%PDF", "%!PS"), "exit code 0: no message"),
    ],
    ids=["fails", "writes nothing", "writes something else"],
)
def test_pdf_of_a_browser_that_fails(small, tmp_path, monkeypatch, script, message):
    fake_browser(tmp_path / "bin", monkeypatch, script)
    result = small("report", "--pdf")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"could not print {small.directory / 'report.html'}: {message}" in result.stderr
    assert not (small.directory / "report.pdf").exists()


def test_pdf_of_a_browser_that_hangs(tmp_path, monkeypatch):
    fake_browser(tmp_path / "bin", monkeypatch, "exec /bin/sleep 60")
    monkeypatch.setattr(pdf, "SECONDS", 0.2)
    with pytest.raises(MiniExpError, match=r"could not print .*page.html within 0.2 s"):
        pdf.printed(tmp_path / "page.html")
