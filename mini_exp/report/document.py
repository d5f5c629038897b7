"""report.md and report.html: one text, filled with what the run saved."""

from __future__ import annotations

import base64
import html
import importlib.metadata
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markdown_it import MarkdownIt

from mini_exp import __version__
from mini_exp.config import Config, ImageConfig, ImageData, ImageSettings, Settings, keys, setting
from mini_exp.pruning.selection import PruningSelection
from mini_exp.report import tables
from mini_exp.spectral.published import STARTING_P
from mini_exp.types import Evaluation, ImageMoments, WidthPath

TEMPLATES = Path(__file__).parent / "templates"

# What the thesis says of each setting; None where it is silent and the author's code decides.
GIVEN = {
    "data.n_train": "100 (section 4.3)",
    "data.epsilon": "0.1 (4.3.1)",
    "data.labels": "1 where X̄ ≥ −0.6 (4.3.1); the code swaps them",
    "model.widths": "16, 12, 10 (section 4.3)",
    "model.bias": "with or without (section 4.3)",
    "train.epochs": "200 (section 4.3)",
    "covariance.scale": "mean (appendix 8.1); its ρ needs the sum",
    "width.regularizer": "“for example” |p| (4.2.3); the code's default is p²",
    "width.rho.start": "0.01 (figure 1)",
    "width.rho.stop": "0.1 (figure 1)",
    "width.choose": "(8, 3, 3), read off figure 1",
    "select.scope": "the complement of J (4.1.2–4.1.4)",
}
NOT_SHOWN = ("data.kind", "model.kind", "data.n_population")


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


def report_markdown(
    config: Config,
    evaluations: Mapping[str, Sequence[Evaluation]],
    paths: Mapping[str, WidthPath],
    cells: Mapping[str, list[list[str]]],
    main: str,
    with_bias: str | None,
    study: str,
) -> str:
    """The report's text.

    Parameters
    ----------
    config : Config
    evaluations : mapping from variant to scores
    paths : mapping from variant to its width path
    cells : mapping from table name to its cells
    main, with_bias : str
        The variants behind Figures 1, 3–7 and behind Figure 2.
    study : str
        The study's section, empty where there is none.
    """
    return template("report.md").render(
        name=config.name,
        variants=config.variants,
        main=main,
        with_bias=with_bias,
        study=study,
        verdict=_verdict(evaluations),
        population_error=_population_error(evaluations),
        sweeps=_sweeps_table(paths),
        table1=tables.markdown(tables.TABLE1_HEADER, cells["table1"], 2),
        selection=tables.markdown(tables.SELECTION_HEADER, cells["selection"], 1),
        scores=tables.markdown(tables.EVALUATION_HEADER, cells["scores"], 3),
        settings=_settings_table(config),
        versions=_versions("numpy", "scipy", "torch", "pandas", "matplotlib"),
    )


def image_report_markdown(
    config: ImageConfig,
    moments: Mapping[str, ImageMoments],
    selections: Mapping[str, PruningSelection],
    stages: list[list[str]],
    compare: str,
) -> str:
    """The text of the report on images.

    Parameters
    ----------
    config : ImageConfig
    moments, selections : mappings from variant
    stages : list of rows
        Cells of the table of stages.
    compare : str
        The comparison's section, empty where there is none.
    """
    first = next(iter(moments.values()))
    shown = [[f"`{key}`", *cells] for key, *cells in _setting_cells(config, ImageSettings)]
    return template("images.md").render(
        name=config.name,
        variants=config.variants,
        main=next(iter(config.variants)),
        source=image_source(next(iter(config.variants.values())).data),
        first=next(iter(config.variants.values())),
        stages=tables.markdown(tables.TABLE1_HEADER, stages, 2),
        widths=tables.markdown(
            ["Group", "Original", *selections], tables.widths_cells(selections), 1
        ),
        n_images=first.n_images,
        flattened=bool(first.flattened),
        layers=", ".join(first.eigenvalues),
        compare=compare,
        settings=tables.markdown(["Setting", *config.variants], shown, 1 + len(config.variants)),
        versions=_versions("numpy", "scipy", "torch", "torch-pruning", "pandas", "matplotlib"),
    )


def image_source(data: ImageData) -> str:
    """What the images are, for every table.

    Examples
    --------
    >>> image_source(ImageData(kind="cifar10", root="data", reencoded=True))
    'CIFAR-10, re-encoded with loss: accuracies are not those of the official images'
    """
    if data.kind == "digits":
        return "scikit-learn's 8 × 8 digits"
    note = ", re-encoded with loss: accuracies are not those of the official images"
    return "CIFAR-10" + note * data.reencoded


def _versions(*packages: str) -> dict[str, str]:
    return {
        "mini-exp": __version__,
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def _setting_cells(
    config: Config | ImageConfig, model: type[Settings] | type[ImageSettings]
) -> list[list[str]]:
    """Every setting's key and its value in each variant."""
    return [
        [key, *(_plain(setting(settings, key)) for settings in config.variants.values())]
        for key in keys(model)
        if model is ImageSettings or key not in NOT_SHOWN
    ]


def _population_error(evaluations: Mapping[str, Sequence[Evaluation]]) -> str:
    """Largest half-width of the population accuracies' intervals, rounded up to 0.001."""
    rows = [row for scores in evaluations.values() for row in scores if row.split == "population"]
    bounds = [tables.binomial_interval(round(row.accuracy * row.n), row.n) for row in rows]
    return f"{np.ceil(max(high - low for low, high in bounds) / 2 * 1000) / 1000:.3f}"


def _verdict(evaluations: Mapping[str, Sequence[Evaluation]]) -> dict[str, Any]:
    """How often each stage improved on the one before, over the variants of this run."""
    pairs = {"compressed": "original", "finetuned": "compressed"}
    counts: dict[str, Any] = {"variants": len(evaluations)}
    for split in ("test", "population"):
        for measure, better in (("loss", np.less), ("accuracy", np.greater)):
            for stage, before in pairs.items():
                counts[f"{split}_{measure}_{stage}"] = sum(
                    bool(
                        better(
                            _score(rows, split, stage, measure),
                            _score(rows, split, before, measure),
                        )
                    )
                    for rows in evaluations.values()
                )
    counts["guess"] = float(np.log(2))
    counts["beats_guess"] = sum(
        _score(rows, "population", "finetuned", "loss") < np.log(2) for rows in evaluations.values()
    )
    return counts


def _score(rows: Sequence[Evaluation], split: str, stage: str, measure: str) -> float:
    row = next(row for row in rows if row.split == split and row.stage == stage)
    return float(getattr(row, measure))


def _sweeps_table(paths: Mapping[str, WidthPath]) -> str:
    """What the sweeps over ρ show, in numbers."""
    cells = []
    for variant, path in paths.items():
        widths = [tuple(map(int, row)) for row in path.width[0]]
        at_table1 = [rho for rho, row in zip(path.rho, widths, strict=True) if row == (8, 3, 3)]
        cells.append(
            [
                variant,
                f"{path.rho[0]:g} … {path.rho[-1]:g}",
                str(widths[0]),
                str(widths[-1]),
                f"{(~path.converged[0]).sum()} of {len(widths)}",
                str((path.lambda_[0] == STARTING_P**2).all(axis=1).sum()),
                ", ".join(f"{rho:.3g}" for rho in at_table1) or "none",
            ]
        )
    header = [
        *("Variant", "ρ", "m̂ at the first ρ", "m̂ at the last", "Not converged"),
        *("Stopped at the start", "ρ with (8, 3, 3)"),
    ]
    return tables.markdown(header, cells, 1)


def _settings_table(config: Config) -> str:
    """Every setting: the thesis's word on it, and its value in each variant."""
    cells = [
        [f"`{key}`", GIVEN.get(key, "not given"), *values]
        for key, *values in _setting_cells(config, Settings)
    ]
    return tables.markdown(["Setting", "Thesis", *config.variants], cells, 2 + len(config.variants))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    return f"{value:g}" if isinstance(value, float) else str(value)


def report_html(text: str, images: Mapping[str, bytes]) -> str:
    """The same report as one page that needs no other file.

    Parameters
    ----------
    text : str
        Markdown, with images as ``![alt](path.png)``.
    images : mapping from ``path.png`` to that image, as PNG or as SVG
    """
    body = MarkdownIt("commonmark").enable("table").render(text)

    def embedded(match: re.Match[str]) -> str:
        content = images[match["path"]]
        kind = "png" if content.startswith(b"\x89PNG") else "svg+xml"
        return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}"'

    body = re.sub(r'<img src="(?P<path>[^"]+)"', embedded, body)
    body = body.replace("<table>", '<div class="scroll"><table>').replace(
        "</table>", "</table></div>"
    )
    title = text.splitlines()[0].lstrip("# ")
    page = jinja2.Template((TEMPLATES / "page.html").read_text(encoding="utf-8"))
    rendered: str = page.render(title=html.escape(title), body=body)
    return rendered
