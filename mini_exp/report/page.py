"""report.html: the Markdown report as one page that needs no other file."""

from __future__ import annotations

import base64
import html
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import jinja2
import PIL.Image
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from mini_exp.errors import ArtifactError

SCALE = 1.5  # pixels per point: figures are drawn for paper

PAGE = Path(__file__).parent / "templates" / "page.html"

FIGURE = ["paragraph_open", "inline", "paragraph_close"] * 2  # an image, then its caption


def report_html(text: str, images: Mapping[str, bytes]) -> str:
    """The report as one page, figures and style inside.

    Headings become anchors (named as GitHub names them) and the contents; an image with an
    emphasised line after it a figure with a caption; an ordered list the map of the steps; a table
    one that stacks its rows on a narrow screen, where each cell carries its column's name.

    Parameters
    ----------
    text : str
        Markdown; images as ``![what it shows](path.png)``.
    images : mapping from ``path.png`` to that image, as SVG or as PNG
    """
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text))
    contents = _anchored(tokens)
    _stackable(tokens)
    tokens = _captioned(tokens)
    for block, token in pairwise(tokens):
        if block.type == "ordered_list_open":
            block.attrSet("class", "steps")
        for child in token.children or []:
            if child.type == "image":
                path = str(child.attrs["src"])
                width, child.content = _drawing(images[path], child.content, path)
                child.type = "html_inline"
                block.attrSet("style", f"--width: {width}px")
    template = jinja2.Template(PAGE.read_text(encoding="utf-8"), autoescape=True)
    title = text.splitlines()[0].lstrip("# ")
    body = Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - our own
    page: str = template.render(title=title, contents=contents, body=body)
    return page


def anchor(heading: str) -> str:
    """The name that GitHub gives to a heading.

    Examples
    --------
    >>> anchor("C1: MiniModel has 802 parameters, f(x)")
    'c1-minimodel-has-802-parameters-fx'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _anchored(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Give every heading an id; return those of the second level with their text."""
    contents = []
    taken: Counter[str] = Counter()
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            plain = anchor(inline.content)
            name = f"{plain}-{taken[plain]}" if taken[plain] else plain
            taken[plain] += 1
            heading.attrSet("id", name)
            if heading.tag == "h2":
                contents.append((name, inline.content))
    return contents


def _stackable(tokens: Sequence[Token]) -> None:
    """Name every cell's column in it, and repeat what a group of rows says once."""
    roles = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row"}
    header: list[str] = []
    first = ""
    column = 0
    for token, inline in pairwise(tokens):
        kind = token.type.removesuffix("_open")
        if kind in roles:
            token.attrSet("role", roles[kind])  # display: block would take it away
        if kind == "table":
            header, first = [], ""
        elif kind == "tr":
            column = 0
        elif kind in ("th", "td"):
            right = token.attrs.pop("style", "") == "text-align:right"
            classes = ["number"] if right else []
            if kind == "th":
                token.attrSet("role", "columnheader")
                token.attrSet("scope", "col")
                header.append(inline.content)
            else:
                token.attrSet("role", "cell")
                token.attrSet("data-label", header[column])
                if column == 0 and not inline.content:
                    text = f'<span class="repeated">{html.escape(first)}</span>'
                    inline.children = [Token("html_inline", "", 0, content=text)]
                elif column == 0:
                    first = inline.content
                elif not inline.content:
                    classes.append("empty")
            if classes:
                token.attrSet("class", " ".join(classes))
            column += 1


def _captioned(tokens: Sequence[Token]) -> list[Token]:
    """A paragraph of one image and an emphasised one after it as a figure with its caption."""
    kept: list[Token] = []
    rest = list(tokens)
    while rest:
        part = rest[:6]
        if [token.type for token in part] == FIGURE and _is_figure(part[1], part[4]):
            figure, image, end, caption, text, caption_end = part
            figure.tag = end.tag = "figure"
            caption.tag = caption_end.tag = "figcaption"
            number = re.match(r"\*Figure (\d+)\.", text.content)
            if number:
                figure.attrSet("id", f"figure-{number[1]}")
            kept += [figure, image, caption, text, caption_end, end]
        else:
            part = rest[:1]
            kept += part
        rest = rest[len(part) :]
    return kept


def _is_figure(image: Token, caption: Token) -> bool:
    shown = [child.type for child in image.children or []]
    said = [child.type for child in caption.children or []]
    return shown == ["image"] and said[:1] == ["em_open"] and said[-1:] == ["em_close"]


def _drawing(content: bytes, text: str, path: str) -> tuple[int, str]:
    """Width in pixels, and the element, of an image that shows ``text``."""
    label = html.escape(text)
    if content.startswith(b"\x89PNG"):
        image = PIL.Image.open(io.BytesIO(content))
        per_inch = image.info["dpi"][0]
        width, height = (round(pixels / per_inch * 72 * SCALE) for pixels in image.size)
        data = base64.b64encode(content).decode()
        source = f"data:image/png;base64,{data}"
        return width, f'<img src="{source}" alt="{label}" width="{width}" height="{height}">'
    svg = content[content.find(b"<svg") :].decode().strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    name = re.sub(r"\W+", "-", path)  # without it names would stand twice in the page
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", svg)
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    if size is None:
        raise ArtifactError(f"{path}: expected an SVG with a width and a height in points")
    width, height = (round(float(points) * SCALE) for points in size.groups())
    svg = svg.replace(size[0], f'width="{width}" height="{height}"', 1)
    return width, svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
