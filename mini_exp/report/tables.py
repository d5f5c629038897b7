"""Table 1 and the other tables: rows of plain values, then CSV, Markdown or LaTeX."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from mini_exp.errors import DomainError
from mini_exp.pruning.selection import PruningSelection
from mini_exp.report import thesis
from mini_exp.types import Evaluation, Selection

STAGES = {"original": "Original", "compressed": "Compressed", "finetuned": "Fine tuned"}


def binomial_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact (Clopper–Pearson) interval of a proportion: quantiles of beta distributions.

    Parameters
    ----------
    successes, n : int
        0 ≤ successes ≤ n, n ≥ 1.
    confidence : float
        In (0, 1); the interval covers the true proportion at least that often.

    Returns
    -------
    (low, high)

    Raises
    ------
    DomainError

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404–413.

    Examples
    --------
    >>> low, high = binomial_interval(60, 100)
    >>> round(low, 3), round(high, 3)
    (0.497, 0.697)
    """
    if not (n >= 1 and 0 <= successes <= n and 0 < confidence < 1):
        raise DomainError(
            f"binomial interval: expected 0 ≤ successes ≤ n, got {successes} of {n}, {confidence}"
        )
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def table1(evaluations: Mapping[str, Sequence[Evaluation]]) -> pd.DataFrame:
    """The thesis's Table 1, then the same rows, and the population's, of every variant.

    Parameters
    ----------
    evaluations : mapping from variant to its scores

    Returns
    -------
    DataFrame
        Columns ``protocol``, ``measure``, ``n`` and the three stages; for accuracies also the
        bounds of the exact 95 % interval, ``<stage>_low`` and ``<stage>_high``.
    """
    rows: list[dict[str, object]] = [
        {"protocol": thesis.NAME, "measure": "test loss", "n": thesis.N_TEST, **thesis.LOSS},
        _accuracy_row(thesis.NAME, "accuracy", thesis.N_TEST, thesis.ACCURACY),
    ]
    population = ("population", "population loss", "population accuracy")
    return pd.DataFrame(rows + _score_rows(evaluations, population))


def image_table1(evaluations: Mapping[str, Sequence[Evaluation]]) -> pd.DataFrame:
    """The same of networks on images: test and validation scores, and parameters."""
    validation = ("validation", "validation loss", "validation accuracy")
    rows = _score_rows(evaluations, validation)
    for variant, scores in evaluations.items():
        counts = {row.stage: float(row.parameters) for row in scores}
        rows.append({"protocol": variant, "measure": "parameters", **counts})
    return pd.DataFrame(rows)


def _score_rows(
    evaluations: Mapping[str, Sequence[Evaluation]], second: tuple[str, str, str]
) -> list[dict[str, object]]:
    """Test loss and accuracy of every variant, and those of a second split."""
    rows: list[dict[str, object]] = []
    for variant, scores in evaluations.items():
        for split, loss_name, accuracy_name in (("test", "test loss", "accuracy"), second):
            chosen = {row.stage: row for row in scores if row.split == split}
            n = next(iter(chosen.values())).n
            loss = {stage: row.loss for stage, row in chosen.items()}
            accuracy = {stage: row.accuracy for stage, row in chosen.items()}
            rows.append({"protocol": variant, "measure": loss_name, "n": n, **loss})
            rows.append(_accuracy_row(variant, accuracy_name, n, accuracy))
    return rows


def _accuracy_row(
    protocol: str, measure: str, n: int, accuracy: Mapping[str, float]
) -> dict[str, object]:
    row: dict[str, object] = {"protocol": protocol, "measure": measure, "n": n, **accuracy}
    for stage, value in accuracy.items():
        row[f"{stage}_low"], row[f"{stage}_high"] = binomial_interval(round(value * n), n)
    return row


def table1_cells(table: pd.DataFrame) -> list[list[str]]:
    """Losses and accuracies of Table 1 as text, to 0.01; test accuracies with their interval."""
    cells = []
    protocol = None
    scores = table[table["measure"] != "parameters"]
    for row in scores.to_dict(orient="records"):
        shown = [f"{row[stage]:.2f}" for stage in STAGES]
        if row["measure"] == "accuracy":
            bounds = [(row[f"{stage}_low"], row[f"{stage}_high"]) for stage in STAGES]
            shown = [
                f"{text} [{low:.2f}, {high:.2f}]"
                for text, (low, high) in zip(shown, bounds, strict=True)
            ]
        first = row["protocol"] if row["protocol"] != protocol else ""
        protocol = row["protocol"]
        cells.append([first, f"{row['measure']}", f"{row['n']:.0f}", *shown])
    return cells


TABLE1_HEADER = ["Protocol", "Measure", "n", *STAGES.values()]


def selection_cells(selections: Mapping[str, Selection]) -> list[list[str]]:
    """What the greedy rule costs at the chosen widths: its value beside the best of all sets."""
    cells = []
    for variant, selection in selections.items():
        for number, (width, layer) in enumerate(
            zip(selection.widths, selection.layers, strict=True), start=1
        ):
            at = width - 1
            row = [
                variant,
                f"layer {number}",
                f"{width} of {layer.index_path.shape[1]}",
                f"{layer.information_ratio[0, at]:.4f}",
                _cell(layer.exhaustive.get("information"), at, 4),
            ]
            for name in ("A", "B", "theta"):
                row += [_cell(found.get(name), at, 2) for found in (layer.losses, layer.exhaustive)]
            cells.append(row)
    return cells


SELECTION_HEADER = [
    *("Variant", "Layer", "Kept", "𝒞 greedy", "best"),
    *("L⁽ᴬ⁾ greedy", "best", "L⁽ᴮ⁾ greedy", "best", "L⁽θ⁾ greedy", "best"),
]


def _cell(values: np.ndarray | None, at: int, digits: int) -> str:
    return "not enumerated" if values is None else f"{values[0, at]:.{digits}f}"


def evaluation_cells(evaluations: Mapping[str, Sequence[Evaluation]]) -> list[list[str]]:
    """Every score of every variant."""
    return [
        [
            variant,
            row.stage,
            row.split,
            str(row.n),
            f"{row.loss:.4f}",
            f"{row.accuracy:.4f}",
            str(row.parameters),
        ]
        for variant, scores in evaluations.items()
        for row in scores
    ]


EVALUATION_HEADER = ["Variant", "Stage", "Split", "n", "Loss", "Accuracy", "Parameters"]


def widths_cells(
    selections: Mapping[str, PruningSelection], evaluations: Mapping[str, Sequence[Evaluation]]
) -> list[list[str]]:
    """Channels of every group, then all parameters, before and per variant."""
    counts = [{row.stage: row.parameters for row in scores} for scores in evaluations.values()]
    parameters = [counts[0]["original"], *(count["compressed"] for count in counts)]
    names = {kept.group.name: kept.group.width for s in selections.values() for kept in s.groups}
    return [
        [f"`{name}`", str(width), *(str(s.widths.get(name, width)) for s in selections.values())]
        for name, width in names.items()
    ] + [["all parameters", *(f"{count:,}" for count in parameters)]]


def read_csv(content: bytes) -> pd.DataFrame:
    """A table of the study, as saved."""
    return pd.read_csv(io.BytesIO(content))


def markdown(header: Sequence[str], cells: Sequence[Sequence[str]], text_columns: int) -> str:
    """A Markdown table; the columns after the first ``text_columns`` are right-aligned.

    Examples
    --------
    >>> print(markdown(["a", "b"], [["|x|", "1"]], text_columns=1))
    | a | b |
    |---|---:|
    | \\|x\\| | 1 |
    """
    align = ["---" if i < text_columns else "---:" for i in range(len(header))]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (header, *cells)]
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "|".join(align) + "|", *rows[1:]])


def latex(header: Sequence[str], cells: Sequence[Sequence[str]], text_columns: int) -> str:
    """A LaTeX tabular with booktabs rules.

    Examples
    --------
    >>> print(latex(["a", "b"], [["x_1", "50 %"]], text_columns=1))
    \\begin{tabular}{lr}
    \\toprule
    a & b \\\\
    \\midrule
    x\\_1 & 50 \\% \\\\
    \\bottomrule
    \\end{tabular}
    """
    columns = "l" * text_columns + "r" * (len(header) - text_columns)

    def line(row: Sequence[str]) -> str:
        escaped = (cell.replace("_", r"\_").replace("%", r"\%") for cell in row)
        return " & ".join(escaped) + r" \\"

    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            line(header),
            r"\midrule",
            *map(line, cells),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
