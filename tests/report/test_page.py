"""Markdown as one page that needs no other file."""

from __future__ import annotations

import re

import pytest

from mini_exp.errors import ArtifactError
from mini_exp.report.page import report_html
from tests.blank_figures import blank_file
from tests.report.pages import Page


def cells(rows: str) -> list[tuple[str, str]]:
    """Attributes and content of every cell of a table of text and numbers."""
    text = f"# T\n\n| A | B |\n|---|---:|\n{rows}"
    return re.findall(r"<td([^>]*)>(.*?)</td>", report_html(text, {}))


def test_what_a_group_of_rows_says_once_is_repeated_for_narrow_screens():
    contents = [content for _, content in cells("| a<b | 1 |\n|  | 2 |\n")]
    assert contents == ["a&lt;b", "1", '<span class="repeated">a&lt;b</span>', "2"]


def test_every_cell_names_its_column():
    attributes = [a for a, _ in cells("| a | 1 |\n| b | 2 |\n")]
    assert [re.search('data-label="(.)"', a)[1] for a in attributes] == ["A", "B", "A", "B"]


def test_right_aligned_cells_are_numbers_and_empty_ones_say_so():
    number, empty = [a for a, _ in cells("| a | 1 |\n| b |  |\n")][1::2]
    assert 'class="number"' in number
    assert 'class="number empty"' in empty


def test_rows_keep_their_role():
    assert report_html("# T\n\n| A |\n|---|\n| a |\n", {}).count('role="row"') == 2


def test_headings_are_anchors_as_on_github():
    html_text = report_html("# T\n\n## Step 2: gen-mini (4.3)!\n\n## Größe\n", {})
    assert '<h2 id="step-2-gen-mini-43">' in html_text
    assert '<a href="#größe">Größe</a>' in html_text


def test_equal_headings_have_different_anchors_as_on_github():
    html_text = report_html("# T\n\n## A b\n\n## A b\n\n### A b\n", {})
    assert re.findall(r'id="(a-[^"]*)"', html_text) == ["a-b", "a-b-1", "a-b-2"]


def test_a_number_and_its_percent_sign_stay_on_one_line():
    assert "<p>95\N{NO-BREAK SPACE}% of all</p>" in report_html("# T\n\n95 % of all\n", {})


def test_an_image_and_an_emphasised_line_are_a_figure_with_its_caption():
    text = "# T\n\n![What](a.png)\n\n*Figure 3. A caption.*\n\n![Why](b.png)\n\nNo caption.\n"
    images = {"a.png": blank_file(None, "svg"), "b.png": blank_file(None, "svg")}
    page = Page(report_html(text, images))
    assert page.names.count("figure") == page.names.count("figcaption") == 1
    assert ("figure", "figure-3") in [(tag, attributes.get("id")) for tag, attributes in page.tags]


def test_an_svg_has_a_text_and_one_and_a_half_pixels_to_a_point():
    svg = b'<svg width="200pt" height="100pt"></svg>'
    page = Page(report_html('# T\n\n![A "b" c](a.png)\n', {"a.png": svg}))
    attributes = dict(page.tags)["svg"]
    assert (attributes["width"], attributes["height"]) == ("300", "150")
    assert (attributes["role"], attributes["aria-label"]) == ("img", 'A "b" c')


def test_a_png_stands_in_the_page_at_its_printed_size():
    page = Page(report_html("# T\n\n![What](a.png)\n", {"a.png": blank_file(None, "png")}))
    attributes = dict(page.tags)["img"]
    assert attributes["src"].startswith("data:image/png;base64,")
    assert attributes["width"] == "6"  # 9 pixels at 150 to an inch, 108 pixels to an inch here


def test_names_inside_two_figures_stay_apart():
    svg = b'<svg width="9pt" height="9pt"><path id="p"/><use href="#p"/></svg>'
    text = "# T\n\n![A](a.png)\n\n![B](b.png)\n"
    page = Page(report_html(text, {"a.png": svg, "b.png": svg}))
    assert [attributes["id"] for tag, attributes in page.tags if tag == "path"] == [
        "a-png-p",
        "b-png-p",
    ]
    assert [attributes["href"] for tag, attributes in page.tags if tag == "use"] == [
        "#a-png-p",
        "#b-png-p",
    ]


def test_an_svg_without_a_size_is_refused():
    with pytest.raises(ArtifactError, match=r"a\.png: expected an SVG with a width and a height"):
        report_html("# T\n\n![What](a.png)\n", {"a.png": b"<svg></svg>"})
