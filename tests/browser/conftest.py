"""One Chromium for the session, one page per report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import Opened
from tests.conftest import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPTIONS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; Chromium's sandbox does not run as root."""
    from playwright.sync_api import sync_playwright

    programs = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    program = next(filter(None, programs), None)
    assert program, "there is no Chromium here: see `make browser-test`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=OPTIONS, chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=["mini", "digits", "cifar10", "tiny"])
def report(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The committed reports, and one of a run of today's code."""
    name = request.param
    fresh = name == "tiny"
    folder = request.getfixturevalue("tiny").directory if fresh else ROOT / "results" / name
    opened = Opened(browser, folder / "report.html")
    yield opened
    opened.page.close()
