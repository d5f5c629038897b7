"""report.md: one text, filled with what the run saved."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from mini_exp import __version__
from mini_exp.config import Config, ImageConfig, ImageData, ImageSettings, Settings, keys, setting
from mini_exp.report import tables, thesis
from mini_exp.spectral.published import STARTING_P
from mini_exp.types import Evaluation, ImageMoments, StepRecord, WidthPath

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
NOT_SHOWN = ("data.kind", "model.kind")


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
    claims: pd.DataFrame | None,
    comparisons: Mapping[str, str],
    records: Sequence[StepRecord],
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
    claims : DataFrame or None
        Its verdicts.
    comparisons : mapping from an experiment on images to what its comparison found
    records : sequence of StepRecord
        How the steps were run. With their seconds and dates, which no second run repeats, where
        they have them.
    """
    counts = _improvements(evaluations)
    return template("report.md").render(
        name=config.name,
        variants=config.variants,
        main=main,
        with_bias=with_bias,
        n_layers=len(config.variants[main].model.widths),
        verdict=verdict(config.variants[main], counts, claims),
        guess=np.log(2),
        beats_guess=counts["beats_guess"],
        population_error=_population_error(evaluations),
        sweeps=_sweeps_table(paths),
        table1=tables.markdown(tables.TABLE1_HEADER, cells["table1"], 2),
        selection=tables.markdown(tables.SELECTION_HEADER, cells["selection"], 3),
        scores=tables.markdown(tables.EVALUATION_HEADER, cells["scores"], 3),
        steps=[_step(config, record, main) for record in records],
        finished=_finished(records),
        study=study,
        comparisons=comparisons,
        versions=_versions("numpy", "scipy", "torch", "pandas", "matplotlib"),
    )


def image_report_markdown(
    config: ImageConfig,
    moments: Mapping[str, ImageMoments],
    evaluations: Mapping[str, Sequence[Evaluation]],
    cells: Mapping[str, list[list[str]]],
    compare: str,
    records: Sequence[StepRecord],
) -> str:
    """The text of the report on images.

    Parameters
    ----------
    config : ImageConfig
    moments, evaluations : mappings from variant
    cells : mapping from table name to its cells
    compare : str
        The comparison's section, empty where there is none.
    records : sequence of StepRecord
        As in ``report_markdown``.
    """
    main = next(iter(config.variants))
    first = next(iter(moments.values()))
    return template("images.md").render(
        name=config.name,
        variants=config.variants,
        main=main,
        source=image_source(config.variants[main].data),
        first=config.variants[main],
        verdict=_image_verdict(evaluations, compare),
        stages=tables.markdown(tables.TABLE1_HEADER, cells["stages"], 2),
        widths=tables.markdown(["Group", "Original", *evaluations], cells["widths"], 1),
        n_images=first.n_images,
        flattened=bool(first.flattened),
        layers=", ".join(first.eigenvalues),
        steps=[_step(config, record, main) for record in records],
        finished=_finished(records),
        compare=compare,
        versions=_versions("numpy", "scipy", "torch", "torch-pruning", "pandas", "matplotlib"),
    )


def verdict(
    settings: Settings, counts: Mapping[str, int], claims: pd.DataFrame | None
) -> list[str]:
    """What a reader takes away, in three sentences: of the run, of the conclusion, of the rest."""
    of = counts["variants"]
    run = (
        f"Compressing MiniModel to {_widths(settings)} lowered the loss on fresh draws in "
        f"{_share(counts['loss_compressed'], of)} of the {of} variants and raised the accuracy in "
        f"{_share(counts['accuracy_compressed'], of)}; fine-tuning then raised the accuracy in "
        f"{_share(counts['accuracy_finetuned'], of)} (one run, seed {settings.seed})."
    )
    if claims is None:
        return [
            run,
            f"After it {_share(counts['beats_guess'], of)} of the networks have a loss below "
            "ln 2, which always answering ½ reaches without looking.",
            "One run from one seed shows what that seed gave and decides nothing about the "
            "method: `mini-exp study` repeats it many times.",
        ]
    found = claims[claims["claim"] == "C9"]
    conclusion = " and ".join(
        f"{kind!s} for {_listed(part['variant'])}"
        for kind, part in found.groupby("verdict", sort=False)
    )
    kinds = claims.groupby("claim", sort=False)["verdict"].agg(set)
    throughout = _listed(kinds.index[kinds == {"holds"}])
    nowhere = _listed(kinds.index[kinds == {"does not hold"}])
    return [
        run,
        "Over the replicates of the study, beside controls, the thesis's conclusion that spectral "
        f"pruning gives better test performance (C9) {conclusion}.",
        f"Of its {len(kinds)} claims those that hold throughout are {throughout or 'none'}, those "
        f"that hold nowhere {nowhere or 'none'}; the others hold for some variants, only in the "
        "letter, or have another explanation than the thesis gives.",
    ]


def _widths(settings: Settings) -> str:
    chosen = settings.width.choose
    return f"({', '.join(map(str, chosen))})" if isinstance(chosen, tuple) else "smaller widths"


def _share(count: int, of: int) -> str:
    return {0: "none", of: "all"}.get(count, str(count))


def _listed(names: Iterable[str]) -> str:
    """A, B and C."""
    *others, last = [*names] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _image_verdict(evaluations: Mapping[str, Sequence[Evaluation]], compare: str) -> list[str]:
    """One sentence on every variant, one on where the peers stand."""
    sentences = []
    for variant, rows in evaluations.items():
        test = {row.stage: row for row in rows if row.split == "test"}
        original, smaller, tuned = (test[stage] for stage in tables.STAGES)
        share = smaller.parameters / original.parameters
        sentences.append(
            f"With {100 * share:.0f} % of the parameters ({variant}) the accuracy on {tuned.n} "
            f"test images is {100 * smaller.accuracy:.1f} % right after compression and "
            f"{100 * tuned.accuracy:.1f} % after fine-tuning, from {100 * original.accuracy:.1f} %."
        )
    where = "below" if compare else "not yet here: `mini-exp compare` makes it"
    return [*sentences, f"One network says little; the comparison over several is {where}."]


def _step(config: Config | ImageConfig, record: StepRecord, main: str) -> dict[str, Any]:
    """What the report says of a step."""
    model: type[Settings] | type[ImageSettings]
    model = Settings if isinstance(config, Config) else ImageSettings
    read = [
        key
        for key in keys(model)
        if any(f"{key}.".startswith(f"{part}.") for part in record.settings)
        and (model is ImageSettings or key not in NOT_SHOWN)
    ]
    values = {
        key: [_plain(setting(settings, key)) for settings in config.variants.values()]
        for key in read
    }
    thesis = ["Thesis"] * (model is Settings)
    cells = [
        [f"`{key}`", *([GIVEN.get(key, "not given")] if thesis else []), *row]
        for key, row in values.items()
    ]
    header = ["Setting", *thesis, *config.variants]
    column = list(config.variants).index(main)
    seconds = sorted(f"{value:.2f}" for value in record.seconds.values())
    return {
        "name": record.name,
        "outputs": record.outputs,
        "shown": ", ".join(f"{key} {row[column]}" for key, row in values.items()),
        "took": "–".join(dict.fromkeys([seconds[0], seconds[-1]])) + " s" if seconds else "",
        "settings_table": tables.markdown(header, cells, len(header)),
    }


def _finished(records: Sequence[StepRecord]) -> str:
    return max((time for record in records for time in record.finished.values()), default="")


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


def _population_error(evaluations: Mapping[str, Sequence[Evaluation]]) -> str:
    """Largest half-width of the population accuracies' intervals, rounded up to 0.001."""
    rows = [row for scores in evaluations.values() for row in scores if row.split == "population"]
    bounds = [tables.binomial_interval(round(row.accuracy * row.n), row.n) for row in rows]
    return f"{np.ceil(max(high - low for low, high in bounds) / 2 * 1000) / 1000:.3f}"


def _improvements(evaluations: Mapping[str, Sequence[Evaluation]]) -> dict[str, int]:
    """In how many variants each stage improved on the one before, on the population."""
    better = {
        "loss_compressed": ("loss", "compressed", "original", np.less),
        "accuracy_compressed": ("accuracy", "compressed", "original", np.greater),
        "accuracy_finetuned": ("accuracy", "finetuned", "compressed", np.greater),
    }
    counts = {
        name: sum(
            bool(compare(_score(rows, stage, measure), _score(rows, before, measure)))
            for rows in evaluations.values()
        )
        for name, (measure, stage, before, compare) in better.items()
    }
    beats = sum(_score(rows, "finetuned", "loss") < np.log(2) for rows in evaluations.values())
    return {"variants": len(evaluations), "beats_guess": beats, **counts}


def _score(rows: Sequence[Evaluation], stage: str, measure: str) -> float:
    row = next(row for row in rows if row.split == "population" and row.stage == stage)
    return float(getattr(row, measure))


def _sweeps_table(paths: Mapping[str, WidthPath]) -> str:
    """What the sweeps over ρ show, in numbers."""
    cells = []
    for variant, path in paths.items():
        widths = [tuple(map(int, row)) for row in path.width[0]]
        at_table1 = [rho for rho, row in zip(path.rho, widths, strict=True) if row == thesis.WIDTHS]
        cells.append(
            [
                variant,
                f"{path.rho[0]:g} … {path.rho[-1]:g}",
                str(widths[0]),
                str(widths[-1]),
                ", ".join(f"{rho:.3g}" for rho in at_table1) or "none",
                f"{(~path.converged[0]).sum()} of {len(widths)}",
                str((path.lambda_[0] == STARTING_P**2).all(axis=1).sum()),
            ]
        )
    header = [
        *("Variant", "ρ", "m̂ at the first ρ", "m̂ at the last", f"ρ with {thesis.WIDTHS}"),
        *("Not converged", "Stopped at the start"),
    ]
    return tables.markdown(header, cells, 5)


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    return f"{value:g}" if isinstance(value, float) else str(value)
