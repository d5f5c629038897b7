"""What the texts of all reports share: templates, two forms of the same text, versions."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from mini_exp import __version__
from mini_exp.report import drawing
from mini_exp.report.page import report_html
from mini_exp.steps.record import StepRecord

TEMPLATES = Path(__file__).parent / "templates"


def template(name: str) -> jinja2.Template:
    """A Markdown template; a value that it names and does not get is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - Markdown, from our own numbers
    )
    return environment.get_template(name)


def report_pages(
    text: Callable[[Sequence[StepRecord]], str],
    records: Sequence[StepRecord],
    figures: Mapping[str, Figure],
    extra: Mapping[str, bytes],
) -> dict[str, bytes]:
    """report.md, the same after every run, and report.html, which tells the times, too.

    Parameters
    ----------
    text : function
        The report for such records.
    records : sequence of StepRecord
    figures : mapping from path without suffix to figure
        Those that the text shows stand in the page, as SVG.
    extra : mapping from path to content
        What other commands wrote; its PNG files can be shown.
    """
    undated = text([record.undated() for record in records])
    shown = {path: figure for path, figure in figures.items() if f"({path}.png)" in undated}
    images = {f"{path}.png": drawing.rendered(figure, "svg") for path, figure in shown.items()}
    images |= {path: content for path, content in extra.items() if path.endswith(".png")}
    return {
        "report.md": undated.encode(),
        "report.html": report_html(text(records), images).encode(),
    }


def taken_up(extra: Mapping[str, bytes], path: str) -> str:
    """Another command's page, its figures named as from here; empty where there is none.

    Examples
    --------
    >>> taken_up({"study/a.md": b"![A](figures/a.png)"}, "study/a.md")
    '![A](study/figures/a.png)'
    """
    folder = path.rpartition("/")[0]
    return extra.get(path, b"").decode().replace("](figures/", f"]({folder}/figures/")


def last_finished(records: Sequence[StepRecord]) -> str:
    """When the last of the steps was done; empty if no record tells."""
    return max((time for record in records for time in record.finished.values()), default="")


def versions(*packages: str) -> dict[str, str]:
    """Of mini-exp, of Python and of these packages."""
    return {
        "mini-exp": __version__,
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }
