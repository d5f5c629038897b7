"""Table 1 and the other tables: rows of plain values, then CSV, Markdown or LaTeX."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from mini_exp.pruning.selection import GroupSelection, Selection
from mini_exp.report import thesis
from mini_exp.report.intervals import binomial_interval
from mini_exp.spectral import Floats
from mini_exp.steps.evaluation import Evaluation

STAGES = {"original": "Original", "compressed": "Compressed", "finetuned": "Fine tuned"}
TABLE1_HEADER = ["Protocol", "Measure", "n", *STAGES.values()]
EVALUATION_HEADER = ["Variant", "Stage", "Split", "n", "Loss", "Accuracy", "Parameters"]


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
    return pd.DataFrame(rows + _score_rows(evaluations, "population"))


def table1_of_images(evaluations: Mapping[str, Sequence[Evaluation]]) -> pd.DataFrame:
    """The same without the thesis: test and validation scores, and parameters."""
    rows = _score_rows(evaluations, "validation")
    for variant, scores in evaluations.items():
        counts = {row.stage: float(row.parameters) for row in scores}
        rows.append({"protocol": variant, "measure": "parameters", **counts})
    return pd.DataFrame(rows)


def _score_rows(
    evaluations: Mapping[str, Sequence[Evaluation]], other: str
) -> list[dict[str, object]]:
    """Test loss and accuracy of every variant, and those of another split."""
    rows: list[dict[str, object]] = []
    measures = {"test": ("test loss", "accuracy"), other: (f"{other} loss", f"{other} accuracy")}
    for variant, scores in evaluations.items():
        for split, (loss_name, accuracy_name) in measures.items():
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
        interval = binomial_interval(round(value * n), n)
        row[f"{stage}_low"], row[f"{stage}_high"] = interval.low, interval.high
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


def table1_pages(table: pd.DataFrame) -> dict[str, bytes]:
    """Table 1 as the three files that it is kept in."""
    cells = table1_cells(table)
    return {
        "table1.csv": table.to_csv(index=False, lineterminator="\n").encode(),
        "table1.md": f"{markdown(TABLE1_HEADER, cells, 2)}\n".encode(),
        "table1.tex": latex(TABLE1_HEADER, cells, 2).encode(),
    }


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


def selection_header(what: str) -> list[str]:
    """Of ``selection_cells``, for layers or groups."""
    losses = ["L⁽ᴬ⁾ greedy", "best", "L⁽ᴮ⁾ greedy", "best", "L⁽θ⁾ greedy", "best"]
    return ["Variant", what, "Kept", "𝒞 greedy", "best", *losses]


def selection_cells(selections: Mapping[str, Mapping[str, GroupSelection]]) -> list[list[str]]:
    """What the greedy rule costs at the chosen widths: its value beside the best of all sets.

    Parameters
    ----------
    selections : mapping from variant to what is kept, by the name to show
    """
    cells = []
    for variant, groups in selections.items():
        for name, kept in groups.items():
            path, at = kept.path, kept.width - 1
            row = [
                variant,
                name,
                f"{kept.width} of {kept.group.width}",
                f"{path.information_ratio[at]:.4f}",
                _cell(path.exhaustive.get("information"), at, 4, "not enumerated"),
            ]
            for loss in ("A", "B", "theta"):
                row.append(_cell(path.losses.get(loss), at, 2, "not computed"))
                row.append(_cell(path.exhaustive.get(loss), at, 2, "not enumerated"))
            cells.append(row)
    return cells


def _cell(values: Floats | None, at: int, digits: int, absent: str) -> str:
    return absent if values is None else f"{values[at]:.{digits}f}"


def widths_cells(
    selections: Mapping[str, Selection], evaluations: Mapping[str, Sequence[Evaluation]]
) -> list[list[str]]:
    """Channels of every group, then all parameters, before and per variant."""
    counts = [{row.stage: row.parameters for row in scores} for scores in evaluations.values()]
    parameters = [counts[0]["original"], *(count["compressed"] for count in counts)]
    groups = {
        kept.group.name: kept.group.width
        for selection in selections.values()
        for kept in selection.groups
    }
    cells = []
    for name, width in groups.items():
        widths = [width, *(one.widths.get(name, width) for one in selections.values())]
        cells.append([f"`{name}`", *map(str, widths)])
    return [*cells, ["all parameters", *(f"{count:,}" for count in parameters)]]


def within(gap: float) -> str:
    """How good the widths within a budget are: a certified gap, rounded up to 0.01 %.

    Examples
    --------
    >>> within(0.00341), within(0.0)
    ('within 0.35 % of the best possible', 'the best possible')
    """
    percent = math.ceil(1e4 * gap) / 100
    return f"within {percent:g} % of the best possible" if percent else "the best possible"


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
    """A LaTeX tabular with booktabs rules; what is special to LaTeX is escaped.

    Examples
    --------
    >>> print(latex(["a", "b"], [["x_1", "50 %"]], text_columns=1), end="")
    \\begin{tabular}{lr}
    \\toprule
    a & b \\\\
    \\midrule
    x\\_1 & 50 \\% \\\\
    \\bottomrule
    \\end{tabular}
    """
    columns = "l" * text_columns + "r" * (len(header) - text_columns)
    table = pd.DataFrame(list(cells), columns=list(header))
    return table.to_latex(index=False, escape=True, column_format=columns)
