"""What the comparison says: means and intervals over networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mini_exp.compare.pruners.spectral import NAME as SPECTRAL
from mini_exp.compare.rows import METHOD, ORIGINAL, SCRATCH, WIDTHS
from mini_exp.pruning.fidelity import upper_bound
from mini_exp.report.intervals import t_interval
from mini_exp.spectral import Floats

STAGES = ("pruned", "recovered", "finetuned")
SPLITS = ("validation", "test")
MEASURES = ("parameters", "flops", "latency_ms", "pruning_seconds", "recovery_seconds")
POINTS = 100  # percentage points of an accuracy


def stages_of(frame: pd.DataFrame) -> list[str]:
    """The stages that pruned networks were scored at, in order."""
    present = set(frame["stage"])
    return [stage for stage in STAGES if stage in present]


def main_rows(frame: pd.DataFrame, theta: float, weights: str = "reconstruct") -> pd.DataFrame:
    """Rows of spectral pruning at one θ."""
    return frame[
        (frame["method"] == SPECTRAL) & (frame["theta"] == theta) & (frame["weights"] == weights)
    ]


def other_methods(frame: pd.DataFrame) -> list[str]:
    """Methods that make the smaller network themselves, in the order of the comparison."""
    itself = (frame["weights"] == "") & ~frame["method"].isin([ORIGINAL, SCRATCH])
    return list(frame.loc[itself, "method"].unique())


def summary_table(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """One row per width set and method, in the order of the comparison.

    Columns: ``rule``, ``share``, ``exact``, ``method``, ``theta``, ``weights``, ``gap`` (the
    largest), the means of ``parameters``, ``flops`` (multiply-accumulates per image),
    ``latency_ms`` (100 images), ``pruning_seconds`` and ``recovery_seconds``, and per stage and
    split the mean ``<stage>_<split>`` accuracy and its half-width ``…_half``.
    """
    every = stages_of(frame)
    rows = []
    for key, part in frame.groupby([*WIDTHS, *METHOD], sort=False, dropna=False):
        row = dict(zip([*WIDTHS, *METHOD], key, strict=True))
        row["gap"] = part["gap"].max()
        row |= {measure: part[measure].mean() for measure in MEASURES}
        for stage in every:
            # The original stands where the others are pruned.
            stages = (stage, ORIGINAL) if stage == "pruned" else (stage,)
            scored = part[part["stage"].isin(stages)]
            for split in SPLITS:
                mean, half = np.nan, np.nan
                if len(scored):
                    interval = t_interval(scored[f"{split}_accuracy"].to_numpy(), confidence)
                    mean, half = interval.estimate, interval.half_width
                row |= {f"{stage}_{split}": mean, f"{stage}_{split}_half": half}
        rows.append(row)
    return pd.DataFrame(rows)


def differences_table(frame: pd.DataFrame, theta: float, confidence: float) -> pd.DataFrame:
    """Spectral pruning (one θ, reconstruct) minus others on the same networks.

    One row per width set, stage and other method that makes the smaller network itself. Columns:
    ``rule``, ``share``, ``exact``, ``theta``, ``stage``, ``other``, ``difference`` of test
    accuracies in percentage points, ``half``.
    """
    columns = [*WIDTHS, "theta", "stage", "other", "difference", "half"]
    rows = []
    for key, part in frame[frame["rule"] != "all"].groupby(WIDTHS, sort=False):
        for stage in stages_of(frame):
            spectral = _accuracies(main_rows(part, theta), stage, "test")
            for other in other_methods(part):
                theirs = _accuracies(part[part["method"] == other], stage, "test")
                interval = t_interval(POINTS * (spectral - theirs), confidence)
                which = (*key, theta, stage, other)
                rows.append((*which, interval.estimate, interval.half_width))
    return pd.DataFrame(rows, columns=columns)


def budgets_table(frame: pd.DataFrame, theta: float, confidence: float) -> pd.DataFrame:
    """The best widths for a budget minus uniform ones within it, on the same networks.

    One row per budget and stage, of spectral pruning (one θ, reconstruct). Columns: ``rule``,
    ``share``, ``theta``, ``gap`` (the largest), ``stage``, ``difference`` of validation accuracies
    in percentage points, ``half``.
    """
    columns = ["rule", "share", "theta", "gap", "stage", "difference", "half"]
    budgets = main_rows(frame[frame["rule"].isin(["parameters", "flops"])], theta)
    rows = []
    for (rule, share), part in budgets.groupby(["rule", "share"], sort=False):
        for stage in stages_of(frame):
            best = _accuracies(part[part["exact"]], stage, "validation")
            uniform = _accuracies(part[~part["exact"]], stage, "validation")
            interval = t_interval(POINTS * (best - uniform), confidence)
            which = (rule, share, theta, part["gap"].max(), stage)
            rows.append((*which, interval.estimate, interval.half_width))
    return pd.DataFrame(rows, columns=columns)


def certificates_table(frame: pd.DataFrame, theta: float, confidence: float) -> pd.DataFrame:
    """How much accuracy spectral pruning can have lost, known without labels, and how much it has.

    One row per width set and stage, of one θ with reconstruction. Columns: ``rule``, ``share``,
    ``exact``, ``theta``, ``stage``; means over the networks of ``disagreement`` (the share of
    validation images that are decided otherwise), its upper ``bound`` at this confidence (Clopper
    and Pearson) and ``lost``, the difference of test accuracies; ``networks`` and how many of them
    ``held``: lost no more than their bound.
    """
    originals = frame[frame["stage"] == ORIGINAL].set_index("network")["test_accuracy"]
    rows = []
    for key, part in main_rows(frame, theta).groupby([*WIDTHS, "stage"], sort=False):
        counts = zip(part["disagreements"], part["n_validation"], strict=True)
        bound = np.array([upper_bound(count, n, confidence) for count, n in counts])
        lost = originals[part["network"]].to_numpy() - part["test_accuracy"].to_numpy()
        row = dict(zip([*WIDTHS, "stage"], key, strict=True))
        row["theta"] = theta
        row["disagreement"] = (part["disagreements"] / part["n_validation"]).mean()
        row |= {"bound": bound.mean(), "lost": lost.mean()}
        row |= {"networks": len(part), "held": int((lost <= bound).sum())}
        rows.append(row)
    return pd.DataFrame(rows)


def _accuracies(rows: pd.DataFrame, stage: str, split: str) -> Floats:
    """Of every network, in order."""
    chosen = rows[rows["stage"] == stage].sort_values("network")
    accuracies: Floats = chosen[f"{split}_accuracy"].to_numpy()
    return accuracies
