"""report.html of an experiment on MINI: whole in itself, with everything that the Markdown has."""

from __future__ import annotations

import json
import re

import pytest

from tests.report.pages import Page

STEPS = ("gen-mini", "train", "covariance", "estimate-width", "select", "finetune")
VARIANTS = ("published", "corrected_bias")


@pytest.fixture(scope="module")
def html_text(tiny) -> str:
    return (tiny.directory / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html_text) -> Page:
    return Page(html_text)


@pytest.fixture(scope="module")
def records(tiny) -> dict[str, dict[str, object]]:
    return json.loads((tiny.directory / "manifest.json").read_text(encoding="utf-8"))["steps"]


@pytest.fixture(scope="module")
def cards(page) -> str:
    """The map of the steps."""
    text = "".join(page.words)
    return text.partition("The six steps\n")[2].partition("The settings are published's")[0]


def test_the_page_needs_no_other_file(page, html_text):
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name in ("src", "href", "srcset", "poster", "data"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    style = html_text.partition("<style>")[2].partition("</style>")[0]
    assert re.search(r"url\(|@import", style) is None


def test_every_image_stands_in_the_page_with_a_text_and_a_size(page, markdown):
    images = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(images) == markdown.count("![") >= 7
    for image in images:
        assert image["role"] == "img"
        assert len(image["aria-label"]) > 10
        assert int(image["width"]) > 100
        assert int(image["height"]) > 100


def test_every_image_is_a_figure_with_a_caption(page, markdown):
    n_images = markdown.count("![")
    assert page.names.count("figure") == page.names.count("figcaption") == n_images


def test_names_in_the_page_are_unique_and_links_land(page):
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes.get("href") or attributes.get("xlink:href") for _, attributes in page.tags]
    inside = {link.removeprefix("#") for link in links if link and link.startswith("#")}
    assert inside <= set(names)


def test_the_map_leads_to_every_step(page):
    start = page.tags.index(("ol", {"class": "steps"}))
    links = [attributes["href"] for tag, attributes in page.tags[start:] if tag == "a"]
    assert links == [f"#step-{i}-{name}" for i, name in enumerate(STEPS, start=1)]
    targets = [attributes.get("id") for tag, attributes in page.tags if tag == "h3"]
    assert targets[: len(links)] == [link.removeprefix("#") for link in links]


@pytest.mark.parametrize("step", STEPS)
def test_the_map_shows_what_a_step_writes_and_how_long_it_took(cards, records, step):
    recorded = [records[f"{variant}/{step}"] for variant in VARIANTS]
    seconds = sorted(f"{record['seconds']:.2f}" for record in recorded)
    assert f"Took {'–'.join(dict.fromkeys(seconds))} s" in cards
    assert [file for file in recorded[0]["outputs"] if file not in cards] == []


def test_the_map_shows_settings(cards):
    assert "data.n_test 99, data.epsilon 0.1, data.labels swapped" in cards
    assert "select.scope complement, select.theta 0.5, compress.weights slice" in cards


def test_only_the_page_tells_when_the_steps_were_done(markdown, html_text, records):
    finished = max(record["finished"] for key, record in records.items() if key != "report")
    assert f"Made {finished}" in html_text
    assert finished not in markdown


def test_times_are_marked_in_the_page_alone(markdown, html_text):
    assert html_text.count('<span class="run">') == len(STEPS) + 1
    assert "class=" not in markdown


def test_the_page_has_a_language_a_title_and_one_heading(page):
    tags = page.names
    assert [tags.count(tag) for tag in ("html", "head", "title", "body", "h1")] == [1] * 5
    assert dict(page.tags)["html"]["lang"] == "en"
    assert "tiny: Spectral Pruning, reproduced" in page.words


def test_the_page_has_the_tables_of_the_markdown(page, markdown):
    n_tables = len(re.findall(r"^\|[-|:]+\|$", markdown, re.MULTILINE))
    assert page.names.count("table") == n_tables >= 5


def test_the_page_has_no_template_residue(html_text):
    body = re.sub(r"<svg.*?</svg>", "", html_text.partition("</style>")[2], flags=re.DOTALL)
    assert re.search(r"\{\{|\}\}|\{%|%\}|\bnan\b|\bNone\b", body) is None
