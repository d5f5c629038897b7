"""What the comparison says: means and intervals over networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from mini_exp.compare.methods import METHODS, SCRATCH, SPECTRAL, TORCH_PRUNING, Method
from mini_exp.config import ImageConfig, ImageSettings
from mini_exp.report.document import image_source, template
from mini_exp.report.tables import markdown
from mini_exp.spectral import Floats
from mini_exp.types import ImageSplits

MEASURES = ("parameters", "flops", "latency_ms", "pruning_seconds")


def mean_interval(values: Floats, confidence: float) -> tuple[float, float]:
    """Mean and half-width of its t interval: t_{n−1} s / √n.

    Examples
    --------
    >>> mean, half = mean_interval(np.array([1.0, 2.0, 3.0]), 0.95)
    >>> mean, round(half, 3)
    (2.0, 2.484)
    """
    n = len(values)
    half = float(stdtrit(n - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(n))
    return float(np.mean(values)), half


def summary_table(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """One row per width set and method, in the order of the comparison.

    Columns: ``widths``, ``method``, ``weights``, ``parameters``, ``flops`` (multiply-accumulates
    per image), ``latency_ms`` (100 images), ``pruning_seconds``, and per stage and split the mean
    ``<stage>_<split>`` accuracy and its half-width ``…_half``.
    """
    rows = []
    for (widths, method, weights), part in frame.groupby(
        ["widths", "method", "weights"], sort=False
    ):
        row = {"widths": widths, "method": method, "weights": weights}
        row |= {measure: part[measure].mean() for measure in MEASURES}
        for stage in ("pruned", "finetuned"):
            for split in ("validation", "test"):
                # The original stands where the others are pruned.
                found = part[part["stage"].isin([stage, *(["original"] * (stage == "pruned"))])]
                mean, half = np.nan, np.nan
                if len(found):
                    values = found[f"{split}_accuracy"].to_numpy()
                    mean, half = mean_interval(values, confidence)
                row |= {f"{stage}_{split}": mean, f"{stage}_{split}_half": half}
        rows.append(row)
    return pd.DataFrame(rows)


def differences_table(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Spectral (θ ½, reconstruct) minus others on the same networks, in percentage points.

    One row per width set, stage and other: Torch-Pruning's magnitude and Taylor. Accuracies are of
    the test set.
    """
    rows = []
    for widths, part in frame.groupby("widths", sort=False):
        if widths == "all":
            continue
        for stage in ("pruned", "finetuned"):
            ours = _accuracies(part, SPECTRAL, stage)
            for method in TORCH_PRUNING:
                theirs = _accuracies(part, method, stage)
                mean, half = mean_interval(100 * (ours - theirs), confidence)
                rows.append(
                    {
                        "widths": widths,
                        "stage": stage,
                        "other": method.name,
                        "difference": mean,
                        "half": half,
                    }
                )
    return pd.DataFrame(rows)


def budgets_table(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Exact widths minus uniform ones at the same budget, on the same networks, in points.

    One row per budget and stage, of spectral pruning; accuracies are of the validation set.
    """
    rows = []
    for widths in frame["widths"].unique():
        budget, _, kind = widths.partition(", ")
        if kind != "exact":
            continue
        for stage in ("pruned", "finetuned"):
            exact, uniform = (
                _accuracies(frame[frame["widths"] == name], SPECTRAL, stage, "validation")
                for name in (widths, f"{budget}, uniform")
            )
            mean, half = mean_interval(100 * (exact - uniform), confidence)
            rows.append({"budget": budget, "stage": stage, "difference": mean, "half": half})
    return pd.DataFrame(rows, columns=["budget", "stage", "difference", "half"])


def _accuracies(part: pd.DataFrame, method: Method, stage: str, split: str = "test") -> Floats:
    chosen = part[
        (part["method"] == method.name)
        & (part["weights"] == method.weights)
        & (part["stage"] == stage)
    ]
    values: Floats = chosen.sort_values("network")[f"{split}_accuracy"].to_numpy()
    return values


def differences_markdown(
    config: ImageConfig, settings: ImageSettings, splits: ImageSplits, differences: pd.DataFrame
) -> str:
    """The comparison in one table and one figure: nothing in it differs from run to run."""
    header = [
        f"{stage}: minus {method.name.removeprefix('Torch-Pruning ')}"
        for stage in ("Right after", "Fine-tuned")
        for method in TORCH_PRUNING
    ]
    cells = [
        [str(widths), *_signed(part)] for widths, part in differences.groupby("widths", sort=False)
    ]
    return template("differences.md").render(
        settings=settings,
        source=image_source(settings.data),
        compare=config.compare,
        n_train=len(splits.train),
        differences=markdown(["Widths", *header], cells, 1),
    )


def compare_markdown(
    config: ImageConfig,
    settings: ImageSettings,
    splits: ImageSplits,
    summary: pd.DataFrame,
    differences: str,
    budgets: pd.DataFrame,
) -> str:
    """The comparison's page, with ``differences_markdown``'s text in it."""
    sets = [widths for widths in summary["widths"].unique() if widths != "all"]
    sections = {}
    for widths in sets:
        part = summary[summary["widths"] == widths]
        header = [
            *("Method", "Weights", "Pruning, s"),
            *("Right after pruning, %", "After fine-tuning, %"),
        ]
        cells = [
            [
                row["method"],
                row["weights"],
                f"{row['pruning_seconds']:.2f}" if row["method"] != SCRATCH.name else "",
                _percent(row["pruned_test"], row["pruned_test_half"]),
                _percent(row["finetuned_test"], row["finetuned_test_half"]),
            ]
            for _, row in part.iterrows()
        ]
        first = part.iloc[0]
        sections[widths] = {
            "parameters": f"{first['parameters']:,.0f}",
            "flops": f"{first['flops'] / 1e6:.3g}",
            "latency": f"{first['latency_ms']:.3g}",
            "table": markdown(header, cells, 2),
        }
    original = summary[summary["widths"] == "all"].iloc[0]
    budget_cells = [
        [str(budget), *_signed(part)] for budget, part in budgets.groupby("budget", sort=False)
    ]
    return template("compare.md").render(
        settings=settings,
        source=image_source(settings.data),
        compare=config.compare,
        n_train=len(splits.train),
        n_validation=len(splits.validation),
        n_test=len(splits.test),
        n_calibration=min(settings.covariance.n_images, len(splits.train)),
        original={
            "accuracy": _percent(original["pruned_test"], original["pruned_test_half"]),
            "parameters": f"{original['parameters']:,.0f}",
            "flops": f"{original['flops'] / 1e6:.3g}",
            "latency": f"{original['latency_ms']:.3g}",
        },
        sections=sections,
        summary=differences.replace("](figures/", "](compare/figures/"),
        budgets=markdown(["Budget", "Right after", "Fine-tuned"], budget_cells, 1),
        n_methods=len(METHODS),
    )


def _signed(differences: pd.DataFrame) -> list[str]:
    pairs = zip(differences["difference"], differences["half"], strict=True)
    return [f"{difference:+.1f} ± {half:.1f}" for difference, half in pairs]


def _percent(mean: float, half: float) -> str:
    return "" if np.isnan(mean) else f"{100 * mean:.1f} ± {100 * half:.1f}"
