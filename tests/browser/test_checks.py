"""The checks find what they are for, and nothing on a good page."""

from __future__ import annotations

import pytest

from tests.browser.pages import Opened

pytestmark = pytest.mark.browser

GOOD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Good</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --ink: #222222; --paper: #ffffff; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #eeeeee; --paper: #222222; } }
body { color: var(--ink); background: var(--paper); }
a { color: inherit; }
td + td, th + th { text-align: right; }
h2 { break-before: page; }
</style></head><body>
<nav><a href="#end">End</a></nav>
<main>
<h1>Good</h1>
<svg role="img" aria-labelledby="caption" width="200" height="100"><path d="M0 0L9 9"/></svg>
<p id="caption">A line</p>
<table><tbody><tr><td>a<td>0.10 [0.05, 0.2]<tr><td>b<td>1.00<tr><td>c<td>none</table>
<div style="height: 100rem"></div>
<h2 id="end">End</h2>
</main></body></html>
"""
ALL = [
    "structure",
    "images",
    "links",
    "ids",
    "tables",
    "contrast",
    "smallText",
    "sideways",
    "scrolling",
    "cut",
]


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page; closes it."""
    pages = []

    def open_(html: str) -> Opened:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        pages.append(Opened(browser, path))
        return pages[-1]

    yield open_
    for page in pages:
        page.page.close()


def test_a_good_page(opened) -> None:
    good = opened(GOOD)
    for width in (320, 1280):
        for scheme in ("light", "dark"):
            good.show(width, scheme)
            assert [complaint for check in ALL for complaint in good.complaints(check)] == []
    good.show(scheme="dark", media="print")
    assert good.complaints("contrast", True) == []
    good.show()
    assert good.keyboard() == []
    assert good.clicks() == []
    assert good.printed_pages() > 1
    assert good.noise == []


@pytest.mark.parametrize(
    ("check", "old", "new", "complaint"),
    [
        ("structure", '<html lang="en">', "<html>", "no language"),
        ("structure", "<title>Good</title>", "", "no title"),
        ("structure", "<h1>Good</h1>", "", "0 h1"),
        ("structure", '<h2 id="end">End</h2>', '<h4 id="end">End</h4>', "after h1"),
        ("structure", "<nav>", "<nav hidden>", "no nav"),
        ("structure", "main>", "div>", "not one main"),
        ("images", ' aria-labelledby="caption"', "", "no text alternative"),
        ("images", '"caption" width', '"nowhere" width', "no text alternative"),
        ("images", ' role="img"', "", "no role"),
        ("images", ' width="200"', "", "no size"),
        ("images", ' width="200"', ' width="20"', "shown 20"),
        ("images", "<path", '<text y="1" font-size="20">Long</text><path', "cuts Long"),
        ("images", "<h1>", '<img src="data:," width="200" height="100" alt="a"><h1>', "not loaded"),
        ("images", "<h1>", '<img src="data:," width="200" height="100"><h1>', "no text"),
        ("links", 'href="#end"', 'href="#nowhere"', "#nowhere"),
        ("links", '<h2 id="end">', '<h2 id="end" hidden>', "#end"),
        ("links", '"caption" width', '"nowhere" width', "#nowhere"),
        ("links", "<path", '<path clip-path="url(#nowhere)"', "#nowhere"),
        ("ids", "<h1>", '<h1 id="end">', "#end"),
        ("tables", "1.00", "1.0", "decimals 2,1"),
        ("tables", "1.00", "1,000", "decimals 2,0"),
        ("tables", "td + td", "tt + tt", "not right-aligned"),
        ("contrast", "#222222; --paper", "#888888; --paper", "contrast 3.5"),
        ("contrast", "a {", "h1 { opacity: 0.6; } a {", "contrast 4.27"),
        ("contrast", "a {", "h1 { background: #00000099; } a {", "“Good”"),
        ("contrast", "a {", "h1::before { content: 'x'; color: #eee; } a {", "“Good”"),
        ("smallText", "a {", "p { font-size: 11px; } a {", "11px"),
        ("sideways", "<h1>", '<div style="width: 2000px">wide</div><h1>', "wide"),
        (
            "scrolling",
            "<h1>",
            '<div style="overflow: auto"><p style="width: 2000px">wide</div><h1>',
            "wide",
        ),
        ("cut", ' width="200"', ' width="2000"', "2008"),
    ],
)
def test_what_is_wrong_is_found(opened, check: str, old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    assert complaint in "\n".join(opened(GOOD.replace(old, new)).complaints(check))


def test_text_that_only_dark_hides(opened) -> None:
    page = opened(GOOD.replace("--ink: #eeeeee;", ""))
    assert page.complaints("contrast") == []
    page.show(scheme="dark")
    assert page.complaints("contrast")


def test_text_that_only_paper_hides(opened) -> None:
    page = opened(GOOD.replace("screen and ", ""))
    page.show(scheme="dark")
    assert page.complaints("contrast") == []
    page.show(scheme="dark", media="print")
    assert page.complaints("contrast", True)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("a {", "a { outline: none; ", "not visible"),
        ('href="#end"', 'href="#end" tabindex="-1"', "not reached"),
        ("<nav>", "<button>Something else</button><nav>", "navigation first"),
        (
            "<h1>",
            '<div style="overflow: auto"><p style="width: 2000px">wide</div><h1>',
            "cannot be focused",
        ),
    ],
)
def test_what_the_keyboard_does_not_find(opened, old: str, new: str, complaint: str) -> None:
    assert complaint in "\n".join(opened(GOOD.replace(old, new)).keyboard())


def test_a_click_that_leads_nowhere(opened) -> None:
    html = GOOD.replace("<nav>", '<nav onclick="event.preventDefault()">')
    assert "#end" in "\n".join(opened(html).clicks())


@pytest.mark.parametrize(
    ("element", "complaint"),
    [
        ('<img src="http://127.0.0.1:9/a.png">', "request: http://127.0.0.1:9/a.png"),
        ('<link rel="stylesheet" href="style.css">', "style.css"),
        ("<script>console.error('broken')</script>", "error: broken"),
        ("<script>console.warn('odd')</script>", "warning: odd"),
        ("<script>throw new Error('thrown')</script>", "error: thrown"),
    ],
)
def test_noise(opened, element: str, complaint: str) -> None:
    assert complaint in "\n".join(opened(GOOD.replace("<h1>", f"{element}<h1>")).noise)


def test_a_short_page_is_one_page_of_paper(opened) -> None:
    assert opened("<title>Short</title>").printed_pages() == 1
