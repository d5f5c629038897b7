"""Every report in a real browser: wide, narrow, dark, by keyboard, on paper."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.pages import Opened

pytestmark = pytest.mark.browser
A4 = 642  # CSS pixels between margins of 2 cm


def no(complaints: list[str]) -> None:
    if complaints:
        shown = "\n".join(complaints[:20])
        pytest.fail(f"{len(complaints)} complaints:\n{shown}", pytrace=False)


@pytest.mark.parametrize("check", ["structure", "images", "links", "ids", "tables"])
def test_page(report: Opened, check: str) -> None:
    report.show()
    no(report.complaints(check))


@pytest.mark.parametrize("width", [375, 1280])
def test_a_click_shows_what_it_promises(report: Opened, width: int) -> None:
    report.show(width)
    no(report.clicks())


def test_keyboard(report: Opened) -> None:
    report.show()
    no(report.keyboard())


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(report: Opened, scheme: str, width: int) -> None:
    report.show(width, scheme)
    no(report.complaints("contrast"))


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_sticks_out(report: Opened, width: int) -> None:
    report.show(width)
    no(report.complaints("sideways"))


@pytest.mark.parametrize("check", ["scrolling", "smallText"])
def test_on_a_telephone(report: Opened, check: str) -> None:
    report.show(375)
    no(report.complaints(check))


def test_print(report: Opened) -> None:
    """Browsers leave backgrounds out on paper."""
    report.show(A4, "dark", "print")
    no(report.complaints("contrast", True) + report.complaints("cut"))
    assert report.printed_pages() > 1


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots(
    report: Opened, scheme: str, width: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """For people to look at."""
    report.show(width, scheme)
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    name = request.node.callspec.params["report"]
    path = folder / f"{name}-{width}-{scheme}.png"
    report.page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 10_000


def test_it_asks_for_nothing_and_complains_of_nothing(report: Opened) -> None:
    """The last test: it has seen all the others."""
    no(report.noise)
