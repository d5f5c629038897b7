"""Tables as Markdown and LaTeX, and the cells of those that are not Table 1."""

from __future__ import annotations

import dataclasses

import pytest

from mini_exp.pruning.selection import Selection
from mini_exp.report.tables import (
    evaluation_cells,
    latex,
    markdown,
    selection_cells,
    selection_header,
    widths_cells,
)
from tests.report import examples


@pytest.mark.parametrize(
    ("cell", "escaped"),
    [
        ("corrected_bias", r"corrected\_bias"),
        ("95 %", r"95 \%"),
        ("a & b", r"a \& b"),
        ("$#{}", r"\$\#\{\}"),
        ("a\\b", r"a\textbackslash b"),
        ("a~b", r"a\textasciitilde b"),
        ("a^b", r"a\textasciicircum b"),
        ("0.60 [0.49, 0.69]", "0.60 [0.49, 0.69]"),
        ("", ""),
        ("𝒞 ≥ −1", "𝒞 ≥ −1"),
    ],
)
def test_a_cell_of_a_latex_table_is_shown_as_it_is(cell, escaped):
    lines = latex(["a_b", "n"], [[cell, "1.50"]], text_columns=1).splitlines()
    assert lines[2] == r"a\_b & n \\"
    assert lines[4] == rf"{escaped} & 1.50 \\"


def test_text_stands_left_and_numbers_right_in_a_latex_table():
    text = latex(["a", "b", "c"], [["x", "y", "1"]], text_columns=2)
    assert text.startswith("\\begin{tabular}{llr}\n\\toprule\n")
    assert text.endswith(" \\\\\n\\bottomrule\n\\end{tabular}\n")


def test_a_bar_in_a_cell_does_not_split_it_in_markdown():
    assert markdown(["a", "b"], [["|p|", "1"]], 1).splitlines()[2] == r"| \|p\| | 1 |"


# Greedy beside the best of all sets


def cells(selection: Selection) -> list[list[str]]:
    return selection_cells({"a": {kept.group.name: kept for kept in selection.groups}})


def test_the_selection_is_shown_at_the_kept_width():
    selection = examples.selection((6, 4))
    for row, kept in zip(cells(selection), selection.groups, strict=True):
        at, path = kept.width - 1, kept.path
        pairs = [(path.losses[name][at], path.exhaustive[name][at]) for name in ("A", "B", "theta")]
        assert row == [
            "a",
            kept.group.name,
            f"{kept.width} of {kept.group.width}",
            f"{path.information_ratio[at]:.4f}",
            f"{path.exhaustive['information'][at]:.4f}",
            *(f"{value:.2f}" for pair in pairs for value in pair),
        ]


def test_the_selection_s_header_has_a_name_for_every_cell():
    assert len(selection_header("Layer")) == len(cells(examples.selection((6,)))[0])


def test_a_layer_that_was_not_enumerated_says_so():
    row = cells(examples.selection((20,), best=False))[0]
    assert [row[i] for i in (4, 6, 8, 10)] == ["not enumerated"] * 4


def test_a_layer_too_wide_for_losses_says_so():
    row = cells(examples.selection((200,), best=False, losses=False))[0]
    assert [row[i] for i in (5, 7, 9)] == ["not computed"] * 3


# Scores and widths


def test_every_score_has_a_row():
    rows = evaluation_cells({"a": examples.evaluations(("test",))})
    assert rows[1] == ["a", "compressed", "test", "100", "0.8000", "0.6000", "290"]
    assert [row[1] for row in rows] == list(examples.STAGES)


def test_widths_stand_beside_the_original_s_with_all_parameters():
    scores = {
        "half": examples.evaluations(("test",), (4000, 1200, 1200)),
        "same": examples.evaluations(("test",), (4000, 4000, 4000)),
    }
    half = examples.selection((8, 4))
    whole = [dataclasses.replace(kept, width=kept.group.width) for kept in half.groups]
    rows = widths_cells({"half": half, "same": Selection(tuple(whole))}, scores)
    assert rows == [
        ["`layers.0`", "8", "4", "8"],
        ["`layers.1`", "4", "2", "4"],
        ["all parameters", "4,000", "1,200", "4,000"],
    ]


def test_a_group_that_a_variant_leaves_alone_keeps_its_width():
    scores = {name: examples.evaluations(("test",)) for name in ("tied", "untied")}
    both = examples.selection((8, 4))
    rows = widths_cells({"tied": both, "untied": Selection(both.groups[1:])}, scores)
    assert rows[0] == ["`layers.0`", "8", "4", "8"]
